//! The filter and the balancer on interfaces, in both modes, with real sockets behind them. Takes
//! root; is skipped aloud without.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod beds;

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use beds::made;
use packet::bed::{Bed, Host};
use packet::bpf::{Attachment, Error, Mode, Program, Type};
use packet::jobs::message::{Kind, Message, More};
use packet::programs::balance::{self, Keeper};
use packet::programs::filter::{self, Counter, Decision, Maps, Trace};
use packet::programs::pass;

const PORT: u16 = 50_001;
const MODES: [Mode; 2] = [Mode::Native, Mode::Generic];
/// Far more than a packet takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// A failure of bpf(2) or of the namespace around it.
#[derive(Debug)]
#[allow(dead_code, reason = "shown when a test fails")]
enum Failed {
    Bpf(Error),
    Io(std::io::Error),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn attach(host: &Host, program: &Program, mode: Mode) -> Attachment {
    let attach = || Attachment::xdp(program, host.index, mode).map_err(Failed::Bpf);
    host.namespace.within(attach).unwrap()
}

fn socket(host: &Host, port: u16) -> UdpSocket {
    let socket = host.namespace.within(|| UdpSocket::bind((host.address, port))).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

/// What comes of counters from `from` to `to`, which end with an odd one.
fn received(from: &UdpSocket, to: &UdpSocket, counters: std::ops::Range<u32>) -> Vec<u32> {
    let last = counters.end - 1;
    for counter in counters {
        from.send_to(&counter.to_le_bytes(), to.local_addr().unwrap()).unwrap();
    }
    let mut received = Vec::new();
    while received.last() != Some(&last) {
        let mut octets = [0; 4];
        to.recv(&mut octets).unwrap();
        received.push(u32::from_le_bytes(octets));
    }
    received
}

#[test]
fn a_filter_drops_even_counters_from_when_it_is_attached_until_it_is_gone() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let (from, to) = (socket(near, 0), socket(far, PORT));
    for mode in MODES {
        let maps = Maps::new().unwrap();
        let parameters =
            filter::Parameters { port: PORT, counter: Counter::UdpPayload, trace: Trace::Off };
        let program = Program::load(&filter::code(&parameters), Type::Xdp, &maps.all()).unwrap();
        assert_eq!(received(&from, &to, 0..100), Vec::from_iter(0..100), "before");
        let attached = attach(far, &program, mode);
        assert_eq!(received(&from, &to, 0..200), Vec::from_iter((1..200).step_by(2)), "{mode:?}");
        drop(attached);
        assert_eq!(received(&from, &to, 0..100), Vec::from_iter(0..100), "after");
        let counts = maps.counts().unwrap();
        assert_eq!(counts[Decision::EvenDropped as usize], 100);
        assert_eq!(counts[Decision::OddPassed as usize], 100);
    }
}

const SERVERS: usize = 3;
const CAPACITY: u16 = 5;
const JOBS: u64 = 900;

/// A server that does each job as soon as it has as many as it can, or none comes for a while.
struct Server {
    socket: UdpSocket,
    balancer: SocketAddr,
    running: Vec<u64>,
    done: Vec<u64>,
    most: usize,
}

impl Server {
    fn serve(mut self, jobs: usize, all: &AtomicUsize) -> (Vec<u64>, usize) {
        self.socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        self.say(Message::register(CAPACITY, 1));
        self.say(Message::register(CAPACITY, 1));
        // A lost job would never be done: then it ends, and the numbers say so.
        let end = Instant::now() + LONG;
        while all.load(SeqCst) < jobs && Instant::now() < end {
            let mut octets = [0; 64];
            let heard = self.socket.recv(&mut octets).ok();
            match heard.and_then(|length| Message::decode(&octets[..length])) {
                Some(job) => self.take(job),
                None => self.say(Message::register(self.free(), 1)),
            }
            if heard.is_none() || self.free() == 0 {
                all.fetch_add(self.finish(), SeqCst);
            }
        }
        (self.done, self.most)
    }

    fn take(&mut self, job: Message) {
        assert_eq!((job.kind, job.incarnation), (Kind::Job, 1));
        self.running.push(job.id);
        self.most = self.most.max(self.running.len());
        if job.more == More::Waiting && self.free() > 0 {
            self.say(Message::register(self.free(), 1));
        }
    }

    /// The oldest job is done.
    fn finish(&mut self) -> usize {
        if self.running.is_empty() {
            return 0;
        }
        let id = self.running.remove(0);
        self.done.push(id);
        self.say(Message::done(id, 1));
        1
    }

    fn free(&self) -> u16 {
        CAPACITY.saturating_sub(self.running.len() as u16)
    }

    fn say(&self, message: Message) {
        self.socket.send_to(&message.encode(), self.balancer).unwrap();
    }
}

/// Has a program that lets everything pass on each port of the bridge: native XDP_TX wants that.
fn passing_ports(bed: &Bed, program: &Program) -> Vec<Attachment> {
    let hub = bed.hub.as_ref().unwrap();
    let attach = |port: &String| {
        let index = nix::net::if_::if_nametoindex(port.as_str()).map_err(std::io::Error::from)?;
        Attachment::xdp(program, index, Mode::Native).map_err(Failed::Bpf)
    };
    hub.namespace.within(|| hub.ports.iter().map(attach).collect()).unwrap()
}

#[test]
fn each_job_is_done_once_and_no_server_has_more_than_it_can_do() {
    let Some(bed) = made(Bed::star(SERVERS as u8 + 2, 1)) else { return };
    let passing = Program::load(&pass::code(), Type::Xdp, &[]).unwrap();
    let _ports = passing_ports(&bed, &passing);
    for mode in MODES {
        let keeper = Keeper::new(&balance::Parameters {
            port: PORT,
            queue: balance::QUEUE,
            patience: LONG,
            trace: Trace::Off,
        });
        let keeper = keeper.unwrap();
        let _attached = attach(&bed.hosts[0], &keeper.program, mode);
        let (done, most) = run_jobs(&bed);
        assert_eq!(done.len(), JOBS as usize, "{mode:?}");
        assert_eq!(HashSet::<u64>::from_iter(done), HashSet::from_iter(1..=JOBS), "{mode:?}");
        assert_eq!(most, usize::from(CAPACITY), "{mode:?}");
        let counts = keeper.counts().unwrap();
        assert_eq!((counts.submitted, counts.rejected, counts.lost), (JOBS, 0, 0), "{mode:?}");
        assert!(counts.queued > 0 && counts.add_up(), "{mode:?}: {counts:?}");
    }
}

/// All jobs at once, then servers that take them. Says which were done, and the most at one server.
fn run_jobs(bed: &Bed) -> (Vec<u64>, usize) {
    let balancer = SocketAddr::from((bed.hosts[0].address, PORT));
    let client = socket(&bed.hosts[1], 0);
    let all = AtomicUsize::new(0);
    for id in 1..=JOBS {
        client.send_to(&Message::submit(id, 1).encode(), balancer).unwrap();
    }
    thread::scope(|scope| {
        let servers: Vec<_> = bed.hosts[2..]
            .iter()
            .map(|host| {
                let socket = socket(host, 0);
                let server = Server { socket, balancer, running: vec![], done: vec![], most: 0 };
                scope.spawn(|| server.serve(JOBS as usize, &all))
            })
            .collect();
        let ends = servers.into_iter().map(|server| server.join().unwrap());
        ends.fold((Vec::new(), 0), |(done, most), (some, here)| {
            ([done, some].concat(), most.max(here))
        })
    })
}
