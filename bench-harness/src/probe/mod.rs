//! What the host is, and what it did while a trial ran.

pub mod checks;
pub mod date;
pub mod host;
pub mod quiet;
