//! Whose the keys are, by the table of a ring's slots that `servers place` prints: it knows nothing
//! of balancers and of what befell their replicas.

use std::process::Command;

use super::SERVERS;

/// Few slots, so that a copy of a replica that stands on another one than it should shows.
const SLOTS: &str = "64";
/// Flags of a balancer that goes by this ring.
pub(crate) const FLAGS: [&str; 4] = ["--method", METHOD, "--slots", SLOTS];
const METHOD: &str = "ring-modified";

/// The slots in their order: how many of all ids meet each, and who stands there.
pub(crate) struct Ring(Vec<(u64, String)>);

impl Ring {
    /// The ring of `Server-1` to `Server-N`.
    pub(crate) fn of(nodes: usize) -> Self {
        let output = Command::new(SERVERS)
            .args(["place", "--show", "slots", "--methods", METHOD, "--slots", SLOTS])
            .args(["--nodes", &nodes.to_string(), "--format", "csv"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("method,nodes,slot,ids,node,copy,home,answers"));
        let fields = lines.map(|line| line.split(',').collect::<Vec<_>>());
        let ring = Self(fields.map(|row| (row[3].parse().unwrap(), row[4].to_owned())).collect());
        assert_eq!(ring.0.len(), SLOTS.parse::<usize>().unwrap());
        ring
    }

    /// The share of all ids that each of these answers, when nobody else is there: an id goes to
    /// the first of them that stands on the slot it meets, or on the next one clockwise.
    pub(crate) fn shares(&self, names: &[&str]) -> Vec<f64> {
        let mut shares = vec![0; names.len()];
        for (slot, (ids, _)) in self.0.iter().enumerate() {
            let mut clockwise = self.0[slot..].iter().chain(&self.0[..slot]);
            let who = clockwise.find_map(|(_, node)| names.iter().position(|name| name == node));
            shares[who.expect("somebody stands on the ring")] += ids;
        }
        let all = shares.iter().sum::<u64>() as f64;
        shares.into_iter().map(|ids| ids as f64 / all).collect()
    }
}

/// Whether these counts are a sample of these shares, by Pearson's test: with up to three of them
/// chance alone fails it less than once in ten million times.
pub(crate) fn are_sample(counts: &[u64], shares: &[f64]) -> bool {
    assert!(counts.len() == shares.len() && (2..=3).contains(&counts.len()));
    let all = counts.iter().sum::<u64>() as f64;
    let term = |(&count, share): (&u64, &f64)| (count as f64 - share * all).powi(2) / (share * all);
    counts.iter().zip(shares).map(term).sum::<f64>() < 33.0
}
