//! `servers demonstrate`: what books say about limits and triggers, tried here and now.
//!
//! | Command      | Shows                                                                    |
//! |--------------|--------------------------------------------------------------------------|
//! | `fd-setsize` | what programs do with a descriptor that an `fd_set` has no room for      |
//! | `triggers`   | whom epoll tells what, by trigger, and what the wrong one never tells    |
//!
//! Nothing here is known beforehand: each row is what was seen when the command ran.

pub mod fd_setsize;
mod triggers;

use std::io::Write;

use crate::cli::Demonstrate;

/// Tries what was asked for, and says what came of it.
///
/// # Errors
/// When this host does not let it be tried, or when `out` does not take the report.
pub fn run(out: &mut impl Write, asked: &Demonstrate) -> anyhow::Result<()> {
    match asked {
        Demonstrate::FdSetsize(asked) => fd_setsize::run(out, asked),
        Demonstrate::Triggers(asked) => triggers::run(out, asked),
    }
}
