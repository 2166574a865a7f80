//! What has to hold: `p99<5ms`, `p99.9<=800us`, `errors<0.1%`, or several of them.
//!
//! Each of them is brought to the same form: of all requests, no more than this share may miss
//! it. `p99<5ms` says that at most 1 % may take 5 ms or longer. So a percentile is never
//! estimated; requests that miss are counted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::parse_duration;

/// Conditions that all have to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective(Vec<Condition>);

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// A percentile of the response times lies below a bound.
    Latency {
        /// Above 0 and below 100: 99.9.
        percent: f64,
        /// Whether the bound itself is still good enough.
        within: Within,
        /// The bound.
        bound: Duration,
    },
    /// Fewer requests than this have no answer, or a wrong one.
    Errors {
        /// Above 0 and below 100.
        percent: f64,
        /// Whether the bound itself is still good enough.
        within: Within,
    },
}

/// How a bound is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

impl Objective {
    /// All of them; there is at least one.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }
}

impl Condition {
    /// The largest share of all requests that may miss it, above 0 and below 1.
    #[must_use]
    pub fn allowance(&self) -> f64 {
        match self {
            Self::Latency { percent, .. } => (100.0 - percent) / 100.0,
            Self::Errors { percent, .. } => percent / 100.0,
        }
    }

    /// The longest response time in whole nanoseconds that doesn't miss it; none if any will do.
    #[must_use]
    pub fn longest_ns(&self) -> Option<u64> {
        let Self::Latency { within, bound, .. } = self else { return None };
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Some(match within {
            Within::Below => bound.saturating_sub(1),
            Within::AtMost => bound,
        })
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split("&&").flat_map(|part| part.split(','));
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let advice = "an objective is p99<5ms, p99.9<=800us, errors<0.1% or several, joined by ,";
        let wrong = || format!("{:?}: {advice}", text.trim());
        let (what, bound) = text.split_once('<').ok_or_else(wrong)?;
        let (within, bound) = match bound.strip_prefix('=') {
            Some(bound) => (Within::AtMost, bound.trim()),
            None => (Within::Below, bound.trim()),
        };
        if what.trim() == "errors" {
            let percent = percent(bound.strip_suffix('%').ok_or_else(wrong)?)?;
            return Ok(Self::Errors { percent, within });
        }
        let percent = percent(what.trim().strip_prefix('p').ok_or_else(wrong)?)?;
        let bound = parse_duration(bound)?;
        if bound.is_zero() { Err(wrong()) } else { Ok(Self::Latency { percent, within, bound }) }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent),
        _ => Err(format!(
            "{text:?} is not a percentage above 0 and below 100: no sample could show it"
        )),
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(Condition::to_string).collect();
        formatter.write_str(&parts.join(","))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency { percent, within, bound } => {
                write!(formatter, "p{percent}{within}{bound:?}")
            }
            Self::Errors { percent, within } => write!(formatter, "errors{within}{percent}%"),
        }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Below => "<",
            Self::AtMost => "<=",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_conditions() {
        let cases = [
            ("p99<5ms", "p99<5ms", 0.01, Some(4_999_999)),
            ("p99.9<=800us", "p99.9<=800µs", 0.001, Some(800_000)),
            (" p50 < 1ms ", "p50<1ms", 0.5, Some(999_999)),
            ("errors<0.1%", "errors<0.1%", 0.001, None),
            ("errors <= 2 %", "errors<=2%", 0.02, None),
        ];
        for (text, shown, allowance, longest_ns) in cases {
            let condition: Condition = text.replace(" %", "%").parse().unwrap();
            assert_eq!(condition.to_string(), shown);
            assert!((condition.allowance() - allowance).abs() < 1e-12, "{text}");
            assert_eq!(condition.longest_ns(), longest_ns, "{text}");
        }
    }

    #[test]
    fn joins_conditions() {
        let objective: Objective = "p99<5ms, p50<1ms && errors<1%".parse().unwrap();
        assert_eq!(objective.conditions().len(), 3);
        assert_eq!(objective.to_string(), "p99<5ms,p50<1ms,errors<1%");
        assert_eq!(objective.to_string().parse(), Ok(objective));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let cases = ["", "p99", "p99>5ms", "p99<5", "p99<0ms", "99<5ms", "p100<1s", "p0<1s"];
        let more = ["pnan<1s", "errors<1", "errors<0%", "errors<1ms", "p99<5ms,", "p99=<5ms"];
        for text in cases.into_iter().chain(more) {
            assert!(text.parse::<Objective>().is_err(), "{text}");
        }
    }
}
