//! How the requests of an open loop are spread over time.

use std::fmt;

use loadgen::schedule::Pattern;
use serde::{Deserialize, Deserializer, de};

/// A pattern as the load generator takes it: `poisson`, `constant`, `bursts:10`, `pareto:1.5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals(String);

impl<'de> Deserialize<'de> for Arrivals {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let pattern: Pattern = text.parse().map_err(de::Error::custom)?;
        match pattern.own_rate() {
            None => Ok(Self(text)),
            Some(_) => Err(de::Error::custom(
                "a trace has a rate of its own; write a pattern that takes the rate asked for",
            )),
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
