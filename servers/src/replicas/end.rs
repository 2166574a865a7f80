//! Why a process is given up.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::shortage;

/// Why a process is given up.
#[derive(Debug)]
pub(crate) enum End {
    /// The attendant was told to stop.
    Asked,
    /// There is none.
    NoProcess(io::Error),
    /// There is none, for want of something that the balancer has used up.
    Shortage(io::Error),
    /// It has ended.
    Ended,
    /// It said something else than where on the loopback interface it listens.
    Nonsense(String),
    /// It did not get as far as its first heartbeat.
    Late(Duration),
    /// It missed so many heartbeats in a row.
    Silent(u32),
}

impl End {
    /// Why there is no process.
    pub(crate) fn of_start(error: io::Error) -> Self {
        if shortage::has_caused(&error) { Self::Shortage(error) } else { Self::NoProcess(error) }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("told to stop"),
            Self::NoProcess(error) | Self::Shortage(error) => {
                write!(f, "cannot be started: {error}")
            }
            Self::Ended => f.write_str("has ended"),
            Self::Nonsense(line) => {
                write!(f, "does not say where on 127.0.0.1 it listens, but `{line}`")
            }
            Self::Late(time) => write!(f, "has not answered within {time:?} after its start"),
            Self::Silent(misses) => write!(f, "has missed {misses} heartbeats"),
        }
    }
}
