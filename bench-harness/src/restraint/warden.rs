//! A small process that outlives this one, and puts the host back as it was.
//!
//! It holds the read end of a pipe. Each change is told to it before it is made; when the other end
//! closes, it undoes all of them. The kernel closes that end however this process ends: in good
//! order, after Ctrl-C, by a panic, by SIGKILL. So there is one way back for all cases, and the
//! plain one tests it each time. A lock that the warden holds lets only one run at a time change
//! the host; it is free again when everything has been undone.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::setsid;

use super::change::{Change, undo_all};
use crate::fault::Unfit;

/// What the warden says when it has the lock, and when it has noted a change.
const READY: &str = "ready";
const NOTED: &str = "noted";

/// How long to wait before asking for the lock again.
const PAUSE: Duration = Duration::from_millis(100);

/// The warden, from the side of who changes the host. Dropping it undoes all changes.
#[derive(Debug)]
pub struct Warden {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    noted: Vec<Change>,
}

impl Warden {
    /// Starts one: `program` is this one, and `warden` its sub-command. Another run that changes
    /// the host is waited for, for at most `patience`.
    ///
    /// # Errors
    /// [`Unfit`] when the other run goes on for longer; otherwise why it does not start.
    pub fn post(program: &Path, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            let (warden, said) = Self::start(program)?;
            if said == READY {
                return Ok(warden);
            }
            if Instant::now() >= deadline {
                return Err(Unfit(said).into());
            }
            sleep(PAUSE);
        }
    }

    fn start(program: &Path) -> Result<(Self, String)> {
        let mut command = Command::new(program);
        command.arg("warden").stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: setsid(2) is a system call; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(|| Ok(setsid().map(drop)?)) };
        let mut process =
            command.spawn().with_context(|| format!("starting {} warden", program.display()))?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().context("the warden has no standard output")?;
        let answers = BufReader::new(answers);
        let mut warden = Self { process, orders, answers, noted: Vec::new() };
        let said = warden.answer()?;
        Ok((warden, said))
    }

    /// Tells it of a change that is about to be made. When this returns, it will be undone.
    pub(super) fn note(&mut self, change: Change) -> Result<()> {
        let orders = self.orders.as_mut().context("the warden has been released")?;
        orders.write_all(change.line().as_bytes()).context("the warden does not listen")?;
        match self.answer()?.as_str() {
            NOTED => self.noted.push(change),
            odd => bail!("the warden did not note a change of the host but said `{odd}`"),
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the warden does not answer")?;
        Ok(line.trim_end().to_owned())
    }

    /// Undoes all changes, and says whether that worked.
    ///
    /// # Errors
    /// What could not be undone, and how to do it by hand.
    pub fn release(mut self) -> Result<()> {
        self.undo()
    }

    /// By the warden, or by this process if that one has been killed.
    fn undo(&mut self) -> Result<()> {
        if self.orders.take().is_none() {
            return Ok(());
        }
        match self.process.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Ok(undo_all(&self.noted)?),
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            eprintln!("bench-harness: {error:#}");
        }
    }
}

/// What the process does that `warden` starts.
///
/// # Errors
/// What could not be undone; also when standard input is not what [`Warden`] writes.
pub fn stand() -> Result<()> {
    // Whoever wants the run to end means the harness; what is to be undone is undone after that.
    for name in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGPIPE] {
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe { signal(name, SigHandler::SigIgn) }.context("ignoring a signal")?;
    }
    let lock = match lock(&place())? {
        Ok(lock) => lock,
        Err(holder) => return say(&busy(&holder)),
    };
    say(READY)?;
    watch(&mut io::stdin().lock())?;
    drop(lock);
    Ok(())
}

/// Notes what it is told until the other side is gone, and undoes it then.
fn watch(orders: &mut impl BufRead) -> Result<()> {
    let mut noted = Vec::new();
    let mut line = String::new();
    // A line that was cut off, or that can't be read, tells of a change that was never made.
    while orders.read_line(&mut line).is_ok_and(|octets| octets > 0) && line.ends_with('\n') {
        let Some(change) = Change::parse(&line) else {
            say("that is no change of the host")?;
            break;
        };
        noted.push(change);
        // Who does not hear the answer any more has not made the change, and undoing it is no harm.
        let _ = say(NOTED);
        line.clear();
    }
    Ok(undo_all(&noted)?)
}

fn say(words: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "{words}").and_then(|()| out.flush())?)
}

fn busy(holder: &str) -> String {
    format!(
        "process {holder} has changed limits of this host for a run of its own; start this one \
         again when that one has ended"
    )
}

/// Where the lock is: the same place for all runs on this host.
fn place() -> PathBuf {
    let folder = Path::new("/run/lock");
    let folder = if folder.is_dir() { folder.to_owned() } else { std::env::temp_dir() };
    folder.join("bench-harness.lock")
}

/// Takes the lock, or says which process has it.
fn lock(path: &Path) -> Result<Result<Flock<File>, String>> {
    let file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .with_context(|| format!("opening the lock {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            lock.set_len(0)?;
            lock.rewind()?;
            // The process that people know is the one that started this.
            write!(&mut *lock, "{}", nix::unistd::getppid())?;
            Ok(Ok(lock))
        }
        Err((mut file, _)) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).context("reading the lock")?;
            Ok(Err(holder))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn when_the_other_side_is_gone_what_it_told_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        fs::write(&path, "new").unwrap();
        let told = Change::Value { path: path.clone(), old: "old".into() }.line();
        watch(&mut told.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_obeyed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        fs::write(&path, "12345").unwrap();
        let told = format!("value\t{}\t1", path.display());
        watch(&mut told.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "12345");
    }

    #[test]
    fn one_at_a_time_has_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock(&path).unwrap().unwrap();
        let holder = lock(&path).unwrap().unwrap_err();
        assert_eq!(holder, nix::unistd::getppid().to_string());
        drop(first);
        assert!(lock(&path).unwrap().is_ok());
    }
}
