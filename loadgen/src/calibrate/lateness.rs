//! Whether a ruler kept its own time: one that was kept from its work is no ruler.
//!
//! The server is another process, so it tells this in a line of text.

use std::fmt;

use serde::Serialize;

use crate::recorder::Times;

/// By how much replies left after their time and requests were read after theirs, in nanoseconds.
///
/// When a request came isn't known, only that it was not there at the last look; so for requests
/// this is the time since then, an upper bound. A server that sleeps can't tell it of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Lateness {
    /// The median.
    pub(crate) p50_ns: u64,
    /// The 99th percentile.
    pub(crate) p99_ns: u64,
    /// The largest.
    pub(crate) max_ns: u64,
}

impl Lateness {
    /// Of all that was recorded.
    pub(crate) fn of(late: &Times) -> Self {
        let at = |quantile| late.histogram().value_at_quantile(quantile);
        Self { p50_ns: at(0.5), p99_ns: at(0.99), max_ns: at(1.0) }
    }

    /// Reads what [`Display`](fmt::Display) wrote; none if that is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        match numbers.ok()?.as_slice() {
            &[p50_ns, p99_ns, max_ns] => Some(Self { p50_ns, p99_ns, max_ns }),
            _ => None,
        }
    }
}

impl fmt::Display for Lateness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.p50_ns, self.p99_ns, self.max_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_read() {
        let mut late = Times::default();
        (1..=1000).for_each(|nanos| late.record(nanos));
        let lateness = Lateness::of(&late);
        assert_eq!(lateness, Lateness { p50_ns: 500, p99_ns: 990, max_ns: 1000 });
        assert_eq!(Lateness::parse(&format!("{lateness}\n")), Some(lateness));
    }

    #[test]
    fn anything_else_is_not_read() {
        for text in ["", "1 2", "1 2 3 4", "1 2 x", "-1 2 3"] {
            assert_eq!(Lateness::parse(text), None, "{text:?}");
        }
    }
}
