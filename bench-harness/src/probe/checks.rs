//! Verdicts on the host: may a measurement be made here, and what will it be worth?

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::host::Host;
use super::quiet::{DISTURBANCE, Interval};
use crate::launch::pinning::Pinning;

/// How long to watch for stolen time.
const WATCH: Duration = Duration::from_millis(500);

/// Both sides of 1,000 connections and what else they need, in one process each.
const DESCRIPTORS: u64 = 1_100;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// It can't be read; nothing is known.
    Unknown,
    /// Measurements are possible and worth less.
    Warn,
    /// Measurements would mean nothing.
    Unfit,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Unfit => "UNFIT",
        }
    }
}

/// One fact with a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub value: String,
    /// Whether that is good.
    pub verdict: Verdict,
    /// What it means and what to do; empty when it is fine.
    pub advice: &'static str,
}

fn check(
    name: &'static str,
    value: impl ToString,
    verdict: Verdict,
    advice: &'static str,
) -> Check {
    let advice = if verdict == Verdict::Fine { "" } else { advice };
    Check { name, value: value.to_string(), verdict, advice }
}

/// All checks; it takes half a second, since stolen time has to be watched.
#[must_use]
pub fn all(host: &Host, pinning: &Pinning) -> Vec<Check> {
    let interval = Interval::start();
    sleep(WATCH);
    let others = interval.end();
    vec![
        cpus(host.cpus, pinning),
        stolen(others.steal_percent),
        others_busy(others.cpus),
        load(&fs::read_to_string("/proc/loadavg").unwrap_or_default()),
        governor(&host.governor),
        clock(&host.clocksource),
        descriptors(host.open_files),
        backlog(host),
        virtual_machine(&host.virtual_machine),
    ]
}

fn cpus(count: usize, pinning: &Pinning) -> Check {
    let verdict = if pinning.apart() { Verdict::Fine } else { Verdict::Unfit };
    let advice =
        "server and load share a CPU: every rate is that of both together; use 2 CPUs or more";
    check("CPUs", count, verdict, advice)
}

fn stolen(percent: Option<f64>) -> Check {
    let advice = "the hypervisor gives CPU time to others; repeat when it is quiet";
    let verdict = match percent {
        None => Verdict::Unknown,
        Some(percent) if percent < 1.0 => Verdict::Fine,
        Some(percent) if percent < 10.0 => Verdict::Warn,
        Some(_) => Verdict::Unfit,
    };
    let value = percent.map_or_else(|| "unknown".into(), |percent| format!("{percent:.1} %"));
    check("stolen CPU time", value, verdict, advice)
}

fn others_busy(cpus: Option<f64>) -> Check {
    let verdict = match cpus {
        None => Verdict::Unknown,
        Some(cpus) if cpus < DISTURBANCE => Verdict::Fine,
        Some(_) => Verdict::Warn,
    };
    let value = cpus.map_or_else(|| "unknown".into(), |cpus| format!("{cpus:.2} CPUs"));
    check("used by other programs", value, verdict, "trials will be marked as disturbed; stop them")
}

fn load(loadavg: &str) -> Check {
    let value = loadavg.split_whitespace().next().unwrap_or("unknown");
    let verdict = match value.parse::<f64>() {
        Err(_) => Verdict::Unknown,
        Ok(load) if load < 0.5 => Verdict::Fine,
        Ok(_) => Verdict::Warn,
    };
    check("load average, 1 min", value, verdict, "something else ran lately; stop it or wait")
}

fn governor(value: &str) -> Check {
    let verdict = match value {
        "performance" => Verdict::Fine,
        "unknown" => Verdict::Unknown,
        _ => Verdict::Warn,
    };
    let advice = "the clock rate may change with the load; set `performance`, on the real host";
    check("frequency governor", value, verdict, advice)
}

fn clock(value: &str) -> Check {
    let verdict = match value {
        "tsc" | "kvm-clock" | "arch_sys_counter" => Verdict::Fine,
        "unknown" => Verdict::Unknown,
        _ => Verdict::Warn,
    };
    check("clock source", value, verdict, "reading the clock is a system call here and costs time")
}

fn descriptors(limit: u64) -> Check {
    let verdict = if limit >= DESCRIPTORS { Verdict::Fine } else { Verdict::Warn };
    let advice = "too few for 1,000 connections; `ulimit -n 20000`";
    check("open files, limit", limit, verdict, advice)
}

fn backlog(host: &Host) -> Check {
    let setting = host.sysctl.iter().find(|setting| setting.name == "net.core.somaxconn");
    let value = setting.map_or("unknown", |setting| setting.value.as_str());
    let verdict = match value.parse::<u64>() {
        Err(_) => Verdict::Unknown,
        Ok(length) if length >= 1_024 => Verdict::Fine,
        Ok(_) => Verdict::Warn,
    };
    let advice = "1,000 clients at once overflow the queue; `sysctl net.core.somaxconn=4096`";
    check("accept queue, limit", value, verdict, advice)
}

fn virtual_machine(value: &str) -> Check {
    let verdict = if value == "no" { Verdict::Fine } else { Verdict::Warn };
    let advice = "compare models within a run; don't compare with numbers of other machines";
    check("virtual machine", value, verdict, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_not_fine() {
        assert_eq!(stolen(None).verdict, Verdict::Unknown);
        assert_eq!(others_busy(None).verdict, Verdict::Unknown);
        assert_eq!(governor("unknown").verdict, Verdict::Unknown);
        assert_eq!(load("").verdict, Verdict::Unknown);
    }

    #[test]
    fn a_shared_cpu_or_a_stolen_one_is_unfit() {
        assert_eq!(cpus(1, &Pinning::halves(&[0])).verdict, Verdict::Unfit);
        assert_eq!(stolen(Some(12.0)).verdict, Verdict::Unfit);
        assert_eq!(stolen(Some(0.2)).verdict, Verdict::Fine);
    }

    #[test]
    fn advice_is_given_only_where_something_is_wrong() {
        assert_eq!(descriptors(20_000).advice, "");
        assert!(descriptors(256).advice.contains("ulimit"));
    }
}
