//! The names of the series in an interval log: `r3.resp`, `all.serv`.

use std::fmt;
use std::str::FromStr;

/// A series of histograms in an interval log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Whose times.
    pub origin: Origin,
    /// Which times.
    pub series: Series,
}

/// Whose times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Those of one agent; 0 where there is one alone.
    Rank(u32),
    /// Those of all agents.
    All,
}

/// Which times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// Response times, from when a request was to be sent.
    Response,
    /// Service times, from when it was sent.
    Service,
    /// How late the load generator itself was.
    Lag,
}

impl Series {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Response, Self::Service, Self::Lag];

    /// The short name that tags have.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "resp",
            Self::Service => "serv",
            Self::Lag => "lag",
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Rank(rank) => write!(formatter, "r{rank}.{}", self.series.name()),
            Origin::All => write!(formatter, "all.{}", self.series.name()),
        }
    }
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is not a tag such as r0.resp");
        let (origin, series) = text.split_once('.').ok_or_else(unknown)?;
        let origin = match origin.strip_prefix('r') {
            Some(rank) => Origin::Rank(rank.parse().map_err(|_| unknown())?),
            None if origin == "all" => Origin::All,
            None => return Err(unknown()),
        };
        let series = Series::ALL.into_iter().find(|known| known.name() == series);
        Ok(Self { origin, series: series.ok_or_else(unknown)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for origin in [Origin::Rank(0), Origin::Rank(17), Origin::All] {
            for series in Series::ALL {
                let tag = Tag { origin, series };
                assert_eq!(tag.to_string().parse(), Ok(tag));
            }
        }
        assert_eq!("r3.resp".parse::<Tag>().map(|tag| tag.origin), Ok(Origin::Rank(3)));
    }

    #[test]
    fn other_names_are_refused() {
        for text in ["", "r.resp", "r1", "r1.", "x.lag", "r-1.lag", "all.other"] {
            assert!(text.parse::<Tag>().is_err(), "{text}");
        }
    }
}
