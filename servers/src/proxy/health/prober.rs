//! One thread that probes all backends, and waits for all of them at once.
//!
//! No probe waits for another: each has a connection and a deadline of its own, and poll(2) waits
//! for all together. A backend that hangs delays nobody but itself. Probes of different backends,
//! and of several proxies, drift apart, because each pause is a little shorter than the interval,
//! by chance.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::probe::Probe;
use super::pulse::{ProbeNumber, Pulse, Service, Sign, Verdict};
use super::{Checks, Removal, Spare};
use crate::proxy::backend::{Backend, BackendId};
use crate::proxy::moment::Moment;
use crate::proxy::upstreams::{Fleet, Set, Upstreams};
use crate::shortage;
use crate::waker::Waker;

/// By how many hundredths a pause may be shorter than the interval.
const JITTER: u64 = 10;

/// Who probes the backends, until it is dropped.
#[derive(Debug)]
pub struct Prober {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Stop {
    asked: AtomicBool,
    waker: Waker,
}

impl Prober {
    /// Begins to probe the backends of `upstreams`, whoever they are at the time.
    ///
    /// # Errors
    /// When there is no thread or no descriptor for it.
    pub fn start(upstreams: &Upstreams, checks: Checks) -> io::Result<Self> {
        let stop = Arc::new(Stop { asked: AtomicBool::new(false), waker: Waker::new()? });
        let mut round = Round {
            fleet: upstreams.fleet(),
            checks,
            set: upstreams.snapshot(),
            watches: Vec::new(),
        };
        let asked = Arc::clone(&stop);
        let thread = Builder::new().name("health".into()).spawn(move || round.go(&asked))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.asked.store(true, Ordering::Release);
        self.stop.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed; the proxy goes on without probes.
            let _ = thread.join();
        }
    }
}

/// What the thread works on.
struct Round {
    fleet: Arc<Fleet>,
    checks: Checks,
    /// Whose backends are watched.
    set: Arc<Set>,
    watches: Vec<Watch>,
}

/// One backend, as it is watched.
struct Watch {
    backend: Arc<Backend>,
    pulse: Pulse,
    /// When the next probe begins.
    due: Instant,
    probe: Option<Asked>,
}

/// A probe under way.
struct Asked {
    probe: Probe,
    number: ProbeNumber,
    deadline: Instant,
}

impl Round {
    fn go(&mut self, stop: &Stop) {
        while !stop.asked.load(Ordering::Acquire) {
            self.follow();
            self.begin_due();
            let ready = self.wait(stop);
            self.hear(&ready);
        }
    }

    /// Watches the backends that there are now, and no others.
    fn follow(&mut self) {
        let set = Arc::clone(&self.fleet.set());
        if Arc::ptr_eq(&set, &self.set) && !self.watches.is_empty() {
            return;
        }
        self.set = set;
        let stays = |id: BackendId| self.set.backends().iter().any(|backend| backend.id == id);
        self.watches.retain(|watch| stays(watch.backend.id));
        for backend in self.set.backends() {
            if !self.watches.iter().any(|watch| watch.backend.id == backend.id) {
                let pulse = Pulse::new(self.checks.thresholds);
                let backend = Arc::clone(backend);
                self.watches.push(Watch { backend, pulse, due: Instant::now(), probe: None });
            }
        }
    }

    /// Begins those probes that are due.
    fn begin_due(&mut self) {
        let now = Instant::now();
        for place in 0..self.watches.len() {
            let watch = &mut self.watches[place];
            if watch.probe.is_some() || watch.due > now {
                continue;
            }
            let hundredths = 100 - self.fleet.jitter.below(JITTER + 1) as u32;
            watch.due = now + self.checks.interval * hundredths / 100;
            let number = watch.pulse.begin();
            match Probe::begin(watch.backend.address, &self.checks.question) {
                Ok(probe) => {
                    let deadline = now + self.checks.timeout;
                    watch.probe = Some(Asked { probe, number, deadline });
                }
                Err(error) if shortage::has_caused(&error) => {}
                Err(_) => self.end(place, number, Sign::Ill),
            }
        }
    }

    /// Waits until a probe can go on, a deadline passes or a probe is due; says which probes can.
    fn wait(&self, stop: &Stop) -> Vec<usize> {
        let mut places = Vec::new();
        let mut watched = vec![PollFd::new(stop.waker.as_fd(), PollFlags::POLLIN)];
        for (place, watch) in self.watches.iter().enumerate() {
            if let Some(Asked { probe, .. }) = &watch.probe {
                places.push(place);
                watched.push(PollFd::new(probe.as_fd(), probe.waits_for()));
            }
        }
        // An interruption only means that it looks once too often.
        let _ = poll(&mut watched, self.time_out());
        let is_ready = |descriptor: &PollFd<'_>| descriptor.any().unwrap_or(true);
        let ready = watched[1..].iter().map(is_ready);
        places.iter().zip(ready).filter(|(_, ready)| *ready).map(|(place, _)| *place).collect()
    }

    /// How long nothing is to be done, unless a probe can go on. A new set of backends is noticed
    /// after an interval at the latest.
    fn time_out(&self) -> PollTimeout {
        let next = |watch: &Watch| watch.probe.as_ref().map_or(watch.due, |asked| asked.deadline);
        let left = |watch| next(watch).saturating_duration_since(Instant::now());
        let least = self.watches.iter().map(left).min().unwrap_or(self.checks.interval);
        // Rounded up: a wait that ends too early would be repeated until the time has come.
        let least = (least + Duration::from_micros(999)).min(self.checks.interval);
        PollTimeout::try_from(least).unwrap_or(PollTimeout::MAX)
    }

    /// Goes on with those that can, and then gives up those whose time is over: what has arrived in
    /// time counts, even if this thread has not been running meanwhile.
    fn hear(&mut self, ready: &[usize]) {
        for &place in ready {
            if let Some(asked) = &mut self.watches[place].probe
                && let Some(sign) = asked.probe.go_on()
            {
                let number = asked.number;
                self.end(place, number, sign);
            }
        }
        let now = Instant::now();
        for place in 0..self.watches.len() {
            if let Some(Asked { number, deadline, .. }) = self.watches[place].probe
                && deadline <= now
            {
                self.end(place, number, Sign::Ill);
            }
        }
    }

    /// A probe has come to its end: what follows from it.
    fn end(&mut self, place: usize, number: ProbeNumber, sign: Sign) {
        let now = Moment::now();
        let service = self.service(now);
        let watch = &mut self.watches[place];
        watch.probe = None;
        match watch.pulse.end(number, sign, service) {
            Verdict::Stay => {}
            Verdict::Rise => {
                watch.backend.record.clear();
                watch.backend.serve_from(now);
            }
            Verdict::Fall => {
                let until = Moment::NEVER;
                let removal = self.fleet.take_out(&watch.backend, until, Spare::One, now);
                if removal == Removal::Done {
                    watch.pulse.fell();
                }
            }
        }
    }

    /// Whether anybody in service is well. Who has to stay there for want of others is no reason to
    /// let the others wait.
    fn service(&self, now: Moment) -> Service {
        let is_well = |watch: &Watch| watch.backend.in_service(now) && !watch.pulse.is_spared();
        if self.watches.iter().any(is_well) { Service::Some } else { Service::None }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Mutex;
    use std::thread::{self, sleep};

    use super::*;
    use crate::proxy::backend::{BackendSpec, Health};
    use crate::proxy::health::Question;
    use crate::proxy::health::pulse::Thresholds;
    use crate::proxy::policy::bed::Bed;

    const HEALTHY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const ILL: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
    const GARBAGE: &str = "220 ready when you are\r\n\r\n";
    /// No answer at all, and the connection stays.
    const SILENCE: &str = "";

    /// A backend that gives each client the answer of the day.
    struct Host {
        address: SocketAddr,
        answer: Arc<Mutex<&'static str>>,
    }

    impl Host {
        fn new(answer: &'static str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let answer = Arc::new(Mutex::new(answer));
            let today = Arc::clone(&answer);
            thread::spawn(move || {
                let mut silent = Vec::new();
                for client in listener.incoming() {
                    let mut client = client.unwrap();
                    let answer = *today.lock().unwrap();
                    if answer == SILENCE {
                        silent.push(client);
                    } else {
                        let _ = client.read(&mut [0; 1024]);
                        let _ = client.write_all(answer.as_bytes());
                    }
                }
            });
            Self { address, answer }
        }

        fn says(&self, answer: &'static str) {
            *self.answer.lock().unwrap() = answer;
        }
    }

    /// An address where nobody listens.
    fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    fn start(addresses: &[SocketAddr]) -> (Bed, Prober) {
        let thresholds = Thresholds { fall: 3, rise: 2 };
        start_asking(Question::Get("/heartbeat".into()), thresholds, addresses)
    }

    fn start_asking(
        question: Question,
        thresholds: Thresholds,
        addresses: &[SocketAddr],
    ) -> (Bed, Prober) {
        let bed = Bed::new("round-robin", &[1]);
        let specs = addresses.iter().map(|&address| BackendSpec { address, weight: 1 });
        bed.upstreams.replace(specs.collect()).unwrap();
        let checks = Checks {
            question,
            interval: Duration::from_millis(50),
            timeout: Duration::from_millis(500),
            thresholds,
        };
        let prober = Prober::start(&bed.upstreams, checks).unwrap();
        (bed, prober)
    }

    fn health(bed: &Bed) -> Vec<Health> {
        let (set, now) = (bed.upstreams.snapshot(), Moment::now());
        set.backends().iter().map(|backend| backend.health(now)).collect()
    }

    /// Waits until the backends stand so; a minute is for the slowest of machines.
    fn await_health(bed: &Bed, expected: &[Health]) {
        let start = Instant::now();
        while health(bed) != expected {
            let seen = health(bed);
            assert!(start.elapsed() < Duration::from_secs(60), "{seen:?}, not {expected:?}");
            sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn those_that_are_gone_hang_or_are_ill_fall_and_rise_again() {
        use Health::{Down, InService};
        let hosts = [HEALTHY, ILL, ELSEWHERE, GARBAGE, SILENCE].map(Host::new);
        let [well, ill, elsewhere, garbage, silent] = hosts.each_ref().map(|host| host.address);
        let (bed, _prober) = start(&[well, ill, elsewhere, garbage, silent, nobody()]);
        await_health(&bed, &[InService, Down, Down, Down, Down, Down]);
        hosts.iter().for_each(|host| host.says(HEALTHY));
        await_health(&bed, &[InService, InService, InService, InService, InService, Down]);
    }

    /// Who is in service, once it is one only, and has been spared at some more bad probes.
    fn await_last(bed: &Bed) -> usize {
        let start = Instant::now();
        loop {
            let health = health(bed);
            assert!(health.contains(&Health::InService), "nobody is left");
            assert!(start.elapsed() < Duration::from_secs(60), "{health:?}");
            let last = health.iter().position(|&one| one == Health::InService);
            if let Some(last) = last
                && bed.backend(last).spared() > 2
            {
                return last;
            }
            sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn whatever_their_probes_say_the_last_one_stays() {
        for answers in [[ILL, ILL, GARBAGE], [SILENCE; 3], [ILL, SILENCE, GARBAGE]] {
            let hosts = answers.map(Host::new);
            let (bed, _prober) = start(&hosts.each_ref().map(|host| host.address));
            await_last(&bed);
        }
        let (bed, _prober) = start(&[nobody(), nobody()]);
        await_last(&bed);
    }

    #[test]
    fn when_all_are_ill_the_first_good_probe_brings_one_back_in_place_of_the_last() {
        use Health::{Down, InService};
        let hosts = [SILENCE, SILENCE].map(Host::new);
        let addresses = hosts.each_ref().map(|host| host.address);
        // So many in a row would take an hour.
        let thresholds = Thresholds { fall: 3, rise: 72_000 };
        let question = Question::Get("/heartbeat".into());
        let (bed, _prober) = start_asking(question, thresholds, &addresses);
        let last = await_last(&bed);
        hosts[1 - last].says(HEALTHY);
        await_health(&bed, &if last == 0 { [Down, InService] } else { [InService, Down] });
    }

    #[test]
    fn a_connection_is_enough_where_nothing_else_is_asked() {
        use Health::{Down, InService};
        let thresholds = Thresholds { fall: 3, rise: 2 };
        let silent = Host::new(SILENCE).address;
        let (bed, _prober) = start_asking(Question::Connect, thresholds, &[silent, nobody()]);
        await_health(&bed, &[InService, Down]);
        sleep(Duration::from_millis(300));
        assert_eq!(bed.backend(0).spared(), 0, "no probe has spoken against it");
    }

    #[test]
    fn backends_that_come_later_are_probed_too() {
        let (bed, _prober) = start(&[Host::new(HEALTHY).address]);
        let specs = [Host::new(HEALTHY).address, nobody()];
        let specs = specs.map(|address| BackendSpec { address, weight: 1 });
        bed.upstreams.replace(specs.to_vec()).unwrap();
        await_health(&bed, &[Health::InService, Health::Down]);
    }
}
