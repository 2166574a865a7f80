//! The program `ip` (ip(8) of iproute2), which puts a plan into effect, and says when it is so.

use std::io::{self, ErrorKind, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::fault::{Fault, Missing};
use super::namespace::Namespace;

/// How long the kernel may take to have an interface send, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has `ip` carry out lines of commands in a namespace; it stops at the first that fails.
pub(super) fn carry_out(lines: &str, namespace: &Namespace) -> Result<(), Fault> {
    ip(&["-batch", "-"], lines, namespace).map(drop)
}

/// Returns when all interfaces of a namespace that are switched on send. The kernel notices on a
/// thread of its own that both ends of a cable are on, and drops what is sent before.
pub(super) fn until_up(namespace: &Namespace) -> Result<(), Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A line for each interface.
        let shown = ip(&["-oneline", "link", "show", "up"], "", namespace)?;
        let Some(line) = shown.lines().find(|line| !sends(line)) else { return Ok(()) };
        if Instant::now() >= deadline {
            let words = format!("an interface does not come up: {line}");
            return Err(Fault::Failed(io::Error::new(ErrorKind::TimedOut, words)));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A loopback interface has no state.
fn sends(line: &str) -> bool {
    line.contains(" state UP ") || line.contains("LOOPBACK")
}

/// Runs `ip` in a namespace. Returns what it prints.
fn ip(words: &[&str], input: &str, namespace: &Namespace) -> Result<String, Fault> {
    let mut ip = Command::new("ip");
    ip.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    namespace.holds(&mut ip)?;
    let mut ip = ip.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Fault::Missing(Missing::Tool),
        _ => error.into(),
    })?;
    if let Some(mut into) = ip.stdin.take() {
        into.write_all(input.as_bytes())?;
    }
    let ended = ip.wait_with_output()?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr).trim().replace('\n', "; ");
    let told = format!("ip {}: {said}; it was to do:\n{input}", words.join(" "));
    Err(Fault::Failed(io::Error::other(told)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_sends_when_its_state_is_up_and_a_loopback_always() {
        let line = |name: &str, flags: &str, state: &str| {
            format!("2: {name}: <{flags}> mtu 1500 qdisc noqueue state {state} mode DEFAULT")
        };
        assert!(sends(&line("eth0@if3", "BROADCAST,MULTICAST,UP,LOWER_UP", "UP")));
        assert!(sends(&line("lo", "LOOPBACK,UP,LOWER_UP", "UNKNOWN")));
        assert!(!sends(&line("eth0@if3", "NO-CARRIER,BROADCAST,MULTICAST,UP", "LOWERLAYERDOWN")));
        assert!(!sends(&line("eth0@if3", "BROADCAST,MULTICAST,UP,LOWER_UP", "UNKNOWN")));
    }
}
