//! Notices on standard error, for whoever operates the server.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line. Standard error may be a file on a disk that is full, or a pipe that nobody
/// reads any more: that nobody can be told is no reason to end (`eprintln!` panics).
pub fn write(words: impl Display) {
    let _ = writeln!(io::stderr(), "servers: {words}");
}
