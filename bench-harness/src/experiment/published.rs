//! What others have published about the same question, to be laid beside what comes out here.

use serde::Deserialize;

/// A published study.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Published {
    /// Who, and what.
    pub study: String,
    /// Its columns, in its order.
    #[serde(default)]
    pub series: Vec<Series>,
    /// What it found out about an open loop.
    #[serde(default)]
    pub latency: Vec<OpenLoop>,
}

/// What a study found out about a server that was to answer so many requests a second.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OpenLoop {
    /// The name there.
    pub name: String,
    /// Requests a second that were to be sent.
    pub rate: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Percentiles of response time: percent, and milliseconds.
    pub percentiles_ms: Vec<(f64, f64)>,
}

/// What a study found out about one kind of server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Series {
    /// The model here that has the same design.
    pub model: String,
    /// The name there.
    pub name: String,
    /// Clients, and the mean response time in milliseconds.
    pub response_ms: Vec<(u64, f64)>,
    /// How many clients were too many.
    pub failed_at: Option<u64>,
    /// What happened then.
    pub failure: Option<String>,
}

impl Series {
    /// The mean response time with so many clients, in milliseconds.
    #[must_use]
    pub fn at(&self, clients: u64) -> Option<f64> {
        self.response_ms.iter().find(|(count, _)| *count == clients).map(|(_, ms)| *ms)
    }

    /// Whether so many clients were too many.
    #[must_use]
    pub fn fails_at(&self, clients: u64) -> bool {
        self.failed_at.is_some_and(|failed| clients >= failed)
    }
}

/// What the figures of a study have in common, where many clients wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// The fewest and the most clients.
    pub clients: (u64, u64),
    /// The lowest and the highest rate that their response times imply, in requests a second.
    pub rates: (f64, f64),
    /// The largest ratio of two series with the same number of clients.
    pub apart: f64,
}

/// From so many clients on, each waits for the others rather than for the network.
const CROWD: u64 = 100;

impl Published {
    /// The rates that the response times with a crowd of clients imply; `None` when there are no
    /// two.
    #[must_use]
    pub fn plateau(&self) -> Option<Plateau> {
        let all = self.series.iter().flat_map(|series| &series.response_ms);
        let crowds: Vec<_> = all.filter(|(clients, _)| *clients >= CROWD).copied().collect();
        let rates = crowds.iter().map(|(clients, ms)| implied_rate(*clients, *ms));
        let (low, high) =
            rates.fold((f64::MAX, 0.0_f64), |(a, b), rate| (a.min(rate), b.max(rate)));
        let fewest = crowds.iter().map(|(clients, _)| *clients).min()?;
        let most = crowds.iter().map(|(clients, _)| *clients).max()?;
        let pairs = crowds.iter().flat_map(|one| crowds.iter().map(move |other| (one, other)));
        let ratios =
            pairs.filter(|(one, other)| one.0 == other.0).map(|(one, other)| one.1 / other.1);
        let apart = ratios.fold(1.0, f64::max);
        (most > fewest).then_some(Plateau { clients: (fewest, most), rates: (low, high), apart })
    }
}

/// The rate of a closed loop whose clients always wait for an answer, in requests a second, by
/// Little's law: clients over mean response time.
#[must_use]
pub fn implied_rate(clients: u64, response_ms: f64) -> f64 {
    clients as f64 / (response_ms / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_says_what_was_found_and_from_where_on_it_failed() {
        let series: Series = toml::from_str(
            "model = \"select\"\nname = \"select\"\nresponse-ms = [[1, 0.5], [1_000, 10]]\n\
             failed-at = 2_000\nfailure = \"out of range\"\n",
        )
        .unwrap();
        assert_eq!((series.at(1_000), series.at(7)), (Some(10.0), None));
        assert!(series.fails_at(2_000) && series.fails_at(5_000) && !series.fails_at(1_000));
        assert!((implied_rate(1_000, 10.0) - 100_000.0).abs() < 1e-6);
    }
}
