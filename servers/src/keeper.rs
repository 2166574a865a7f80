//! Who keeps the time, hears the signals and shows the progress.
//!
//! It is one descriptor that becomes readable ten times a second, and at a signal. Where many
//! sockets are waited for in one place, the first worker watches it beside them, so that a model of
//! one thread is a process of one thread. The blocking models have no such place, and get a thread
//! for it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::control::{Control, Phase, TICK};
use crate::progress::Progress;

/// Hears the clock, SIGTERM and SIGINT, and SIGHUP where somebody wants to know.
#[derive(Debug)]
pub struct Keeper {
    signals: Option<SignalFd>,
    timer: TimerFd,
    either: Epoll,
    duties: Mutex<Duties>,
    hangup: OnceLock<Hangup>,
}

/// What a server does at SIGHUP.
struct Hangup(Box<dyn Fn() + Send + Sync>);

/// Whether SIGHUP means anything to a server. To one that it means nothing to, it is the end of the
/// terminal, and ends the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangups {
    /// It ends the server, as the kernel does.
    End,
    /// It is heard: see [`Keeper::at_hangup`].
    Heard,
}

#[derive(Debug)]
struct Duties {
    stop_at: Option<Instant>,
    progress: Option<Progress>,
}

impl Keeper {
    /// From now on the signals that are heard end nothing by themselves, in this thread and in
    /// those that it makes afterwards.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn new(progress: Option<Progress>, hangups: Hangups) -> io::Result<Self> {
        Self::hearing(Some(signals(hangups)?), progress)
    }

    /// Says what to do at SIGHUP, which must not take long. Only the first one who says counts.
    pub fn at_hangup(&self, work: impl Fn() + Send + Sync + 'static) {
        let _ = self.hangup.set(Hangup(Box::new(work)));
    }

    /// A keeper that keeps the time only, for a copy of the server: a signal is heard once.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn of_a_copy() -> io::Result<Self> {
        Self::hearing(None, None)
    }

    fn hearing(signals: Option<SignalFd>, progress: Option<Progress>) -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        let period = Expiration::Interval(TimeSpec::from_duration(TICK));
        timer.set(period, TimerSetTimeFlags::empty())?;
        let either = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        if let Some(signals) = &signals {
            either.add(signals, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        }
        either.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let duties = Mutex::new(Duties { stop_at: None, progress });
        Ok(Self { signals, timer, either, duties, hangup: OnceLock::new() })
    }

    /// Does what is due.
    pub fn keep(&self, control: &Control) {
        let mut duties = self.duties.lock().unwrap_or_else(PoisonError::into_inner);
        // How many ticks there were does not matter: the clock says what time it is.
        let _ = self.timer.wait();
        let heard = self.signals.as_ref().map(SignalFd::read_signal);
        if let Some(Ok(Some(signal))) = heard {
            match Signal::try_from(signal.ssi_signo.cast_signed()) {
                Ok(Signal::SIGHUP) => _ = self.hangup.get().inspect(|hangup| (hangup.0)()),
                _ => duties.stop(control),
            }
        }
        if duties.stop_at.is_some_and(|at| Instant::now() >= at) {
            control.enter(Phase::Closing);
        }
        control.tick();
        if let Some(progress) = &mut duties.progress {
            progress.show(&control.stats);
        }
    }

    /// Waits for a signal, which is left for whoever [keeps](Self::keep), or until `over` is
    /// readable; says whether it was the signal.
    pub(crate) fn hears_before(&self, over: BorrowedFd<'_>) -> bool {
        let Some(signals) = &self.signals else { return false };
        loop {
            let watched = [over, signals.as_fd()];
            let mut watched = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            // An interruption only means that it looks once too often.
            let _ = poll(&mut watched, PollTimeout::NONE);
            match watched.map(|fd| fd.any().unwrap_or(false)) {
                [true, _] => return false,
                [_, true] => return true,
                _ => {}
            }
        }
    }

    /// Does what is due, whenever it is, until `done`.
    pub fn keep_until(&self, done: &AtomicBool, control: &Control) {
        while !done.load(Ordering::Acquire) {
            let mut due = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            // An interruption only means that it looks once too often.
            let _ = poll(&mut due, PollTimeout::NONE);
            self.keep(control);
        }
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.either.0.as_fd()
    }
}

impl Duties {
    /// The first signal lets clients finish, for a while; the second one does not.
    fn stop(&mut self, control: &Control) {
        let patience = control.patience.drain.duration();
        self.stop_at = Some(match self.stop_at {
            None => Instant::now() + patience,
            Some(_) => Instant::now(),
        });
        control.enter(Phase::Draining);
    }
}

impl fmt::Debug for Hangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hangup")
    }
}

fn signals(hangups: Hangups) -> io::Result<SignalFd> {
    let mut signals = SigSet::empty();
    if hangups == Hangups::Heard {
        signals.add(Signal::SIGHUP);
    }
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
