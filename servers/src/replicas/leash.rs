//! How an attendant waits for its process, and is told to stop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::waker::Waker;

/// What a wait has ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The leash was pulled: stop.
    Pulled,
    /// The descriptor of that number, among those that were watched, is ready.
    Ready(usize),
    /// It is time.
    Late,
}

/// Told once, and for good.
#[derive(Debug)]
pub(crate) struct Leash {
    pulled: AtomicBool,
    waker: Waker,
}

impl Leash {
    /// # Errors
    /// When there is no descriptor left for it.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { pulled: AtomicBool::new(false), waker: Waker::new()? })
    }

    /// Tells whoever waits, now or later.
    pub(crate) fn pull(&self) {
        self.pulled.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn is_pulled(&self) -> bool {
        self.pulled.load(Ordering::Acquire)
    }

    /// Waits for any of `watched` to become readable, or to be closed at the other end.
    pub(crate) fn watch(&self, watched: &[BorrowedFd<'_>], until: Instant) -> Waited {
        let watched = watched.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
        self.watch_for(&watched.collect::<Vec<_>>(), until)
    }

    /// Waits for any of `watched` to become what it is watched for.
    pub(crate) fn watch_for(&self, watched: &[PollFd<'_>], until: Instant) -> Waited {
        loop {
            if self.is_pulled() {
                return Waited::Pulled;
            }
            let pull = PollFd::new(self.waker.as_fd(), PollFlags::POLLIN);
            let mut all = watched.iter().cloned().chain([pull]).collect::<Vec<_>>();
            // An interruption only means that it looks once too often.
            if poll(&mut all, timeout(until)) == Err(Errno::EINTR) {
                continue;
            }
            let ready = all.iter().take(watched.len()).position(|fd| fd.any().unwrap_or(true));
            match ready {
                Some(number) => return Waited::Ready(number),
                None if Instant::now() >= until => return Waited::Late,
                None => {}
            }
        }
    }

    /// Waits for nothing but the time.
    pub(crate) fn pause(&self, pause: Duration) -> Waited {
        self.watch(&[], Instant::now() + pause)
    }
}

/// Waits until `watched` is what it is watched for; says whether it was in time.
pub(crate) fn ready_by(watched: PollFd<'_>, until: Instant) -> bool {
    loop {
        let mut all = [watched.clone()];
        match poll(&mut all, timeout(until)) {
            Ok(count) if count > 0 => return true,
            _ if Instant::now() >= until => return false,
            _ => {}
        }
    }
}

/// In milliseconds, rounded up: a wait that ends too early would only be repeated.
fn timeout(until: Instant) -> PollTimeout {
    let left = until.saturating_duration_since(Instant::now());
    let millis = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_pull_ends_a_wait_that_has_begun_and_every_later_one() {
        let leash = Leash::new().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| leash.pause(LONG));
            leash.pull();
            assert_eq!(waiting.join().unwrap(), Waited::Pulled);
        });
        assert_eq!(leash.pause(LONG), Waited::Pulled);
    }

    #[test]
    fn it_says_who_is_ready() {
        let leash = Leash::new().unwrap();
        let (silent, _kept) = io::pipe().unwrap();
        let (spoken, mut voice) = io::pipe().unwrap();
        let watch = |for_| leash.watch(&[silent.as_fd(), spoken.as_fd()], Instant::now() + for_);
        assert_eq!(watch(Duration::from_millis(2)), Waited::Late);
        voice.write_all(b"x").unwrap();
        assert_eq!(watch(LONG), Waited::Ready(1));
        drop(voice);
        assert_eq!(watch(LONG), Waited::Ready(1), "closed is ready, too");
    }
}
