//! A network namespace without a name (network_namespaces(7)).
//!
//! It lives as long as a process is in it or a descriptor refers to it. So it goes with its owner,
//! in whatever way that ends, and takes its interfaces with it: there is nothing to sweep up.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A namespace, held by a descriptor.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// A new one, with nothing in it but a loopback interface that is down, and without IPv6: its
    /// neighbour discovery would send frames that nobody has asked for.
    ///
    /// # Errors
    /// EPERM without CAP_SYS_ADMIN; ENOSPC beyond `user.max_net_namespaces`.
    pub fn new() -> io::Result<Self> {
        apart(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let own = File::open("/proc/thread-self/ns/net")?;
            without_ipv6()?;
            Ok(Self(own))
        })
    }

    /// Does something in the namespace, on a thread of its own: the caller's stays where it is.
    /// Sockets and links that are made in it belong to the namespace wherever they are used.
    ///
    /// # Errors
    /// When the namespace can't be entered (CAP_SYS_ADMIN), or what `work` says.
    pub fn within<T: Send, E: Send + From<io::Error>>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send,
    ) -> Result<T, E> {
        apart(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)?;
            work()
        })
    }

    /// Has a program start in the namespace.
    ///
    /// # Errors
    /// When the descriptor can't be copied.
    pub fn holds(&self, command: &mut Command) -> io::Result<()> {
        let home = self.0.try_clone()?;
        let enter = move || Ok(setns(&home, CloneFlags::CLONE_NEWNET)?);
        // SAFETY: setns(2) is a system call; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// Where other processes find it, as long as this lives: for nsenter(1) and ip(8).
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }

    /// Another descriptor of the same namespace.
    ///
    /// # Errors
    /// When there are too many.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }
}

/// A thread that changes its namespace is not for anything else afterwards.
fn apart<T: Send, E: Send + From<io::Error>>(
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    let lost = |_| Err(io::Error::other("a thread in a namespace of its own panicked").into());
    thread::scope(|scope| {
        let apart = thread::Builder::new().spawn_scoped(scope, work)?;
        apart.join().unwrap_or_else(lost)
    })
}

/// Of the namespace of the calling thread. A kernel without IPv6 has nothing to be set.
fn without_ipv6() -> io::Result<()> {
    for which in ["all", "default"] {
        let switch = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
        match std::fs::write(switch, "1") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
