//! The patterns of arrivals, and their words on the command line.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::trace::Trace;

/// How send times are spread.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// `constant`: equal gaps.
    Constant,
    /// `poisson`: exponential gaps, as from many users who know nothing of each other.
    Poisson,
    /// `bursts:N`: this many requests at the same instant, and equal gaps between these instants.
    /// So being sent together is all that distinguishes it from [`Self::Constant`].
    Bursts(NonZeroU64),
    /// `pareto:ALPHA`: gaps with the Pareto law of this exponent, above 1. The smaller it is, the
    /// longer the long gaps are, and the denser the crowds between them; at 2 and below, the
    /// variance is infinite.
    Pareto(f64),
    /// `ramp:FROM`: the rate goes from this one on a straight line to that of the schedule, from
    /// when measuring begins to when it ends.
    Ramp(f64),
    /// `trace:FILE`: send times from a file.
    Trace(Trace),
}

impl Pattern {
    /// Requests a second, if the pattern itself says how many there are: a trace does, and all
    /// others need a rate.
    #[must_use]
    pub fn own_rate(&self) -> Option<f64> {
        match self {
            Self::Trace(trace) => Some(trace.rate()),
            _ => None,
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// Reads the word of the command line; a trace is read from its file.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "constant" => Ok(Self::Constant),
            None if text == "poisson" => Ok(Self::Poisson),
            Some(("bursts", size)) => bursts(size),
            Some(("pareto", alpha)) => pareto(alpha),
            Some(("ramp", from)) => ramp(from),
            Some(("trace", file)) => Trace::read(file).map(Self::Trace),
            _ => Err("arrivals are constant, poisson, bursts:N, pareto:ALPHA, ramp:FROM or \
                      trace:FILE"
                .to_owned()),
        }
    }
}

fn bursts(size: &str) -> Result<Pattern, String> {
    let size = size.parse().map(Pattern::Bursts);
    size.map_err(|_| "bursts:N needs a whole number of requests above 0".to_owned())
}

fn pareto(alpha: &str) -> Result<Pattern, String> {
    match alpha.parse() {
        Ok(alpha) if alpha > 1.0 && f64::is_finite(alpha) => Ok(Pattern::Pareto(alpha)),
        _ => Err("pareto:ALPHA needs a number above 1, or the gaps would have no mean".to_owned()),
    }
}

fn ramp(from: &str) -> Result<Pattern, String> {
    match from.parse() {
        Ok(from) if (0.0..=1e9).contains(&from) => Ok(Pattern::Ramp(from)),
        _ => Err("ramp:FROM needs a rate between 0 and 1000000000 requests a second".to_owned()),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => formatter.write_str("constant"),
            Self::Poisson => formatter.write_str("poisson"),
            Self::Bursts(size) => write!(formatter, "bursts:{size}"),
            Self::Pareto(alpha) => write!(formatter, "pareto:{alpha}"),
            Self::Ramp(from) => write!(formatter, "ramp:{from}"),
            Self::Trace(trace) => write!(formatter, "trace:{}", trace.file()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for word in ["constant", "poisson", "bursts:10", "pareto:1.5", "ramp:0", "ramp:12.5"] {
            let pattern: Pattern = word.parse().unwrap();
            assert_eq!(pattern.to_string(), word);
            assert_eq!(pattern.own_rate(), None);
        }
    }

    #[test]
    fn a_trace_has_its_own_rate() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0.5\n1\n").unwrap();
        let word = format!("trace:{}", file.path().display());
        let pattern: Pattern = word.parse().unwrap();
        assert_eq!((pattern.to_string(), pattern.own_rate()), (word, Some(2.0)));
    }

    #[test]
    fn wrong_words_say_what_is_needed() {
        let cases = [
            ("", "arrivals are constant"),
            ("Poisson", "arrivals are constant"),
            ("constant:1", "arrivals are constant"),
            ("bursts:0", "bursts:N needs"),
            ("bursts:1.5", "bursts:N needs"),
            ("pareto:1", "pareto:ALPHA needs"),
            ("pareto:nan", "pareto:ALPHA needs"),
            ("pareto:inf", "pareto:ALPHA needs"),
            ("ramp:-1", "ramp:FROM needs"),
            ("ramp:nan", "ramp:FROM needs"),
            ("trace:/nonexistent/times", "/nonexistent/times: No such file"),
        ];
        for (word, expected) in cases {
            let error = word.parse::<Pattern>().unwrap_err();
            assert!(error.starts_with(expected), "{word}: {error}");
        }
    }
}
