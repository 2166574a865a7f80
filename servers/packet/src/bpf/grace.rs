//! A grace period: whatever ran when it began has ended when it is over.
//!
//! A program reads a map, and acts on what it read a moment later. Who takes something out of a map
//! and gives it to somebody else has to wait for that moment to pass on every CPU.

use std::io;
use std::thread;
use std::time::Duration;

/// Where the kernel can't be asked: programs that are attached run for microseconds, and nothing
/// but an interrupt comes between.
const LONG: Duration = Duration::from_millis(20);

/// Returns when all programs that run on other CPUs now have ended.
///
/// They run in read-side sections of RCU, and `MEMBARRIER_CMD_GLOBAL` waits for the end of those
/// (`synchronize_rcu` in Linux `kernel/sched/membarrier.c`); EINVAL where CPUs run without a tick.
pub(crate) fn wait_for_programs() {
    if barrier().is_err() {
        thread::sleep(LONG);
    }
}

fn barrier() -> io::Result<()> {
    // SAFETY: a call without a pointer.
    match unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
