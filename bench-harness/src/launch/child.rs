//! A child process that never outlives its guard, nor this process.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::pinning;
use crate::interrupt;
use crate::restraint::{Bonds, Events};

/// How often a wait looks whether the user wants to stop: a signal may arrive just before the wait.
const GLANCE_MS: u8 = 200;

/// How much of a child's standard error is worth repeating, in octets.
const LAST_WORDS: usize = 600;

/// A running child with its two outputs.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: process::Child,
    stdout: ChildStdout,
    stderr: File,
    pending: Vec<u8>,
    /// The last field, since its cgroups can go only when the process has gone.
    bonds: Bonds,
}

/// How a child ended, and what it left.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status, or the signal that ended it.
    pub status: ExitStatus,
    /// What was left of its standard output.
    pub output: String,
    /// The end of its standard error, in one line.
    pub words: String,
    /// What its cgroups had to deny it.
    pub events: Events,
}

impl Child {
    /// Starts a program on the given CPUs.
    ///
    /// # Errors
    /// When the program is not there or can't be started.
    pub fn start(program: &Path, arguments: &[String], cpus: &[usize]) -> Result<Self> {
        Self::bound(program, arguments, cpus, Bonds::default())
    }

    /// The same, under limits of its own.
    ///
    /// # Errors
    /// The same, and when a limit can't be set.
    pub fn bound(
        program: &Path,
        arguments: &[String],
        cpus: &[usize],
        bonds: Bonds,
    ) -> Result<Self> {
        let name =
            program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        // A memory file rather than a pipe: a talkative child never blocks on it.
        let stderr = File::from(memfd_create(c"stderr", MFdFlags::MFD_CLOEXEC)?);
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(stderr.try_clone()?);
        // A group of its own: Ctrl-C reaches the harness alone, which then ends its children.
        command.process_group(0);
        before_exec(&mut command, cpus, &bonds)?;
        let birthplace = bonds.birthplace()?;
        let spawned = command.spawn();
        drop(birthplace);
        let mut process = spawned.with_context(|| starting(program, &bonds))?;
        let stdout = process.stdout.take().context("the child has no standard output")?;
        Ok(Self { name, process, stdout, stderr, pending: Vec::new(), bonds })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What its memory cgroup holds now, in octets, where it has one of its own.
    #[must_use]
    pub fn charged(&self) -> Option<u64> {
        self.bonds.charged()
    }

    /// The next line of its standard output.
    ///
    /// # Errors
    /// When there is none within `patience`.
    pub fn line(&mut self, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(end) = self.pending.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.read_some(deadline)? == 0 {
                bail!("{} ended without a line{}", self.name, self.last_words());
            }
        }
    }

    /// All that is left of its standard output, up to its end.
    ///
    /// # Errors
    /// When it does not end within `patience`, or not with status 0.
    pub fn finish(&mut self, patience: Duration) -> Result<String> {
        let ended = self.end(patience)?;
        if !ended.status.success() {
            bail!("{} {}{}", self.name, ending(ended.status), self.last_words());
        }
        Ok(ended.output)
    }

    /// Waits for its end, whatever that is.
    ///
    /// # Errors
    /// When it does not end within `patience`.
    pub fn end(&mut self, patience: Duration) -> Result<Ended> {
        let deadline = Instant::now() + patience;
        while self.read_some(deadline)? > 0 {}
        let status = self.process.wait()?;
        let output = String::from_utf8_lossy(&self.pending).into_owned();
        Ok(Ended { status, output, words: self.words(), events: self.bonds.events() })
    }

    /// Asks it to end: SIGTERM.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn terminate(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!(
                "{} had {} before it was stopped{}",
                self.name,
                ending(status),
                self.last_words()
            );
        }
        let pid = Pid::from_raw(self.process.id().cast_signed());
        kill(pid, Signal::SIGTERM).with_context(|| format!("stopping {}", self.name))
    }

    /// Reads what there is; 0 at the end of the output.
    fn read_some(&mut self, deadline: Instant) -> Result<usize> {
        self.wait_for_output(deadline)?;
        let mut piece = [0; 16 * 1024];
        let count = self.stdout.read(&mut piece)?;
        self.pending.extend(piece.iter().take(count));
        Ok(count)
    }

    fn wait_for_output(&self, deadline: Instant) -> Result<()> {
        loop {
            if interrupt::requested() {
                bail!("interrupted");
            }
            let mut ready = [PollFd::new(self.stdout.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::from(GLANCE_MS)) {
                Ok(0) | Err(Errno::EINTR) if Instant::now() >= deadline => {
                    bail!("{} took too long and was killed{}", self.name, self.last_words())
                }
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error).context("waiting for a child"),
            }
        }
    }

    fn last_words(&self) -> String {
        let words = self.words();
        if words.is_empty() { words } else { format!(": {words}") }
    }

    /// The end of its standard error, in one line.
    fn words(&self) -> String {
        let mut words = String::new();
        let read = self.stderr.try_clone().and_then(|mut file| {
            file.seek(SeekFrom::Start(0))?;
            file.read_to_string(&mut words)
        });
        read.map_or_else(|_| String::new(), |_| tail(words.trim()).replace('\n', "; "))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when the child is gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What happens between fork and exec: the child gets its CPUs and its limits, and dies with its
/// parent. That comes last, since a change of user takes it back (prctl(2)).
fn before_exec(command: &mut Command, cpus: &[usize], bonds: &Bonds) -> Result<()> {
    let set = pinning::set(cpus).context("choosing CPUs")?;
    let knot = bonds.knot().context("preparing limits")?;
    let prepare = move || -> io::Result<()> {
        pinning::pin(&set)?;
        knot.tie()?;
        Ok(set_pdeathsig(Signal::SIGKILL)?)
    };
    // SAFETY: the closure makes a few system calls; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
    Ok(())
}

fn starting(program: &Path, bonds: &Bonds) -> String {
    let user = bonds.user().map_or_else(String::new, |user| {
        format!(" as user {user}, who has to be able to read it and to enter all folders above it")
    });
    format!("starting {}{user}", program.display())
}

/// How a process ended, after its name.
pub(crate) fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(
        || format!("was ended by {status}"),
        |code| format!("ended with status {code}"),
    )
}

fn tail(words: &str) -> &str {
    let start = words.len().saturating_sub(LAST_WORDS);
    let start = (start..words.len()).find(|at| words.is_char_boundary(*at)).unwrap_or(0);
    &words[start..]
}
