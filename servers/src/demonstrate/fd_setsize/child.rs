//! Processes for what may end them.
//!
//! Each is this program again. It dies with us, leaves no core, and the kernel ends it after a
//! while: so nothing here needs a clock of its own.

use std::fmt;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context;
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{alarm, getpid, getppid};
use serde::Serialize;

/// How long a process may live, in seconds (alarm(2) outlives exec): far longer than any takes.
const LIFE_MAX: u32 = 60;
/// What a Rust program exits with after a panic of its first thread.
const PANIC: i32 = 101;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// By itself.
    Exited {
        /// 0 is fine.
        status: i32,
    },
    /// By a signal.
    Killed {
        /// Its name.
        signal: String,
    },
}

impl From<ExitStatus> for Outcome {
    fn from(status: ExitStatus) -> Self {
        // Whoever has ended has a status or a signal.
        let number = status.signal().unwrap_or_default();
        let name =
            || Signal::try_from(number).map_or_else(|_| number.to_string(), |s| s.to_string());
        let killed = || Self::Killed { signal: name() };
        status.code().map_or_else(killed, |status| Self::Exited { status })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { status: 0 } => write!(f, "goes on (exit status 0)"),
            Self::Exited { status: PANIC } => write!(f, "panics (exit status {PANIC})"),
            Self::Exited { status } => write!(f, "gives up (exit status {status})"),
            Self::Killed { signal } => write!(f, "is killed by {signal}"),
        }
    }
}

/// Puts a descriptor into a set in a process of its own: how that ended, and its words about it.
///
/// # Errors
/// When no process can be made.
pub(super) fn store(way: &str) -> anyhow::Result<(Outcome, String)> {
    let mut command = command(&["demonstrate", "fd-setsize", "--way", way])?;
    let ended = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let ended = ended.context("cannot start a process")?;
    let words = if ended.status.success() { &ended.stdout } else { &ended.stderr };
    Ok((ended.status.into(), telling(&String::from_utf8_lossy(words)).into()))
}

/// Makes sure that this process leaves no core: RLIMIT_CORE does not hold for one that goes to a
/// program (core(5)).
///
/// # Errors
/// When the kernel refuses.
pub(super) fn without_core() -> anyhow::Result<()> {
    set_dumpable(false).context("cannot do without a core")
}

/// This program again, with these arguments.
///
/// # Errors
/// When the kernel does not tell which program this is.
pub(super) fn command(arguments: &[&str]) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program again")?;
    let mut command = Command::new(program);
    // The C library's last words are for standard error, not for a terminal.
    command.args(arguments).env("LIBC_FATAL_STDERR_", "1").env("RUST_BACKTRACE", "0");
    let parent = getpid();
    let prepare = move || -> io::Result<()> {
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            // It died before that, and nobody would tell.
            return Err(io::ErrorKind::NotFound.into());
        }
        alarm::set(LIFE_MAX);
        Ok(setrlimit(Resource::RLIMIT_CORE, 0, 0)?)
    };
    // SAFETY: the closure makes four system calls; it neither allocates nor takes a lock.
    unsafe { command.stdin(Stdio::null()).pre_exec(prepare) };
    Ok(command)
}

/// The line that tells what happened; not where in whose source, nor how to learn more.
fn telling(words: &str) -> &str {
    let mut lines = words.lines().map(str::trim);
    let tells = |line: &&str| !line.is_empty() && !line.starts_with("thread '");
    lines.find(tells).unwrap_or("(without a word)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_panic_the_message_tells() {
        let words = "\nthread 'main' (7) panicked at src/a.rs:1:2:\nnot below 1024\nnote: run with";
        assert_eq!(telling(words), "not below 1024");
        assert_eq!(telling("\n"), "(without a word)");
    }

    #[test]
    fn an_end_is_a_status_or_a_signal() {
        let ended = |raw| Outcome::from(ExitStatus::from_raw(raw)).to_string();
        assert_eq!(ended(0), "goes on (exit status 0)");
        assert_eq!(ended(101 << 8), "panics (exit status 101)");
        assert_eq!(ended(1 << 8), "gives up (exit status 1)");
        assert_eq!(ended(6), "is killed by SIGABRT");
    }
}
