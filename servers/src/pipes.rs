//! Pipes that are lent to relays while octets are on their way, and come back empty.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

/// How many empty pipes a worker keeps: each takes two descriptors.
const KEPT_MAX: usize = 64;

/// A pipe (pipe(7)): 64 KiB of pages that the kernel can pass on without looking at them.
#[derive(Debug)]
pub struct Pipe {
    outlet: OwnedFd,
    inlet: OwnedFd,
}

impl Pipe {
    /// Where octets go in.
    #[must_use]
    pub fn inlet(&self) -> BorrowedFd<'_> {
        self.inlet.as_fd()
    }

    /// Where they come out.
    #[must_use]
    pub fn outlet(&self) -> BorrowedFd<'_> {
        self.outlet.as_fd()
    }
}

/// A worker's store of empty pipes.
#[derive(Debug, Default)]
pub struct Pipes(Vec<Pipe>);

impl Pipes {
    /// Lends an empty pipe.
    ///
    /// # Errors
    /// When there is no descriptor left for a new one.
    pub fn lend(&mut self) -> io::Result<Pipe> {
        if let Some(pipe) = self.0.pop() {
            return Ok(pipe);
        }
        let (outlet, inlet) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Pipe { outlet, inlet })
    }

    /// Closes one that is kept, for its descriptors are wanted; says whether there was one.
    pub fn give_up(&mut self) -> bool {
        self.0.pop().is_some()
    }

    /// Takes an empty pipe back.
    pub fn take_back(&mut self, pipe: Pipe) {
        if self.0.len() < KEPT_MAX {
            self.0.push(pipe);
        }
    }
}
