//! Numbers for processes and threads: kernel.pid_max, in each pid namespace that a process is in.
//!
//! A thread has a number in its own pid namespace and in all above it, and needs a free one in each
//! (pid_namespaces(7)). The kernel deals numbers out upwards and starts over at 300: those below are
//! used only before the first round is over.

use std::fs;
use std::path::{Path, PathBuf};
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
    let spaces = [Some("/proc/self".to_owned()), Some(process.folder.clone())];
    let [own, theirs] = spaces.map(|folder| fs::read_link(format!("{}/ns/pid", folder?)).ok());
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let here = Numbers {
        pid_max: read(PID_MAX),
        loadavg: read(LOADAVG),
        source: PID_MAX.into(),
        command: COMMAND.into(),
    };
    let here = here.setting(all_threads(process));
    match (own, theirs) {
        (Some(own), Some(theirs)) if own == theirs => here,
        (Some(_), Some(theirs)) => {
            let there = Numbers::inside(process).setting(threads_inside(&theirs, process));
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
    pid_max: String,
    loadavg: String,
    source: String,
    command: String,
}

impl Numbers {
    /// The kernel answers for the namespace of whoever reads, so somebody goes in to read.
    fn inside(process: &Process) -> Self {
        let pid = process.folder.trim_start_matches("/proc/");
        let read = |path: &str| {
            let mut inside = Command::new("nsenter");
            inside.args(["--target", pid, "--pid", "cat", path]).stderr(Stdio::null());
            let output = inside.output().ok().filter(|output| output.status.success());
            output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into())
        };
        let source = format!("{PID_MAX} in the pid namespace of {pid}");
        let command = format!("nsenter --target {pid} --pid {COMMAND}");
        Self { pid_max: read(PID_MAX), loadavg: read(LOADAVG), source, command }
    }

    /// `taken` are the numbers of all threads that live there, without those of the server.
    fn setting(&self, taken: Vec<u64>) -> Setting {
        let most = self.pid_max.trim().parse().map_or(Bound::Unknown, Bound::AtMost);
        // The last number that was dealt out; in a young namespace the first round still goes on.
        let last = self.loadavg.split_whitespace().last().and_then(|word| word.parse::<u64>().ok());
        let reserved = last.map_or(RESERVED, |last| RESERVED.min(last + 1));
        let others = taken.into_iter().filter(|&number| number >= reserved).count() as u64;
        let setting = Setting::new(Limit::PidMax, &self.source, most).used(Some(others));
        Setting { reserved, ..setting.set_by(&self.command).up_to(CEILING) }
    }
}

/// The numbers that threads have in our own namespace, except those of the server.
fn all_threads(server: &Process) -> Vec<u64> {
    processes().filter(|&pid| server.pid() != Some(pid)).flat_map(threads).collect()
}

/// The numbers that threads have in that namespace, the last of theirs, except those of the server.
fn threads_inside(namespace: &Path, server: &Process) -> Vec<u64> {
    let inside = |pid: &u32| {
        let own: Option<PathBuf> = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        server.pid() != Some(*pid) && own.as_deref() == Some(namespace)
    };
    let there = processes().filter(inside);
    there.flat_map(|pid| threads(pid).map(move |thread| last_number(pid, thread))).collect()
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

    fn numbers(loadavg: &str) -> Numbers {
        let [pid_max, source, command] = ["1000\n", "planted", COMMAND].map(String::from);
        Numbers { pid_max, loadavg: loadavg.into(), source, command }
    }

    #[test]
    fn after_the_first_round_the_lowest_numbers_are_not_dealt_out_again() {
        let setting = numbers("0.1 0.2 0.3 1/80 700").setting(vec![1, 2, 299, 300, 900]);
        assert_eq!((setting.reserved, setting.others), (300, Some(2)));
        assert_eq!(setting.left(), Bound::AtMost(1_000 - 300 - 2));
    }

    #[test]
    fn in_a_young_namespace_they_still_are() {
        let setting = numbers("0.1 0.2 0.3 1/80 4").setting(vec![1, 2, 4]);
        assert_eq!(setting.left(), Bound::AtMost(1_000 - 5));
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
