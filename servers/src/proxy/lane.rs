//! One direction of a relay: how octets are carried from one socket to the other.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::fcntl::{SpliceFFlags, splice};
use rustix::net::{self, SendFlags};
use wire::Buffer;

use crate::connection::Flow;
use crate::pipes::Pipe;
use crate::session::{Calls, receive};
use crate::worker::Worker;

/// The most octets that one splice moves: what a pipe holds.
const SPLICE_MAX: usize = 64 << 10;

/// A way of carrying octets from one socket to another. It is filled, then emptied, then filled
/// again; what it holds in between belongs to the worker, and goes back when it is empty.
pub trait Lane: Default + Send {
    /// Who may make the calls: anyone where there is [memory](Self::spare) to move octets into.
    const CALLS: Calls = Calls::Anyone;

    /// Whether nothing is on its way.
    fn is_empty(&self) -> bool;

    /// Takes what `from` has, as much as fits; 0 says that nothing more will come. Says, too,
    /// whether there may be more.
    ///
    /// # Errors
    /// When the socket has nothing, or is broken.
    fn load(&mut self, from: BorrowedFd<'_>, worker: &mut Worker<'_>) -> io::Result<(usize, Flow)>;

    /// Gives `to` as much as it takes.
    ///
    /// # Errors
    /// When the socket has no room, or is broken.
    fn unload(&mut self, to: BorrowedFd<'_>, worker: &mut Worker<'_>) -> io::Result<usize>;

    /// Memory for whoever reads himself, and tells by [`loaded`](Self::loaded); none where octets
    /// never come here.
    fn spare(&mut self, worker: &mut Worker<'_>) -> &mut [u8] {
        let _ = worker;
        &mut []
    }

    /// So much has been read into [`spare`](Self::spare).
    fn loaded(&mut self, count: usize) {
        let _ = count;
    }

    /// What is on its way, for whoever writes himself, and tells by [`unloaded`](Self::unloaded).
    fn cargo(&self) -> &[u8] {
        &[]
    }

    /// So much of [`cargo`](Self::cargo) has been written.
    fn unloaded(&mut self, count: usize, worker: &mut Worker<'_>) {
        let _ = (count, worker);
    }

    /// Gives back what belongs to the worker.
    fn leave(&mut self, worker: &mut Worker<'_>);
}

/// By read and write: the octets pass through a buffer of ours.
#[derive(Debug, Default)]
pub struct Copying(Option<Buffer>);

impl Lane for Copying {
    fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(Buffer::is_empty)
    }

    fn load(&mut self, from: BorrowedFd<'_>, worker: &mut Worker<'_>) -> io::Result<(usize, Flow)> {
        let spare = self.spare(worker);
        let room = spare.len();
        let count = receive(from, spare).inspect_err(|_| self.leave(worker))?;
        if count == 0 {
            self.leave(worker);
        }
        self.loaded(count);
        Ok((count, if count == room { Flow::More } else { Flow::Dry }))
    }

    fn unload(&mut self, to: BorrowedFd<'_>, worker: &mut Worker<'_>) -> io::Result<usize> {
        let count = net::send(to, self.cargo(), SendFlags::NOSIGNAL)?;
        self.unloaded(count, worker);
        Ok(count)
    }

    fn spare(&mut self, worker: &mut Worker<'_>) -> &mut [u8] {
        self.0.get_or_insert_with(|| worker.buffers.lend()).spare()
    }

    fn loaded(&mut self, count: usize) {
        if let Some(buffer) = &mut self.0 {
            buffer.commit(count);
        }
    }

    fn cargo(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], Buffer::filled)
    }

    fn unloaded(&mut self, count: usize, worker: &mut Worker<'_>) {
        if let Some(buffer) = &mut self.0 {
            buffer.consume(count);
        }
        if self.is_empty() {
            self.leave(worker);
        }
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        if let Some(buffer) = self.0.take() {
            worker.buffers.take_back(buffer);
        }
    }
}

/// By splice(2): the octets stay in the kernel, and only their pages pass through a pipe.
///
/// A load for which no pipe can be made (there is no descriptor left) is copied. That is a shortage
/// of ours: it says nothing of the backend, and need not end anybody's connection. The next load
/// asks for a pipe again.
#[derive(Debug, Default)]
pub struct Splicing {
    /// Where a load is, of so many octets.
    pipe: Option<Pipe>,
    octets: usize,
    /// Where a load is that found no pipe.
    copying: Copying,
}

impl Lane for Splicing {
    const CALLS: Calls = Calls::Itself;

    fn is_empty(&self) -> bool {
        self.octets == 0 && self.copying.is_empty()
    }

    fn load(&mut self, from: BorrowedFd<'_>, worker: &mut Worker<'_>) -> io::Result<(usize, Flow)> {
        let pipe = match worker.pipes.lend() {
            Ok(pipe) => self.pipe.insert(pipe),
            Err(error) => {
                worker.counters.loads_without_pipe.count();
                worker.control.complain("no pipe for a relay, which copies for now", &error);
                return self.copying.load(from, worker);
            }
        };
        let count = moved(from, pipe.inlet()).inspect_err(|_| self.leave(worker))?;
        self.octets += count;
        if count == 0 {
            self.leave(worker);
        }
        // A pipe is full of pages, however few octets are in them: a short load says nothing.
        Ok((count, Flow::More))
    }

    fn unload(&mut self, to: BorrowedFd<'_>, worker: &mut Worker<'_>) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else { return self.copying.unload(to, worker) };
        let count = moved(pipe.outlet(), to)?;
        self.octets -= count;
        if self.octets == 0 {
            self.leave(worker);
        }
        Ok(count)
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        self.copying.leave(worker);
        let Some(pipe) = self.pipe.take() else { return };
        // What is left in a pipe is somebody's: it must not reach the next one.
        if std::mem::take(&mut self.octets) == 0 {
            worker.pipes.take_back(pipe);
        }
    }
}

fn moved(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    match splice(from, None, to, None, SPLICE_MAX, flags) {
        // A pipe that is empty says so by 0 or EAGAIN; ours is never asked then.
        Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
        count => Ok(count?),
    }
}
