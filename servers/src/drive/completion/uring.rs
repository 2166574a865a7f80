//! The kernel's ring: io_uring(7).
//!
//! It is set up for one thread (IORING_SETUP_SINGLE_ISSUER) that runs the kernel's part of a
//! request only when it waits (IORING_SETUP_DEFER_TASKRUN, Linux 6.1): no interrupt of the thread,
//! and the octets are copied when they are about to be used. Before that, IORING_SETUP_COOP_TASKRUN
//! at least spares the interrupt. Older than 5.19 it cannot be: there are no rings of buffers then.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, Fd};
use io_uring::{IoUring, cqueue, opcode};
use nix::errno::Errno;

use super::provided::{GROUP, Provided};
use super::ring::{Ask, Done, Expect, Lent, Name, Ring, What};

/// IORING_RECVSEND_POLL_FIRST: do not look for octets before the socket says that there are some.
const POLL_FIRST: u16 = 1;
/// How long to leave a kernel alone that has no memory for a request.
const BREATH: Duration = Duration::from_millis(1);

/// How large a ring is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Requests that are handed over at once, at most.
    pub requests: u32,
    /// Answers that fit into the queue. The kernel keeps those that do not, at some cost.
    pub answers: u32,
    /// Buffers to receive in, at most: a power of 2.
    pub buffers: u16,
    /// The length of each buffer in octets.
    pub octets: usize,
}

impl Size {
    /// That of a worker whose buffers have so many octets.
    #[must_use]
    pub fn of_a_worker(octets: usize) -> Self {
        Self { requests: 256, answers: 1024, buffers: 64, octets }
    }
}

/// A ring of the kernel.
pub struct Uring {
    ring: IoUring,
    /// After the ring: the kernel must have let go of the memory.
    provided: Option<Provided>,
    /// Requests for which the queue had no room.
    backlog: VecDeque<Entry>,
    /// Requests that have not had their last answer.
    open: usize,
    calls: u64,
}

impl Uring {
    /// A ring that has not begun.
    ///
    /// # Errors
    /// When the kernel refuses, with what to do about that.
    pub fn new(size: Size) -> io::Result<Self> {
        let make = || -> io::Result<Self> {
            let ring = deferred(size).or_else(|error| match Errno::from_raw(code(&error)) {
                Errno::EINVAL => cooperative(size),
                _ => Err(error),
            })?;
            let provided = Provided::register(&ring.submitter(), size.buffers, size.octets)?;
            let provided = Some(provided);
            Ok(Self { ring, provided, backlog: VecDeque::new(), open: 0, calls: 0 })
        };
        make().map_err(|error| {
            let words = format!("no io_uring here: {error}; {}", way_out(code(&error)));
            io::Error::new(error.kind(), words)
        })
    }

    fn push(&mut self, entry: Entry) {
        self.open += 1;
        // SAFETY: see `Ring::ask`.
        if self.backlog.is_empty() && unsafe { self.ring.submission().push(&entry) }.is_ok() {
            return;
        }
        self.backlog.push_back(entry);
        self.make_room();
    }

    /// Hands over what is in the queue, and fills it again from the backlog. When the kernel takes
    /// nothing now, it does so in one of the next turns.
    fn make_room(&mut self) {
        self.calls += 1;
        let _ = self.ring.submit();
        self.refill();
    }

    fn refill(&mut self) {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: see `Ring::ask`.
            if unsafe { self.ring.submission().push(entry) }.is_err() {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// Takes out what is done.
    fn reap(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        let mut answers = self.ring.completion();
        let before = done.len();
        done.extend((&mut answers).map(|answer| read(&answer)));
        if answers.overflow() > 0 {
            return Err(io::Error::other("the kernel had no memory for an answer, and dropped it"));
        }
        let done = &done[before..];
        self.open -= done.iter().filter(|done| !done.goes_on).count();
        if done.iter().any(found_no_buffer)
            && let Some(provided) = &mut self.provided
        {
            provided.grow();
        }
        Ok(())
    }

    /// Ends all requests, so that the kernel has nothing of ours any more.
    fn end_all(&mut self) -> io::Result<()> {
        let all = opcode::AsyncCancel2::new(CancelBuilder::any().all()).build();
        let name = Name { what: What::Cancel, token: 0.into() };
        self.push(all.user_data(name.into()));
        let mut done = Vec::new();
        while self.open > 0 {
            self.turn(&mut done)?;
            done.drain(..).for_each(forget);
        }
        Ok(())
    }
}

impl Ring for Uring {
    fn start(&mut self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()
    }

    unsafe fn ask(&mut self, name: Name, ask: Ask<'_>) {
        self.push(entry(ask).user_data(name.into()));
    }

    fn turn(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        self.refill();
        self.calls += 1;
        let handed_over = self.ring.submit_and_wait(1);
        self.reap(done)?;
        match handed_over.map_err(|error| Errno::from_raw(code(&error))) {
            // EBUSY: answers that did not fit must be taken out first, and now they have been.
            Ok(_) | Err(Errno::EINTR | Errno::EBUSY) => Ok(()),
            Err(Errno::EAGAIN | Errno::ENOMEM) => {
                std::thread::sleep(BREATH);
                Ok(())
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn backlog(&mut self) -> usize {
        self.backlog.len() + self.ring.submission().len()
    }

    fn calls(&mut self) -> u64 {
        std::mem::take(&mut self.calls)
    }

    fn octets(&self, lent: &Lent, count: u32) -> &[u8] {
        self.provided.as_ref().map_or(&[], |provided| provided.octets(lent, count))
    }

    fn take_back(&mut self, lent: Lent) {
        if let Some(provided) = &mut self.provided {
            provided.put(lent);
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        if self.open > 0 && self.end_all().is_err() {
            // The kernel may still write there: better to lose the memory than to share it.
            std::mem::forget(self.provided.take());
        }
    }
}

fn deferred(size: Size) -> io::Result<IoUring> {
    builder(size).setup_single_issuer().setup_defer_taskrun().build(size.requests)
}

fn cooperative(size: Size) -> io::Result<IoUring> {
    builder(size).setup_coop_taskrun().build(size.requests)
}

/// A ring that is made by one thread and used by another begins disabled.
fn builder(size: Size) -> io_uring::Builder {
    let mut builder = IoUring::builder();
    builder.setup_r_disabled().setup_submit_all().setup_clamp().setup_cqsize(size.answers);
    builder
}

fn entry(ask: Ask<'_>) -> Entry {
    let fd = |socket: &dyn AsRawFd| Fd(socket.as_raw_fd());
    match ask {
        Ask::Accept(socket) => opcode::AcceptMulti::new(fd(&socket))
            .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            .build(),
        Ask::Receive(socket, expect) => {
            let first = if expect == Expect::Later { POLL_FIRST } else { 0 };
            let receive = opcode::Recv::new(fd(&socket), std::ptr::null_mut(), 0);
            receive.buf_group(GROUP).ioprio(first).build().flags(Flags::BUFFER_SELECT)
        }
        Ask::Send(socket, octets) => {
            let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            let send = opcode::Send::new(fd(&socket), octets.as_ptr(), length);
            send.flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT).build()
        }
        Ask::Poll(socket, flags) => {
            opcode::PollAdd::new(fd(&socket), flags.bits().cast_unsigned().into()).build()
        }
        Ask::Cancel(name) => opcode::AsyncCancel::new(name.into()).build(),
    }
}

fn read(answer: &cqueue::Entry) -> Done {
    let (flags, result) = (answer.flags(), answer.result());
    Done {
        name: answer.user_data().into(),
        result: u32::try_from(result).map_err(|_| Errno::from_raw(-result)),
        lent: cqueue::buffer_select(flags).map(Lent),
        goes_on: cqueue::more(flags),
        expect: if cqueue::sock_nonempty(flags) { Expect::Now } else { Expect::Later },
    }
}

fn found_no_buffer(done: &Done) -> bool {
    done.name.what == What::Receive && done.result == Err(Errno::ENOBUFS)
}

/// Nobody will hear of it any more. A client that was accepted is closed.
fn forget(done: Done) {
    if let (What::Accept, Ok(fd)) = (done.name.what, done.result) {
        drop(descriptor(fd));
    }
}

/// The descriptor that an accept has brought. It is to be called once for each.
pub(super) fn descriptor(fd: u32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(RawFd::MAX)) }
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

/// What to do about a kernel that makes no ring (io_uring_setup(2)).
fn way_out(code: i32) -> &'static str {
    match Errno::from_raw(code) {
        Errno::EPERM | Errno::EACCES => {
            "allow it (sysctl -w kernel.io_uring_disabled=0; in a container: a seccomp profile \
             with io_uring_setup, io_uring_enter and io_uring_register), or take --model reactors"
        }
        Errno::ENOMEM => {
            "allow more memory (ulimit -l, ulimit -v), or a smaller --buffer, or take --model \
             reactors"
        }
        Errno::EMFILE | Errno::ENFILE => "allow more descriptors (ulimit -n), or fewer --workers",
        _ => "it needs Linux 5.19 or later; take --model reactors",
    }
}

/// Why there is no io_uring on this host; `None` when there is.
///
/// The trial has a thread of its own: for a while after a ring has gone, the kernel interrupts the
/// thread that made it, and a read with a deadline (SO_RCVTIMEO) that is interrupted fails.
#[must_use]
pub fn refusal() -> Option<String> {
    let size = Size { requests: 1, answers: 2, buffers: 1, octets: 1 };
    let trial = || Uring::new(size).err().map(|error| error.to_string());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, trial);
        thread.map_or_else(
            |error| Some(format!("no thread to try io_uring in: {error}")),
            |thread| thread.join().unwrap_or_else(|_| Some("the trial has failed".into())),
        )
    })
}
