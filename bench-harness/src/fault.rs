//! Faults that have an exit status of their own.
//!
//! Everything else is a failure of the tool: status 1.

use std::fmt;
use std::process::ExitCode;

/// The user asked for something that does not exist or does not fit: status 2.
#[derive(Debug)]
pub struct Usage(pub String);

/// There is a result, and it is not the one that was foretold: status 3.
#[derive(Debug)]
pub struct Inconclusive(pub String);

/// The host or the run is not fit for a statement: status 4.
#[derive(Debug)]
pub struct Unfit(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
impl std::error::Error for Inconclusive {}
impl std::error::Error for Unfit {}

/// A usage error as the result of any function.
pub fn usage<T>(message: impl Into<String>) -> anyhow::Result<T> {
    Err(Usage(message.into()).into())
}

/// The exit status that belongs to an error.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Usage>() {
        ExitCode::from(2)
    } else if error.is::<Inconclusive>() {
        ExitCode::from(3)
    } else if error.is::<Unfit>() {
        ExitCode::from(4)
    } else {
        ExitCode::from(1)
    }
}
