//! When a trial is in its middle: all connections are there, and all clients have had their answer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::moment::pause;
use crate::launch::child::Child;

/// Connections a second that a model makes at the very least, each with a first answer.
const PACE: u64 = 2_000;
/// For the number of connections to settle, at least.
const MARGIN: Duration = Duration::from_secs(20);
/// Between two looks at the number of connections, and how many equal ones end the waiting.
const LOOK: Duration = Duration::from_millis(100);
const EQUAL: u32 = 5;
/// As `EQUAL`, where some clients are missing: a SYN that finds no room in the accept queue is sent
/// again after 1, 3, 7 and 15 seconds (RFC 6298).
const EQUAL_BELOW: u32 = 160;
/// Between two looks at whether the load generator is at rest: with a slow server it does little.
const REST: Duration = Duration::from_secs(1);

/// Waits until the load generator holds so many connections, or as many as it will ever get. It
/// opens sockets faster than a server accepts, so the other ends have to be there, too.
pub(super) fn until_held(connections: u64, load: &Child) -> Result<()> {
    let deadline = Instant::now() + MARGIN + Duration::from_secs(connections / PACE);
    let (mut last, mut equal) = (0, 0);
    while Instant::now() < deadline {
        pause(LOOK)?;
        let now = descriptors(load.pid())?.min(sockets()? / 2);
        equal = if now == last || now > connections { equal + 1 } else { 0 };
        last = now;
        if equal >= if now >= connections { EQUAL } else { EQUAL_BELOW } {
            break;
        }
    }
    until_rest(load, deadline)
}

/// Waits until the load generator is at rest: each client is answered once when all are connected,
/// and with a million of them that takes a while, in which no memory moves. A server may never
/// rest: poll looks through its whole list at each tick of its clock.
fn until_rest(load: &Child, deadline: Instant) -> Result<()> {
    let mut before = cpu_time(load.pid())?;
    while Instant::now() < deadline {
        pause(REST)?;
        let now = cpu_time(load.pid())?;
        if now - before <= REST / 100 {
            break;
        }
        before = now;
    }
    Ok(())
}

/// CPU time of a process: user and system time of `/proc/PID/stat`, in hundredths of a second
/// (proc_pid_stat(5)).
fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).context("a process ended too early")?;
    // The name of the program comes second, and may have anything in it.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let times = fields.split(' ').skip(11).take(2).filter_map(|time| time.parse::<u64>().ok());
    Ok(Duration::from_millis(times.sum::<u64>() * 10))
}

/// TCP sockets of the host in any state but the last: `inuse` of `/proc/net/sockstat`.
fn sockets() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").context("reading /proc/net/sockstat")?;
    let tcp = text.lines().find_map(|line| line.strip_prefix("TCP: inuse ")).unwrap_or_default();
    Ok(tcp.split_whitespace().next().and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// Open descriptors of a process in all its tables. The size of /proc/PID/fd is their number (since
/// Linux 6.2); to list them would make an inode and a name in /proc for each, which is memory, too.
fn descriptors(pid: u32) -> Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let size = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    let tables = fs::read_dir(&tasks).context("the load generator ended too early")?;
    let tables: Vec<_> = tables.flatten().map(|task| size(&task.path().join("fd"))).collect();
    // Threads that share a table all show the same number.
    let shared = tables.windows(2).all(|pair| pair[0] == pair[1]);
    Ok(if shared { tables.first().copied().unwrap_or(0) } else { tables.iter().sum() })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_cpu_time_of_a_process_grows_with_its_work() {
        let before = cpu_time(std::process::id()).unwrap();
        let start = Instant::now();
        while cpu_time(std::process::id()).unwrap() < before + Duration::from_millis(30) {
            assert!(start.elapsed() < Duration::from_secs(60), "it works all the time");
        }
    }

    #[test]
    fn descriptors_are_counted_without_a_look_at_each() {
        let with = |script: &str| {
            let mut shell = Command::new("sh");
            let mut child = shell
                .args(["-c", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = [0];
            child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
            let count = descriptors(child.id()).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            count
        };
        let few = with("echo; read line");
        assert_eq!(with("exec 7</dev/null 8</dev/null; echo; read line"), few + 2);
    }
}
