//! A ruler as a process of its own, so that it shares no thread, no lock and no scheduler's credit
//! with the load generator.
//!
//! It is this very program, executed again. It says where it listens on its first line, and how
//! late it was on its last one. It ends when its standard input does: when that is closed, or when
//! the process that started it is gone, however that came.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::prctl::set_timerslack;

use super::discipline::Discipline;
use super::lateness::Lateness;
use super::ruler::{Between, Server};
use crate::engine::pin;
use crate::failure::Failure;

/// What the first line begins with.
const GREETING: &str = "listening ";

/// What the last line begins with.
const FAREWELL: &str = "late ";

/// A ruler that runs; it ends with this.
#[derive(Debug)]
pub(crate) struct Ruler {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Ruler {
    /// Starts one. With a CPU to itself it spins, without one it sleeps.
    ///
    /// # Errors
    /// If it can't be started.
    pub(crate) fn start(discipline: Discipline, cpu: Option<usize>) -> Result<Self, Failure> {
        let child = command(discipline, cpu).and_then(|mut command| command.spawn());
        let mut child = child.map_err(|error| failed("can't be started", &error))?;
        match child.stdout.take() {
            Some(output) => Ok(Self { child, output: BufReader::new(output) }),
            None => Err(failed("has no output", &io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If it doesn't say so.
    pub(crate) fn address(&mut self) -> Result<SocketAddr, Failure> {
        self.line(GREETING, |text| text.parse().ok())
    }

    /// Ends it, and asks how late it was.
    ///
    /// # Errors
    /// If it had ended before.
    pub(crate) fn end(mut self) -> Result<Lateness, Failure> {
        drop(self.child.stdin.take());
        self.line(FAREWELL, Lateness::parse)
    }

    fn line<T>(&mut self, begin: &str, read: fn(&str) -> Option<T>) -> Result<T, Failure> {
        let mut line = String::new();
        let outcome = self.output.read_line(&mut line);
        outcome.map_err(|error| failed("can't be read", &error))?;
        let value = line.trim_end().strip_prefix(begin).and_then(read);
        value.ok_or_else(|| {
            Failure::Failed(format!(
                "the server of the calibration said {line:?} in place of {begin:?}"
            ))
        })
    }
}

impl Drop for Ruler {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(discipline: Discipline, cpu: Option<usize>) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["calibrate", "--serve", &discipline.to_string()]);
    if let Some(cpu) = cpu {
        command.args(["--cpu", &cpu.to_string()]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

/// Is such a process: serves until standard input ends.
///
/// # Errors
/// If the host refuses a socket or the CPU.
pub(crate) fn serve(discipline: Discipline, cpu: Option<usize>) -> Result<(), Failure> {
    if let Some(cpu) = cpu {
        pin(&[cpu])?;
    }
    let _ = set_timerslack(1000);
    let between = if cpu.is_some() { Between::Spin } else { Between::Sleep };
    greet_and_serve(discipline, between).map_err(|error| failed("can't go on", &error))
}

fn greet_and_serve(discipline: Discipline, between: Between) -> io::Result<()> {
    let mut server = Server::listen(discipline, between)?;
    server.end_with_input()?;
    let mut output = io::stdout();
    writeln!(output, "{GREETING}{}", server.address()?)?;
    output.flush()?;
    server.serve()?;
    writeln!(output, "{FAREWELL}{}", server.lateness())
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Failed(format!("the server of the calibration {what}: {error}"))
}
