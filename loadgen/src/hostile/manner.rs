//! The ways to misbehave, as a table of habits.
//!
//! | mode        | sends                    | reads          | at the end of what it sends |
//! |-------------|--------------------------|----------------|-----------------------------|
//! | slow-reader | requests without end     | octet by octet | there is none               |
//! | slow-sender | one request without end  | everything     | there is none               |
//! | half-open   | a share of a request     | everything     | silence, or a half close    |
//! | reset-storm | a share of a request     | nothing        | a reset                     |

use std::time::Duration;

use super::script::Script;

/// How the connections of an attack behave.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) script: Script,
    pub(super) sends: Pace,
    pub(super) reads: Pace,
    pub(super) then: Then,
    /// SO_RCVBUF in octets; none leaves it to the kernel.
    pub(super) receive_buffer: Option<usize>,
    pub(super) again: Again,
}

/// The name of a manner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Asks without end and hardly reads: its window closes (RFC 9293, section 3.8.6).
    SlowReader,
    /// Sends a request octet by octet and never finishes it.
    SlowSender,
    /// Connects, sends a part, and is never heard of again.
    HalfOpen,
    /// Connects, sends a part, resets, and again.
    ResetStorm,
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As soon as possible.
    AtOnce,
    /// An octet, and the next one this much later.
    Drip(Duration),
}

/// What follows the last octet of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Then {
    /// Nothing, with the connection open.
    Silence,
    /// The sending direction is shut down: the server sees the end of the input.
    Shutdown,
    /// The connection is reset (SO_LINGER of 0, socket(7)).
    #[value(skip)]
    Reset,
}

/// When a connection that has ended is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// So long after its end.
    After(Duration),
    /// So long after it was last due, however long it took.
    Each(Duration),
}

impl Manner {
    /// How often something is due on an open connection.
    pub(super) fn drip(&self) -> Option<Duration> {
        match (self.sends, self.reads) {
            (Pace::Drip(interval), _) | (_, Pace::Drip(interval)) => Some(interval),
            (Pace::AtOnce, Pace::AtOnce) => None,
        }
    }
}

impl Mode {
    /// Its name on the command line and in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SlowReader => "slow-reader",
            Self::SlowSender => "slow-sender",
            Self::HalfOpen => "half-open",
            Self::ResetStorm => "reset-storm",
        }
    }
}
