//! The thread that keeps the time, hears the signals and shows the progress.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::control::{Control, Phase, TICK};
use crate::progress::Progress;

/// Hears SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Keeper(SignalFd);

impl Keeper {
    /// From now on the two signals end nothing by themselves, in this thread and in those that it makes
    /// afterwards.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn new() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGINT);
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Keeps the time until `done`.
    pub fn keep(&self, control: &Control, done: &AtomicBool, mut progress: Option<Progress>) {
        let mut stop_at = None;
        while !done.load(Ordering::Acquire) {
            if self.hears_signal() {
                stop_at = Some(stop(control, stop_at));
            }
            if stop_at.is_some_and(|at| Instant::now() >= at) {
                control.enter(Phase::Closing);
            }
            control.tick();
            if let Some(progress) = &mut progress {
                progress.show(&control.stats);
            }
        }
    }

    /// Waits for a signal, for a tick at most.
    fn hears_signal(&self) -> bool {
        use std::os::fd::AsFd;
        let mut signals = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let tick = PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO);
        let heard = poll(&mut signals, tick).is_ok_and(|ready| ready > 0);
        heard && matches!(self.0.read_signal(), Ok(Some(_)))
    }
}

/// The first signal lets clients finish, for a while; the second one does not.
fn stop(control: &Control, stop_at: Option<Instant>) -> Instant {
    if stop_at.is_some() {
        return Instant::now();
    }
    control.enter(Phase::Draining);
    Instant::now() + control.patience.drain.duration().max(Duration::ZERO)
}
