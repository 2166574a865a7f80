//! A child process that ends with us.
//!
//! Its end is seen through a pidfd (pidfd_open(2)): a descriptor that becomes readable when the
//! process ends, and that means this process for ever. A pid would mean another one after a while,
//! and a signal sent to it would hit that.
//!
//! It leads a process group (setpgid(2)): a wrapper may have started the server in its turn, and
//! what it leaves behind when it ends is killed, too.
//!
//! Who is started here dies with us even when we are killed by SIGKILL: PR_SET_PDEATHSIG
//! (prctl(2)). *Us* is the **thread** that starts it; so that thread must not end before its
//! process has. That holds for the process itself only; so a wrapper should rather become the
//! server (`exec`) than start one.

use std::ffi::OsString;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{self, SigSet};
use nix::unistd::{getpid, getppid};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::leash::ready_by;
use super::name::Name;

/// The longest first line.
const LINE_MAX: usize = 256;

/// What is started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it is told that it is called (argv[0]).
    pub(crate) name: OsString,
    /// Its arguments; others follow that say whose process it is.
    pub(crate) arguments: Vec<String>,
}

/// A running process, killed with its group when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    out: Option<ChildStdout>,
    pidfd: OwnedFd,
}

/// What its standard output has said so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Where it listens: on the loopback interface, as it was told to.
    Address(SocketAddr),
    /// Not yet a whole line.
    More,
    /// Something else.
    Nonsense(String),
}

impl Program {
    /// Starts it, as the server of that number, for the replica of that name.
    ///
    /// # Errors
    /// When there is no such file, or no room for another process or another descriptor.
    pub(crate) fn start(&self, id: u64, replica: &Name) -> io::Result<Process> {
        let mut child = self.command(id, replica).spawn()?;
        let out = child.stdout.take();
        // As long as nobody has waited for it, its pid is its own, even when it has ended.
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Process { child, out, pidfd }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error.into())
            }
        }
    }

    fn command(&self, id: u64, replica: &Name) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name);
        command.args(&self.arguments).args(["--server-id", &id.to_string()]);
        // In one word: a name may begin with a hyphen.
        command.arg(format!("--name={replica}"));
        // In a group of its own; so a Ctrl-C on the terminal is for us, who drain first.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let parent = getpid();
        let prepare = move || -> io::Result<()> {
            // We hear our signals through a descriptor and block them; a program that does not
            // expect that, such as a shell, would never see its SIGTERM.
            SigSet::empty().thread_set_mask()?;
            set_pdeathsig(signal::Signal::SIGKILL)?;
            // If that came too late, the parent has changed.
            if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        };
        // SAFETY: the closure makes three system calls; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(prepare) };
        command
    }
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Readable when it has ended.
    pub(crate) fn end(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether it has.
    pub(crate) fn has_ended(&self) -> bool {
        self.ends_by(Instant::now())
    }

    fn ends_by(&self, until: Instant) -> bool {
        ready_by(PollFd::new(self.end(), PollFlags::POLLIN), until)
    }

    /// Readable when it has said something, or will say no more.
    pub(crate) fn output(&self) -> BorrowedFd<'_> {
        self.out.as_ref().map_or_else(|| self.end(), AsFd::as_fd)
    }

    /// Reads what it has said, once, and adds it to the `line`.
    pub(crate) fn listen(&mut self, line: &mut Vec<u8>) -> io::Result<Said> {
        let mut octets = [0; LINE_MAX];
        let count = self.out.as_mut().map_or(Ok(0), |out| out.read(&mut octets))?;
        line.extend_from_slice(&octets[..count]);
        let closed = count == 0;
        Ok(if closed { Said::Nonsense(shown(line)) } else { understood(line) })
    }

    /// Lets go what it has said since. One who writes to a pipe that is full waits, and serves
    /// nobody meanwhile (pipe(7)).
    pub(crate) fn overhear(&mut self) {
        let mut octets = [0; 4096];
        if self.out.as_mut().is_some_and(|out| matches!(out.read(&mut octets), Ok(0))) {
            self.out = None;
        }
    }

    /// Ends it in order: SIGTERM, so that it may finish what it has been asked, and SIGKILL after
    /// `patience`.
    pub(crate) fn stop(self, patience: Duration) -> io::Result<ExitStatus> {
        // A failure can only mean that it has ended already.
        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        self.ends_by(Instant::now() + patience);
        self.finish()
    }

    /// Ends it and all of its group at once, even if they are stopped.
    pub(crate) fn finish(mut self) -> io::Result<ExitStatus> {
        self.kill();
        self.child.wait()
    }

    fn kill(&self) {
        // As above. It may have gone to another group.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        // As long as nobody has waited for it, no other group has its number.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // It is dead, or the kernel has failed us.
        let _ = self.child.wait();
    }
}

fn understood(line: &[u8]) -> Said {
    let Some(end) = line.iter().position(|octet| *octet == b'\n') else {
        return if line.len() < LINE_MAX { Said::More } else { Said::Nonsense(shown(line)) };
    };
    let text = String::from_utf8_lossy(&line[..end]);
    let address = text.trim_end().strip_prefix("listening ").and_then(|text| text.parse().ok());
    // Requests are sent nowhere else, so heartbeats from another place would mean nothing.
    let here = address.filter(|address: &SocketAddr| address.ip() == Ipv4Addr::LOCALHOST);
    here.map_or_else(|| Said::Nonsense(shown(line)), Said::Address)
}

fn shown(line: &[u8]) -> String {
    line.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_where_it_listens() {
        let address = "127.0.0.1:4711".parse().unwrap();
        assert_eq!(understood(b"listening 127.0.0.1:4711\n"), Said::Address(address));
        assert_eq!(understood(b"listening 127.0.0.1:47"), Said::More);
        assert!(matches!(understood(b"hello\n"), Said::Nonsense(_)));
        let elsewhere = Said::Nonsense(r"listening 127.0.0.2:4711\n".into());
        assert_eq!(understood(b"listening 127.0.0.2:4711\n"), elsewhere);
        assert!(matches!(understood(&[b'x'; LINE_MAX]), Said::Nonsense(_)));
    }

    /// A shell does in place of a server: it gets the last arguments as positional ones.
    fn shell(script: &str) -> Process {
        let arguments = ["-c", script].map(String::from).to_vec();
        let program = Program { path: "/bin/sh".into(), name: "sh".into(), arguments };
        program.start(7, &Name::numbered(3)).unwrap()
    }

    #[test]
    fn a_process_is_told_its_number_and_heard() {
        let mut process = shell("echo \"$1 says $0 $2\"");
        let mut line = Vec::new();
        assert_eq!(
            process.listen(&mut line).unwrap(),
            Said::Nonsense(r"7 says --server-id --name=Server-3\n".into())
        );
        assert!(process.ends_by(Instant::now() + Duration::from_secs(60)));
    }

    #[test]
    fn one_that_does_not_stop_is_killed() {
        let mut process = shell("trap '' TERM; echo; while :; do sleep 1; done");
        assert!(matches!(process.listen(&mut Vec::new()), Ok(Said::Nonsense(_))));
        let status = process.stop(Duration::from_millis(20)).unwrap();
        assert_eq!(status.code(), None, "{status}");
    }

    #[test]
    fn one_that_stops_says_how() {
        let mut process = shell("trap 'exit 3' TERM; echo; while :; do sleep 0.01; done");
        assert!(matches!(process.listen(&mut Vec::new()), Ok(Said::Nonsense(_))));
        assert_eq!(process.stop(Duration::from_secs(60)).unwrap().code(), Some(3));
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let program =
            Program { path: "/no/such/file".into(), name: "file".into(), arguments: vec![] };
        let started = program.start(1, &Name::numbered(1));
        assert_eq!(started.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
