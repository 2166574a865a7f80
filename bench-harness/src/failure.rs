//! What kind of failure ended a trial, in a word: for tables, charts and other programs. The words
//! for people, with the numbers, stand in the row's `error`.

use serde::{Deserialize, Serialize};

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The model turned clients away: their descriptors had numbers that it does not hold.
    FdSetsize,
    /// The server turned clients away: no room for the mappings of another thread.
    Mappings,
    /// The server turned clients away: no thread could be made.
    Threads,
    /// The server turned clients away: the kernel did not watch another descriptor for it.
    Watches,
    /// The server turned clients away, and did not say why.
    Refused,
    /// The descriptor table of the server was full, and clients waited in vain.
    Descriptors,
    /// Clients could not connect.
    Connect,
    /// Clients had no answer in time.
    TimeOut,
    /// Connections ended before their time.
    Closed,
    /// Answers were wrong.
    WrongAnswer,
    /// The server did not start.
    Start,
    /// The server ended before it was stopped.
    Died,
    /// The load generator gave no result, or not in time.
    Load,
}

impl Failure {
    /// The word for a table or a chart.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FdSetsize => "FD_SETSIZE",
            Self::Mappings => "mappings",
            Self::Threads => "threads",
            Self::Watches => "watches",
            Self::Refused => "refused",
            Self::Descriptors => "descriptors",
            Self::Connect => "connect",
            Self::TimeOut => "time-out",
            Self::Closed => "closed",
            Self::WrongAnswer => "wrong answer",
            Self::Start => "no start",
            Self::Died => "died",
            Self::Load => "no result",
        }
    }
}
