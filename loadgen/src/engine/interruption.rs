//! SIGINT and SIGTERM end the measuring phase early, and what was measured is reported.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::clock::Moment;

/// When the first signal came; 0 before it.
static STOPPED: AtomicU64 = AtomicU64::new(0);

/// The moment of the first signal, from now on. A second signal ends the process as usual.
pub(super) fn watch() -> &'static AtomicU64 {
    let action = SigAction::new(SigHandler::Handler(stop), SaFlags::SA_RESETHAND, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler does nothing but read a clock and store a number, and both are
        // allowed there (signal-safety(7)).
        let _ = unsafe { sigaction(signal, &action) };
    }
    &STOPPED
}

extern "C" fn stop(_signal: libc::c_int) {
    STOPPED.store(Moment::now().as_nanos(), Ordering::Relaxed);
}
