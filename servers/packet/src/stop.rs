//! When to stop: at SIGTERM, at SIGINT, at the end of a time, or when somebody says so.
//!
//! A thread of its own sleeps until then, so that the one that handles packets reads neither
//! signals nor the clock: for it, it is one look at a flag.

use std::io;
use std::os::fd::AsFd;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// How long whoever waits may take to look at the flag again.
pub const GLANCE: Duration = Duration::from_millis(50);

/// Whether to stop. Copies are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// At SIGTERM, SIGINT, or after `duration`. From now on the two signals end nothing by
    /// themselves, in this thread and in those that it makes afterwards; the second one ends the
    /// process.
    ///
    /// # Errors
    /// When there is no descriptor or thread left for it.
    pub fn at_signals(duration: Option<Duration>) -> io::Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
        let stop = Self::default();
        let watched = stop.clone();
        let watch = move || watched.watch(&signals, duration);
        thread::Builder::new().name("stop".into()).spawn(watch)?;
        Ok(stop)
    }

    /// Whether it is time.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// It is time.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Sleeps until `due`. Whether it did, and was not told to stop before.
    #[must_use]
    pub fn sleep_until(&self, due: Instant) -> bool {
        while !self.is_asked() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(GLANCE));
        }
        false
    }

    fn watch(&self, signals: &SignalFd, duration: Option<Duration>) {
        // More milliseconds than poll(2) takes are 24 days: as good as no end.
        let end = duration.and_then(|time| PollTimeout::try_from(time).ok());
        wait(signals, end.unwrap_or(PollTimeout::NONE));
        self.ask();
        // Whoever asks again does not want to wait for the end of what is being done.
        wait(signals, PollTimeout::NONE);
        process::exit(1);
    }
}

/// Until there was a signal, or the time is up.
fn wait(signals: &SignalFd, end: PollTimeout) {
    loop {
        let mut ready = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, end) {
            Err(Errno::EINTR) => (),
            Ok(0) | Err(_) => return,
            Ok(_) => break,
        }
    }
    // Taken away, so that the next wait is for the next one.
    let _ = signals.read_signal();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_one_and_the_same() {
        let stop = Stop::default();
        let copy = stop.clone();
        assert!(!copy.is_asked());
        stop.ask();
        assert!(copy.is_asked());
    }

    #[test]
    fn a_sleep_ends_when_it_is_due_or_when_it_is_time_to_stop() {
        let stop = Stop::default();
        let due = Instant::now() + Duration::from_millis(20);
        assert!(stop.sleep_until(due) && Instant::now() >= due);
        stop.ask();
        assert!(!stop.sleep_until(Instant::now() + Duration::from_secs(3_600)));
    }
}
