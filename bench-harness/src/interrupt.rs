//! Ctrl-C and SIGTERM: noted here, acted upon by whoever waits next.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From now on SIGINT and SIGTERM are only noted.
///
/// # Errors
/// When the handler can't be installed.
pub fn listen() -> Result<()> {
    // Without SA_RESTART, so that a wait for a child ends at once.
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler stores to an atomic and does nothing else.
        unsafe { sigaction(signal, &action) }.context("installing the signal handler")?;
    }
    Ok(())
}

/// Whether the user wants the run to end.
#[must_use]
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
