//! Why there is no result, and the exit status that says whose turn it is.

use std::fmt;

/// A run that gives no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was tried and did not work: nothing could be connected, a file could not be written.
    Failed(String),
    /// The command line asks for something that makes no sense.
    Usage(String),
    /// There is a result, and it has been printed, but it can't be relied on.
    Inconclusive(String),
    /// This host, as it is set up, can't do what was asked for.
    Unfit(String),
}

impl Failure {
    /// The exit status of the process.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Inconclusive(_) => 3,
            Self::Unfit(_) => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(text) | Self::Usage(text) | Self::Inconclusive(text) | Self::Unfit(text)) =
            self;
        formatter.write_str(text)
    }
}

impl std::error::Error for Failure {}
