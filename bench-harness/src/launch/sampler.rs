//! CPU time once a second: of each process of a trial, and of the host.
//!
//! The other figures of a trial are totals of its measuring phase. A sample shows what they hide: a
//! server that stood still for a second, a backend that had nothing to do, a host that was busy
//! with something else.

use std::fs;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::record::rounded;

/// From one sample to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// The name of the whole host among the processes.
const HOST: &str = "host";

/// What one process used in one second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the load generator was started, at the end of the second.
    pub at_s: f64,
    /// `server`, `backend-1`, `loadgen`, or `host` for everything that runs on it.
    pub process: String,
    /// CPU time over elapsed time: 1 is a whole CPU.
    pub cpus: f64,
}

/// Takes samples until it is asked for them.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Nothing is ever sent: it is over when this end is gone.
    over: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Begins to sample the processes of these names.
    pub(super) fn start(processes: Vec<(String, u32)>) -> Self {
        let (over, waiting) = channel();
        let thread = thread::spawn(move || {
            let mut meters = Meters::new(processes);
            let mut samples = Vec::new();
            while waiting.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                meters.read(&mut samples);
            }
            samples
        });
        Self { over, thread }
    }

    /// Ends, and hands over the samples. The last, unfinished second has none.
    pub(super) fn finish(self) -> Vec<Sample> {
        drop(self.over);
        self.thread.join().unwrap_or_default()
    }
}

/// The host and the processes, with what they had used at the last look.
struct Meters {
    start: Instant,
    last: Instant,
    meters: Vec<(String, Source, Option<Duration>)>,
}

/// Where a CPU time comes from.
enum Source {
    /// The clock of a process, which has all its threads in it.
    Process(ClockId),
    /// All that runs on the host.
    Host,
}

impl Meters {
    fn new(processes: Vec<(String, u32)>) -> Self {
        let clock = |pid: u32| clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).ok();
        let processes = processes
            .into_iter()
            .filter_map(|(name, pid)| Some((name, Source::Process(clock(pid)?))));
        let all = processes.chain([(HOST.to_owned(), Source::Host)]);
        let start = Instant::now();
        let meters = all.map(|(name, source)| {
            let used = source.read();
            (name, source, used)
        });
        Self { start, last: start, meters: meters.collect() }
    }

    fn read(&mut self, samples: &mut Vec<Sample>) {
        let now = Instant::now();
        let elapsed = (now - self.last).as_secs_f64();
        let at_s = rounded((now - self.start).as_secs_f64());
        for (process, source, before) in &mut self.meters {
            let used = source.read();
            // A process that is over has no clock any more.
            if let (Some(before), Some(used)) = (*before, used) {
                let cpus = rounded(used.saturating_sub(before).as_secs_f64() / elapsed);
                samples.push(Sample { at_s, process: process.clone(), cpus });
            }
            *before = used;
        }
        self.last = now;
    }
}

impl Source {
    fn read(&self) -> Option<Duration> {
        match self {
            Self::Process(clock) => clock_gettime(*clock).ok().map(Duration::from),
            Self::Host => busy(&fs::read_to_string("/proc/stat").ok()?),
        }
    }
}

/// The CPU time of a process so far; `None` when it is over.
pub(super) fn cpu_of(pid: u32) -> Option<Duration> {
    Source::Process(clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).ok()?).read()
}

/// What all CPUs did together, in and out of the kernel: proc_stat(5), without idle, iowait and
/// steal.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|tick| tick.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = ticks[..] else { return None };
    // SAFETY: sysconf(3) takes a number and returns one.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let all = user + nice + system + irq + softirq;
    (per_second > 0).then(|| Duration::from_secs_f64(all as f64 / per_second as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_has_a_sample_each_second_and_so_has_the_host() {
        let sampler = Sampler::start(vec![("server".into(), std::process::id())]);
        let start = Instant::now();
        while start.elapsed() < PERIOD * 5 / 2 {
            std::hint::black_box(0);
        }
        let samples = sampler.finish();
        let of = |name: &str| samples.iter().filter(|one| one.process == name).count();
        assert!(of("server") >= 1 && of("server") == of(HOST), "{samples:?}");
        assert!(samples.iter().all(|one| one.at_s >= 0.9), "{samples:?}");
        assert!(samples.iter().any(|one| one.process == "server" && one.cpus > 0.0));
    }

    #[test]
    fn what_is_over_has_no_samples() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let mut meters = Meters::new(vec![("server".into(), child.id())]);
        child.wait().unwrap();
        let mut samples = Vec::new();
        meters.read(&mut samples);
        assert!(samples.iter().all(|one| one.process == HOST), "{samples:?}");
    }

    #[test]
    fn waiting_is_not_being_busy() {
        // 100 ticks a second everywhere that Linux runs; see time(7).
        let busy = busy("cpu  100 50 50 7000 9000 50 50 300 99 99\ncpu0 1\n");
        assert_eq!(busy, Some(Duration::from_secs(3)));
    }
}
