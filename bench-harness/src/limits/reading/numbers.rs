//! Numbers for processes and threads: kernel.pid_max, in each pid namespace that a process is in.
//!
//! A thread has a number in its own pid namespace and in all above it, and needs a free one in each
//! (pid_namespaces(7)). The kernel deals numbers out upwards and starts over at 300: those below
//! are used only before the first round is over.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{Process, processes};
use crate::limits::host::{Bound, Limit, Setting};

const PID_MAX: &str = "/proc/sys/kernel/pid_max";
const COMMAND: &str = "sysctl -w kernel.pid_max={}";
const LOADAVG: &str = "/proc/loadavg";

/// The numbers that a second round leaves out: RESERVED_PIDS of the kernel.
const RESERVED: u64 = 300;

/// PID_MAX_LIMIT of the kernel, on 64 bits.
const CEILING: u64 = 4_194_304;

/// The least that is left of the numbers of the process's namespace and of ours, which is above it.
pub(super) fn setting(process: &Process) -> Setting {
    let namespace = |folder: &str| fs::read_link(format!("{folder}/ns/pid")).ok();
    let here = Numbers::here().setting(&all_threads(process), &own_threads(process));
    match (namespace("/proc/self"), namespace(&process.folder)) {
        (Some(own), Some(theirs)) if own == theirs => here,
        (Some(_), Some(theirs)) => {
            let own = process.pid().map(numbers_inside).unwrap_or_default();
            let others = threads_inside(&theirs, process);
            let there = Numbers::inside(process).setting(&others, &own);
            if room(&there) < room(&here) { there } else { here }
        }
        _ => Setting { bound: Bound::Unknown, ..here },
    }
}

fn room(setting: &Setting) -> u64 {
    match setting.left() {
        Bound::AtMost(left) => left,
        // Nothing is known: told, rather than passed over for a limit that may not be the one.
        Bound::Unknown => 0,
        Bound::Unlimited => u64::MAX,
    }
}

/// What a pid namespace says about its numbers.
#[derive(Debug)]
struct Numbers {
    /// The two files, one after the other.
    text: String,
    source: String,
    command: String,
}

impl Numbers {
    fn here() -> Self {
        let text = [PID_MAX, LOADAVG].map(|path| fs::read_to_string(path).unwrap_or_default());
        Self { text: text.concat(), source: PID_MAX.into(), command: COMMAND.into() }
    }

    /// The kernel answers for the namespace of whoever reads, so somebody goes in to read.
    fn inside(process: &Process) -> Self {
        let pid = process.folder.trim_start_matches("/proc/");
        let mut inside = Command::new("nsenter");
        inside.args(["--target", pid, "--pid", "cat", PID_MAX, LOADAVG]).stderr(Stdio::null());
        let output = inside.output().ok().filter(|output| output.status.success());
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let source = format!("{PID_MAX} in the pid namespace of {pid}");
        let command = format!("nsenter --target {pid} --pid {COMMAND}");
        Self { text: text.unwrap_or_default(), source, command }
    }

    /// What they leave, where others and the server itself have these numbers.
    fn setting(&self, others: &[u64], own: &[u64]) -> Setting {
        let most = self.text.split_whitespace().next().and_then(|word| word.parse().ok());
        // The last number that was dealt out: in a young namespace the first round still goes on.
        let last = self.text.split_whitespace().last().and_then(|word| word.parse::<u64>().ok());
        let first = last.map_or(RESERVED, |last| RESERVED.min(last + 1));
        let others = others.iter().filter(|&&number| number >= first).count() as u64;
        // Those that the server has among them are not missed a second time.
        let reserved = first - own.iter().filter(|&&number| number < first).count() as u64;
        let bound = most.map_or(Bound::Unknown, Bound::AtMost);
        let setting = Setting::new(Limit::PidMax, &self.source, bound).used(Some(others));
        Setting { reserved, ..setting.set_by(&self.command).up_to(CEILING) }
    }
}

/// The numbers that threads have in our own namespace, except those of the server.
fn all_threads(server: &Process) -> Vec<u64> {
    processes().filter(|&pid| server.pid() != Some(pid)).flat_map(threads).collect()
}

/// The numbers that the server's threads have in our own namespace.
fn own_threads(server: &Process) -> Vec<u64> {
    server.pid().map(|pid| threads(pid).collect()).unwrap_or_default()
}

/// The numbers that threads have in that namespace, except those of the server.
fn threads_inside(namespace: &Path, server: &Process) -> Vec<u64> {
    let inside = |pid: &u32| {
        let own = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        server.pid() != Some(*pid) && own.as_deref() == Some(namespace)
    };
    processes().filter(inside).flat_map(numbers_inside).collect()
}

/// The numbers that a process's threads have in their own namespace.
fn numbers_inside(pid: u32) -> Vec<u64> {
    threads(pid).map(|thread| last_number(pid, thread)).collect()
}

/// The numbers of a process's threads, as seen from here.
fn threads(pid: u32) -> impl Iterator<Item = u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The number of a thread in its own namespace; 0 when it has gone.
fn last_number(pid: u32, thread: u64) -> u64 {
    let path = format!("/proc/{pid}/task/{thread}/status");
    let status = fs::read_to_string(path).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;

    fn numbers(last: u64) -> Numbers {
        let text = format!("1000\n0.1 0.2 0.3 1/80 {last}\n");
        Numbers { text, source: "planted".into(), command: COMMAND.into() }
    }

    #[test]
    fn after_the_first_round_the_lowest_numbers_are_not_dealt_out_again() {
        let setting = numbers(700).setting(&[1, 2, 299, 300, 900], &[500]);
        assert_eq!((setting.reserved, setting.others), (300, Some(2)));
        assert_eq!(setting.left(), Bound::AtMost(1_000 - 300 - 2));
    }

    #[test]
    fn in_a_young_namespace_they_still_are() {
        let setting = numbers(4).setting(&[2, 4], &[]);
        assert_eq!(setting.left(), Bound::AtMost(1_000 - 5));
        // The server's own are counted as the server's, not as lost.
        assert_eq!(numbers(4).setting(&[2], &[1, 3]).left(), Bound::AtMost(1_000 - 5 + 2));
    }

    #[test]
    fn what_nobody_could_read_is_unknown() {
        let nothing = Numbers { text: String::new(), ..numbers(1) };
        assert_eq!(nothing.setting(&[], &[]).left(), Bound::Unknown);
    }

    #[test]
    fn every_thread_that_lives_here_has_a_number() {
        let nobody = Process::read(Subject::Child);
        let own = u64::from(std::process::id());
        assert!(all_threads(&nobody).contains(&own));
        let itself = Process::read(Subject::Running(std::process::id()));
        assert!(!all_threads(&itself).contains(&own));
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
        assert!(threads_inside(&namespace, &nobody).iter().any(|&number| number > 0));
    }
}
