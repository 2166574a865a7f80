//! What a process uses: CPU, memory, threads, context switches.
//!
//! CPU time comes from the CPU clock of the process (clock_getcpuclockid(3)): nanoseconds, over all
//! threads, ended ones included. The kernel splits it into user and system time only in ticks of 10
//! ms as a rule (proc_pid_stat(5)), so that split is the ratio of those ticks applied to the exact
//! total. Child processes are not included. Context switches are kept per thread
//! (proc_pid_status(5)), so those of threads that ended before a reading are missing from it.

use std::fs;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::report::{ThreadUse, Usage};

/// The load generator's own meter and that of the watched process.
#[derive(Debug)]
pub struct Meters {
    own: Meter,
    watched: Option<Meter>,
}

/// Reads what one process has used so far.
#[derive(Debug)]
struct Meter {
    pid: i32,
    clock: ClockId,
}

/// What both processes had used at one moment. The watched one may have gone.
#[derive(Debug)]
pub struct Readings {
    own: Reading,
    watched: Option<Reading>,
}

/// What a process had used at one moment, since it began.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    cpu_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
    /// Only the differences of two readings mean something in these.
    usage: Usage,
}

/// What the calling thread uses of a CPU, and how long it waits for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadClock {
    cpu_ns: u64,
    delayed_ns: u64,
}

impl ThreadClock {
    /// Begins to count.
    pub fn start(&mut self) {
        *self = Self::read();
    }

    /// What was used since then, `spun_ns` of it for spinning on purpose.
    #[must_use]
    pub fn used(&self, spun_ns: u64) -> ThreadUse {
        let now = Self::read();
        ThreadUse {
            cpu_ns: now.cpu_ns.saturating_sub(self.cpu_ns),
            spun_ns,
            delayed_ns: now.delayed_ns.saturating_sub(self.delayed_ns),
        }
    }

    /// The second number of schedstat is the time on a run queue
    /// (Documentation/scheduler/sched-stats.rst). A kernel without it says 0.
    fn read() -> Self {
        let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok();
        let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let delayed = schedstat.split_whitespace().nth(1).and_then(|field| field.parse().ok());
        Self {
            cpu_ns: cpu.map_or(0, |cpu| cpu.tv_sec() as u64 * 1_000_000_000 + cpu.tv_nsec() as u64),
            delayed_ns: delayed.unwrap_or(0),
        }
    }
}

impl Meters {
    /// A meter for this process and, if wanted, one for another.
    ///
    /// # Errors
    /// If there is no process of that number.
    pub fn new(watch: Option<i32>) -> Result<Self, Failure> {
        let own = Meter::new(std::process::id() as i32)?;
        let watched = watch.map(Meter::new).transpose()?;
        Ok(Self { own, watched })
    }

    /// Reads both.
    ///
    /// # Errors
    /// If this process can't be read, as without a /proc.
    pub fn read(&self) -> Result<Readings, Failure> {
        let watched = self.watched.as_ref().and_then(Meter::read);
        let own = self
            .own
            .read()
            .ok_or_else(|| Failure::Unfit("can't read /proc/self: is /proc mounted?".to_owned()))?;
        Ok(Readings { own, watched })
    }
}

impl Meter {
    fn new(pid: i32) -> Result<Self, Failure> {
        let clock = clock_getcpuclockid(Pid::from_raw(pid));
        let meter = clock.ok().map(|clock| Self { pid, clock });
        meter.filter(|meter| meter.read().is_some()).ok_or_else(|| {
            Failure::Usage(format!("--watch {pid}: no process of that number can be read"))
        })
    }

    fn read(&self) -> Option<Reading> {
        let cpu = clock_gettime(self.clock).ok()?;
        let cpu_ns = cpu.tv_sec() as u64 * 1_000_000_000 + cpu.tv_nsec() as u64;
        let reading = parse_stat(&fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?)?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let (voluntary, involuntary) = switches(self.pid);
        let usage = Usage {
            resident_octets: line_of(&status, "VmRSS:") * 1024,
            switches_voluntary: voluntary,
            switches_involuntary: involuntary,
            ..reading.usage
        };
        Some(Reading { cpu_ns, usage, ..reading })
    }
}

impl Readings {
    /// What was used between this moment and a `later` one: by this process, and by the other one
    /// if it was there both times.
    #[must_use]
    pub fn until(&self, later: &Self) -> (Usage, Option<Usage>) {
        let watched = self.watched.zip(later.watched);
        (self.own.until(&later.own), watched.map(|(first, last)| first.until(&last)))
    }
}

impl Reading {
    fn until(&self, later: &Self) -> Usage {
        let cpu_ns = later.cpu_ns.saturating_sub(self.cpu_ns);
        let user = later.user_ticks.saturating_sub(self.user_ticks);
        let system = later.system_ticks.saturating_sub(self.system_ticks);
        let user_ns = match user + system {
            0 => cpu_ns / 2,
            ticks => (u128::from(cpu_ns) * u128::from(user) / u128::from(ticks)) as u64,
        };
        let since = |pick: fn(&Usage) -> u64| pick(&later.usage).saturating_sub(pick(&self.usage));
        Usage {
            user_ns,
            system_ns: cpu_ns - user_ns,
            switches_voluntary: since(|usage| usage.switches_voluntary),
            switches_involuntary: since(|usage| usage.switches_involuntary),
            faults_minor: since(|usage| usage.faults_minor),
            ..later.usage
        }
    }
}

/// Reads proc_pid_stat(5). The name of the program, in parentheses, may hold anything, so the
/// fields are counted from behind it: the first one there is the third of all.
fn parse_stat(stat: &str) -> Option<Reading> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Reading {
        cpu_ns: 0,
        user_ticks: field(14)?,
        system_ticks: field(15)?,
        usage: Usage { faults_minor: field(10)?, threads: field(20)?, ..Usage::default() },
    })
}

/// Voluntary and involuntary context switches of all living threads.
fn switches(pid: i32) -> (u64, u64) {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return (0, 0) };
    let statuses = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    statuses.fold((0, 0), |(voluntary, involuntary), status| {
        let more = line_of(&status, "voluntary_ctxt_switches:");
        (voluntary + more, involuntary + line_of(&status, "nonvoluntary_ctxt_switches:"))
    })
}

/// The number behind a name in proc_pid_status(5); sizes are in KiB.
fn line_of(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "77 (a) name (b) S 1 1 1 0 -1 4194560 2465 41439 0 18 30 10 28 4 20 0 9 0 \
                        77765 5124096 3 18446744073709551615 9 9 9 9 0 0 0 65536";

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let reading = parse_stat(STAT).expect("a reading");
        assert_eq!((reading.user_ticks, reading.system_ticks), (30, 10));
        assert_eq!((reading.usage.faults_minor, reading.usage.threads), (2465, 9));
    }

    #[test]
    fn ticks_split_the_exact_total() {
        let first = Reading::default();
        let later = Reading { cpu_ns: 1001, user_ticks: 1, system_ticks: 3, ..first };
        let usage = first.until(&later);
        assert_eq!((usage.user_ns, usage.system_ns), (250, 751));
    }

    #[test]
    fn sees_this_process_work() {
        let meters = Meters::new(Some(std::process::id() as i32)).expect("meters");
        let first = meters.read().expect("a reading");
        let clock = clock_getcpuclockid(Pid::this()).expect("a clock");
        let cpu = || clock_gettime(clock).expect("a time").tv_nsec();
        let start = cpu();
        while cpu() == start {}
        let (own, watched) = first.until(&meters.read().expect("a reading"));
        assert!(own.user_ns + own.system_ns > 0 && own.threads > 0 && own.resident_octets > 0);
        assert!(watched.expect("itself").user_ns + watched.expect("itself").system_ns > 0);
    }

    #[test]
    fn a_process_that_is_not_there_is_a_usage_error() {
        assert_eq!(Meters::new(Some(i32::MAX)).expect_err("no such process").status(), 2);
    }

    #[test]
    fn reads_both_kinds_of_switches() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t62\nnonvoluntary_ctxt_switches:\t11\n";
        let both = (
            line_of(status, "voluntary_ctxt_switches:"),
            line_of(status, "nonvoluntary_ctxt_switches:"),
        );
        assert_eq!(both, (62, 11));
    }
}
