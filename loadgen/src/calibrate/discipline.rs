//! When a ruler answers: known exactly, so that it can be worked out beforehand as well as done.
//!
//! The server carries a discipline out; [`super::lindley`] works it out for a whole schedule. Both
//! ask the same [`Departures`], which know nothing of sockets and clocks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::parse_duration;

/// How a ruler serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discipline {
    /// Each reply leaves this long after its request, however many are out.
    Fixed(Duration),
    /// One server, first come, first served, this long for each request: with Poisson arrivals
    /// that is M/D/1.
    Queue(Duration),
    /// The same server, which stands still now and then.
    Frozen(Duration, Freeze),
}

/// When a server stands still. A request that is being served is held up for as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freeze {
    /// When it stands still for the first time, counted from the first request.
    pub(crate) from: Duration,
    /// For how long each time.
    pub(crate) length: Duration,
    /// From one beginning to the next.
    pub(crate) period: Duration,
}

/// The moments at which replies leave, in nanoseconds on the clock of the arrivals.
#[derive(Clone, Debug)]
pub(crate) struct Departures {
    discipline: Discipline,
    first_arrival: Option<u64>,
    last_departure: u64,
}

impl Departures {
    pub(crate) fn new(discipline: Discipline) -> Self {
        Self { discipline, first_arrival: None, last_departure: 0 }
    }

    /// When the reply leaves to a request that comes now. Requests have to be told of in the order
    /// of their arrival; then replies leave in that order too.
    pub(crate) fn next(&mut self, arrival: u64) -> u64 {
        let first = *self.first_arrival.get_or_insert(arrival);
        let start = arrival.max(self.last_departure);
        self.last_departure = match self.discipline {
            Discipline::Fixed(delay) => arrival + nanos(delay),
            Discipline::Queue(service) => start + nanos(service),
            Discipline::Frozen(service, freeze) => {
                first + freeze.end_of_work(start - first, nanos(service))
            }
        };
        self.last_departure
    }
}

impl Freeze {
    /// When work is done that could begin at `start` and takes `work` nanoseconds, which must be
    /// less than there are between two freezes.
    fn end_of_work(self, start: u64, work: u64) -> u64 {
        let start = self.thaw(start);
        let interrupted = start + work > self.next_from(start);
        start + work + if interrupted { nanos(self.length) } else { 0 }
    }

    /// The first moment from `at` on that is not frozen.
    fn thaw(self, at: u64) -> u64 {
        match at.checked_sub(nanos(self.from)).map(|since| since % nanos(self.period)) {
            Some(since) if since < nanos(self.length) => at - since + nanos(self.length),
            _ => at,
        }
    }

    /// When the next freeze after `at` begins.
    fn next_from(self, at: u64) -> u64 {
        let (from, period) = (nanos(self.from), nanos(self.period));
        if at < from { from } else { at + period - (at - from) % period }
    }
}

/// Whole nanoseconds, as the clock counts them.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Discipline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(delay) => write!(formatter, "fixed:{delay:?}"),
            Self::Queue(service) => write!(formatter, "queue:{service:?}"),
            Self::Frozen(service, Freeze { from, length, period }) => {
                write!(formatter, "frozen:{service:?}:{from:?}:{length:?}:{period:?}")
            }
        }
    }
}

impl FromStr for Discipline {
    type Err = String;

    /// Reads `fixed:TIME`, `queue:TIME` or `frozen:TIME:FROM:LENGTH:PERIOD`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let times = rest.split(':').map(parse_duration).collect::<Result<Vec<_>, _>>()?;
        match (name, times.as_slice()) {
            ("fixed", &[delay]) => Ok(Self::Fixed(delay)),
            ("queue", &[service]) => Ok(Self::Queue(service)),
            ("frozen", &[service, from, length, period])
                if period.checked_sub(length).is_some_and(|thawed| service < thawed) =>
            {
                Ok(Self::Frozen(service, Freeze { from, length, period }))
            }
            _ => Err(format!("{text:?}: fixed:TIME, queue:TIME, frozen:TIME:FROM:LENGTH:PERIOD")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn departures(discipline: &str, arrivals: &[u64]) -> Vec<u64> {
        let mut departures = Departures::new(discipline.parse().expect("a discipline"));
        arrivals.iter().map(|at| departures.next(at * MS) / MS).collect()
    }

    #[test]
    fn a_fixed_delay_serves_all_at_once() {
        assert_eq!(departures("fixed:5ms", &[1, 1, 2, 90]), [6, 6, 7, 95]);
    }

    #[test]
    fn a_queue_serves_one_after_the_other() {
        assert_eq!(departures("queue:5ms", &[1, 1, 2, 90, 94]), [6, 11, 16, 95, 100]);
    }

    #[test]
    fn a_freeze_holds_up_what_comes_in_it_and_what_is_being_served() {
        // Counted from the first request, at 100: frozen from 10 to 13, from 30 to 33, and so on.
        let frozen = "frozen:2ms:10ms:3ms:20ms";
        assert_eq!(departures(frozen, &[100, 107, 108]), [102, 109, 114]);
        assert_eq!(departures(frozen, &[100, 108, 109]), [102, 110, 115]);
        assert_eq!(departures(frozen, &[100, 110]), [102, 115]);
        assert_eq!(departures(frozen, &[100, 113, 132]), [102, 115, 135]);
    }

    #[test]
    fn a_discipline_can_be_written_and_read_again() {
        for text in ["fixed:2ms", "queue:1.5ms", "frozen:1ms:1.999s:1s:5s"] {
            assert_eq!(text.parse::<Discipline>().expect(text).to_string(), text);
        }
        for text in ["", "fixed", "fixed:2", "queue:1ms:1ms", "frozen:1ms:0s:5s:5s", "other:1ms"] {
            assert!(text.parse::<Discipline>().is_err(), "{text}");
        }
    }
}
