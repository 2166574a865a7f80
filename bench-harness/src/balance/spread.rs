//! How far counts are from even.

use serde::Serialize;

use super::live::{self, Live};
use super::published;
use super::row::{Share, cell, methods};

/// Where counts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The keys of this run.
    Counted,
    /// Requests to a balancer at work.
    Live,
    /// Every id once: the method itself, without chance.
    Exact,
    /// What others have published.
    Published,
}

/// The spread of one method among so many nodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The method.
    pub method: String,
    /// Where the counts come from.
    pub origin: Origin,
    /// How many nodes there are.
    pub nodes: u32,
    /// The average load: keys over nodes.
    pub average: f64,
    /// The least load.
    pub least: f64,
    /// The largest load.
    pub peak: f64,
    /// The standard deviation of the loads; the nodes are all there are.
    pub deviation: f64,
    /// The largest load over the average.
    pub peak_to_average: f64,
}

impl Spread {
    /// None without loads.
    fn of(method: &str, origin: Origin, loads: &[f64]) -> Option<Self> {
        let nodes = loads.len() as f64;
        let average = loads.iter().sum::<f64>() / nodes;
        let squares = loads.iter().map(|load| (load - average).powi(2)).sum::<f64>();
        let peak = loads.iter().copied().reduce(f64::max)?;
        Some(Self {
            method: method.to_owned(),
            origin,
            nodes: loads.len() as u32,
            average,
            least: loads.iter().copied().reduce(f64::min)?,
            peak,
            deviation: (squares / nodes).sqrt(),
            peak_to_average: peak / average,
        })
    }
}

/// Of each method, among each number of nodes, from each origin that has all loads.
#[must_use]
pub fn spreads(shares: &[Share], live: &[Live]) -> Vec<Spread> {
    let mut sizes: Vec<_> = shares.iter().map(|share| share.nodes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut all = Vec::new();
    for method in methods(shares) {
        for &nodes in &sizes {
            let cell = cell(shares, method, nodes);
            let counted: Vec<_> = cell.iter().map(|share| share.count as f64).collect();
            let exact: Option<Vec<_>> = cell.iter().map(|share| share.expected).collect();
            all.extend(Spread::of(method, Origin::Counted, &counted));
            all.extend(Spread::of(method, Origin::Live, &loads(live::counts(live, method, nodes))));
            all.extend(Spread::of(method, Origin::Exact, &exact.unwrap_or_default()));
            all.extend(Spread::of(
                method,
                Origin::Published,
                &loads(published::counts(method, nodes)),
            ));
        }
    }
    all
}

fn loads(counts: Vec<u64>) -> Vec<f64> {
    counts.into_iter().map(|count| count as f64).collect()
}

/// The standard deviation of the loads that chance alone would leave of a method that shares
/// evenly: that of a multinomial distribution.
#[must_use]
pub fn by_chance(keys: f64, nodes: u32) -> f64 {
    let share = 1.0 / f64::from(nodes);
    (keys * share * (1.0 - share)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(node: &str, count: u64, expected: Option<f64>) -> Share {
        let (method, node) = ("ring-given".to_owned(), node.to_owned());
        Share { method, nodes: 2, node, keys: 10_000, count, expected }
    }

    #[test]
    fn deviation_and_peak_are_those_of_all_nodes() {
        let rows = [share("Server-1", 9000, Some(9531.0)), share("Server-2", 1000, Some(469.0))];
        let all = spreads(&rows, &[]);
        assert_eq!(all.len(), 3);
        let (counted, exact, published) = (&all[0], &all[1], &all[2]);
        assert_eq!((counted.average, counted.deviation), (5000.0, 4000.0));
        assert_eq!((counted.peak_to_average, counted.least), (1.8, 1000.0));
        assert_eq!((exact.origin, exact.deviation), (Origin::Exact, 4531.0));
        // What their own chart shows for two servers.
        assert_eq!((published.origin, published.deviation), (Origin::Published, 4531.0));
    }

    #[test]
    fn where_a_load_is_not_known_there_is_no_exact_spread() {
        let rows = [share("Server-1", 6000, Some(5000.0)), share("Server-2", 4000, None)];
        assert!(spreads(&rows, &[]).iter().all(|spread| spread.origin != Origin::Exact));
    }

    #[test]
    fn chance_leaves_the_deviation_of_a_coin() {
        assert_eq!(by_chance(10_000.0, 2), 50.0);
    }
}
