//! What became of the connections of an attack.

use hdrhistogram::Histogram;

/// The counts, and how long the server bore what it ended.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Connections that were begun: `established + refused + dialling`.
    pub(super) attempted: u64,
    /// Of these: `finished + reset + reset_by_us + open`.
    pub(super) established: u64,
    pub(super) refused: u64,
    /// Still being made at the end.
    pub(super) dialling: u64,
    /// Still open at the end.
    pub(super) open: u64,
    pub(super) reset_by_us: u64,
    /// Ages in nanoseconds of those that the server ended.
    pub(super) finished: Histogram<u64>,
    /// The same, for those that it reset.
    pub(super) reset: Histogram<u64>,
    pub(super) octets_sent: u64,
    pub(super) octets_received: u64,
    pub(super) first_error: Option<String>,
}

/// How a server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In good order: FIN.
    Finished,
    /// RST.
    Reset,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            attempted: 0,
            established: 0,
            refused: 0,
            dialling: 0,
            open: 0,
            reset_by_us: 0,
            finished: ages(),
            reset: ages(),
            octets_sent: 0,
            octets_received: 0,
            first_error: None,
        }
    }

    /// The server has ended a connection of that age.
    pub(super) fn ended(&mut self, end: End, age_ns: u64) {
        match end {
            End::Finished => self.finished.saturating_record(age_ns),
            End::Reset => self.reset.saturating_record(age_ns),
        }
    }

    /// Why there is no result.
    pub(super) fn complaint(&self, target: &str) -> String {
        let why = self.first_error.as_deref().unwrap_or("no answer in time");
        format!("none of {} connections to {target} could be made: {why}", self.attempted)
    }
}

/// Three digits, up to a day and more.
pub(super) fn ages() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 100_000_000_000_000, 3).expect("bounds that are in order")
}
