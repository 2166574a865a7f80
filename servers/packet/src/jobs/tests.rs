//! Client, balancer and servers, over loopback.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::balancer::{Balancer, Desk, Report};
use super::client::{Client, ask};
use super::message::Message;
use super::pool::Event;
use super::server::{Server, Site};
use crate::stop::Stop;
use crate::udp::Wait;
use crate::udp::receiver::{Receiver, Reception};
use crate::udp::report::Ending;

const CAPACITY: u16 = 5;
const PATIENCE: Duration = Duration::from_secs(60);

fn ending(count: Option<u64>) -> Ending {
    Ending { count, duration: None, counters: None }
}

fn balancer(wait: Wait) -> Balancer {
    Balancer {
        listen: "127.0.0.1:0".parse().unwrap(),
        reception: Reception { wait: Some(wait), batch: 64, room: Some(1 << 20) },
        queue: 1_024,
        servers: 64,
        patience: PATIENCE,
        repeat: Duration::from_secs(1),
        trace: false,
        ending: ending(None),
    }
}

fn server(balancer: SocketAddr) -> Site {
    let options = Server {
        balancer,
        listen: None,
        capacity: CAPACITY,
        heartbeat: Duration::from_millis(50),
        quiet: false,
        ending: ending(None),
    };
    Site::open(&options).unwrap()
}

fn client(to: SocketAddr, count: u64, sleep: [Duration; 2]) -> Client {
    let times = vec![Duration::ZERO, sleep[0], sleep[1]];
    Client { to, times, rate: None, seed: Some(1), quiet: true, ending: ending(Some(count)) }
}

/// A balancer and three servers, each in threads of its own, until somebody says stop.
struct Play<'scope> {
    to: SocketAddr,
    balancing: ScopedJoinHandle<'scope, (Report, String)>,
    serving: Vec<ScopedJoinHandle<'scope, super::server::Report>>,
    events: mpsc::Receiver<Event>,
}

impl<'scope> Play<'scope> {
    fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        stop: &'env Stop,
        balancer: &'env Balancer,
    ) -> Self {
        let receiver = Receiver::open(balancer.listen, balancer.reception).unwrap();
        let to = receiver.address().unwrap();
        let balancing = scope.spawn(move || {
            let mut trace = Vec::new();
            let report = Desk::new(balancer, receiver).balance(stop, &mut trace).unwrap();
            (report, String::from_utf8(trace).unwrap())
        });
        let (said, events) = mpsc::channel();
        let serving = (0..3).map(|_| {
            let (site, said) = (server(to), said.clone());
            // Before any client has said anything.
            site.register(&mut super::server::Report::default());
            scope.spawn(move || site.serve(stop, Some(said)).unwrap())
        });
        Self { to, balancing, serving: serving.collect(), events }
    }

    /// Waits until so many jobs are done. Returns their ids, sorted.
    fn wait_for(&self, jobs: usize) -> Vec<u64> {
        let deadline = Instant::now() + PATIENCE;
        let mut done = Vec::new();
        while done.len() < jobs {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Event::Finished { id, .. } = self.events.recv_timeout(left).unwrap() {
                done.push(id);
            }
        }
        done.sort_unstable();
        done
    }

    /// Ends it. What has been said of the last job is in the balancer's socket already.
    fn end(self, stop: &Stop) -> (Report, String, Vec<super::server::Report>) {
        stop.ask();
        let (report, trace) = self.balancing.join().unwrap();
        assert!(report.counts.add_up(), "{report:?}");
        assert_eq!((report.malformed, report.overflowed), (0, Some(0)));
        (report, trace, self.serving.into_iter().map(|one| one.join().unwrap()).collect())
    }
}

fn assert_each_once(done: &[u64], reports: &[super::server::Report]) {
    assert!(done.windows(2).all(|two| two[0] < two[1]), "a job was done twice");
    for report in reports {
        assert!(report.tally.most_at_once <= CAPACITY);
        assert_eq!((report.tally.over_capacity, report.tally.abandoned), (0, 0));
    }
    let total: u64 = reports.iter().map(|report| report.tally.done).sum();
    assert_eq!(total, done.len() as u64);
}

#[test]
fn while_there_are_fewer_jobs_than_threads_none_has_to_wait() {
    let (stop, options) = (Stop::default(), balancer(Wait::Recvmmsg));
    thread::scope(|scope| {
        let play = Play::begin(scope, &stop, &options);
        let sleep = [20, 25].map(Duration::from_millis);
        let asked = ask(&client(play.to, 15, sleep), &stop, &mut Vec::new()).unwrap();
        let done = play.wait_for(15);
        let (report, _, reports) = play.end(&stop);
        assert_each_once(&done, &reports);
        assert_eq!((report.counts.queued, report.counts.done), (0, 15));
        assert_eq!(reports.iter().map(|one| one.tally.done).collect::<Vec<_>>(), [5, 5, 5]);
        let slept: u64 = reports.iter().map(|one| one.tally.slept_microseconds).sum();
        assert_eq!(slept, asked.work_microseconds);
    });
}

#[test]
fn with_more_jobs_than_threads_the_rest_waits_and_is_done_later() {
    for wait in [Wait::Recv, Wait::Epoll] {
        let (stop, options) = (Stop::default(), balancer(wait));
        thread::scope(|scope| {
            let play = Play::begin(scope, &stop, &options);
            let sleep = [20, 25].map(Duration::from_millis);
            ask(&client(play.to, 200, sleep), &stop, &mut Vec::new()).unwrap();
            let done = play.wait_for(200);
            let (report, _, reports) = play.end(&stop);
            assert_each_once(&done, &reports);
            assert!(report.counts.queued > 0, "{report:?}");
            assert_eq!((report.counts.done, report.counts.rejected), (200, 0));
            assert_eq!(report.free, [5, 5, 5]);
        });
    }
}

#[test]
fn without_a_server_the_queue_fills_and_the_rest_is_rejected_to_the_last_one() {
    let options = Balancer { queue: 100, ..balancer(Wait::Recvmmsg) };
    let receiver = Receiver::open(options.listen, options.reception).unwrap();
    let to = receiver.address().unwrap();
    let sleep = [Duration::ZERO; 2];
    ask(&client(to, 250, sleep), &Stop::default(), &mut Vec::new()).unwrap();
    let options = Balancer { ending: ending(Some(250)), ..options };
    let desk = Desk::new(&options, receiver);
    let report = desk.balance(&Stop::default(), &mut Vec::new()).unwrap();
    assert_eq!((report.counts.waiting, report.counts.rejected), (100, 150));
}

#[test]
fn a_trace_says_who_got_what_and_who_is_free() {
    let options = Balancer { trace: true, ending: ending(Some(4)), ..balancer(Wait::Recv) };
    let receiver = Receiver::open(options.listen, options.reception).unwrap();
    let (to, socket) = (receiver.address().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let messages = [
        Message::submit(1, 7),
        Message::register(2, 9),
        Message::submit(2, 7),
        Message::done(1, 9),
    ];
    for message in messages {
        socket.send_to(&message.encode(), to).unwrap();
    }
    let mut trace = Vec::new();
    Desk::new(&options, receiver).balance(&Stop::default(), &mut trace).unwrap();
    let trace = String::from_utf8(trace).unwrap();
    let lines: Vec<&str> = trace.lines().map(|line| line.split_once(": ").unwrap().1).collect();
    let server = socket.local_addr().unwrap();
    assert_eq!(
        lines,
        [
            "Queued; 1 wait, free []".to_owned(),
            format!("job 0000000000000001 to {server}; 0 wait, free [1]"),
            format!("job 0000000000000002 to {server}; 0 wait, free [0]"),
            "Freed; 0 wait, free [1]".to_owned(),
        ]
    );
}

/// There are never more jobs on the way than the sockets have room for, so none may be lost.
#[test]
fn a_hundred_thousand_jobs_over_loopback_are_each_done_once() {
    const JOBS: u64 = 100_000;
    const ON_THE_WAY: u64 = 128;
    let (stop, options) = (Stop::default(), balancer(Wait::Recvmmsg));
    thread::scope(|scope| {
        let play = Play::begin(scope, &stop, &options);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut done = Vec::new();
        for id in 0..JOBS {
            if id >= ON_THE_WAY {
                done.append(&mut play.wait_for(1));
            }
            socket.send_to(&Message::submit(id, 0).encode(), play.to).unwrap();
        }
        done.append(&mut play.wait_for(ON_THE_WAY as usize));
        done.sort_unstable();
        let (report, _, reports) = play.end(&stop);
        assert!(done.iter().copied().eq(0..JOBS));
        assert_each_once(&done, &reports);
        assert_eq!((report.counts.done, report.counts.rejected, report.counts.lost), (JOBS, 0, 0));
    });
}
