//! CPU time of one process, and of the whole host.
//!
//! What XDP does, and what the stack does before a socket has a packet, is done in softirqs: in no
//! process's name, or in that of whoever was running. So the time of the receiving process
//! alone would make the earliest hook look free; beside it stands that of all CPUs.

use std::fs;

use anyhow::{Context, Result};

/// CPU time used so far, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// By one process, in user mode and in the kernel.
    pub process: f64,
    /// By whoever ran on any CPU of the host, interrupts and softirqs included.
    pub host: f64,
}

impl Used {
    /// Up to now.
    ///
    /// # Errors
    /// When the process has ended, or the kernel does not tell.
    pub fn by(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let host = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        let ticks = of_process(&stat).zip(of_host(&host));
        let (process, host) = ticks.context("/proc/stat is not as proc(5) says")?;
        let second = ticks_per_second()?;
        Ok(Self { process: process as f64 / second, host: host as f64 / second })
    }

    /// What was used since then.
    #[must_use]
    pub fn since(self, start: Self) -> Self {
        Self { process: self.process - start.process, host: self.host - start.host }
    }
}

fn ticks_per_second() -> Result<f64> {
    // SAFETY: sysconf(3) takes a number and returns one.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (ticks > 0).then_some(ticks as f64).context("the kernel does not say how long a tick is")
}

/// proc_pid_stat(5): user and system time are the 14th and 15th field. The second, the name, may
/// have spaces and brackets in it.
fn of_process(stat: &str) -> Option<u64> {
    let (_, behind_the_name) = stat.rsplit_once(')')?;
    let mut fields = behind_the_name.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

/// proc_stat(5): `cpu user nice system idle iowait irq softirq …`.
fn of_host(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_whitespace().take(7).map(|tick| tick.parse().ok());
    let ticks: Vec<u64> = ticks.collect::<Option<_>>()?;
    let [user, nice, system, _idle, _iowait, irq, softirq] = ticks[..] else { return None };
    Some(user + nice + system + irq + softirq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 11 12";
        assert_eq!(of_process(stat), Some(300));
        assert_eq!(of_process("7 (a) S 1"), None);
    }

    #[test]
    fn idle_time_is_not_used_and_softirqs_are() {
        assert_eq!(of_host("cpu  10 1 5 80 2 3 7 9 0 0\ncpu0 1\n"), Some(26));
        assert_eq!(of_host("cpu  10 1 5 80 2 3"), None);
    }

    #[test]
    fn time_that_this_process_uses_shows_in_both() {
        let own = std::process::id();
        let start = Used::by(own).unwrap();
        while Used::by(own).unwrap().since(start).process < 0.03 {
            std::hint::black_box(0);
        }
        assert!(Used::by(own).unwrap().since(start).host > 0.0);
    }
}
