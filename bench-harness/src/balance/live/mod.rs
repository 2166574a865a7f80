//! The same, live: requests through a real balancer with replicas, counted by who answered.
//!
//! What is placed on paper is only what the balancer does if it asks its ring what it should, hands
//! the request to that replica, and loses none. So each method that places by the key alone is put
//! to work, with each number of replicas, and asked. It draws an id for each request by itself.

mod asker;
mod tester;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::row::{Share, cell, number};
use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;

/// What every replica answers with its number.
const PATH: &str = "/home";
/// How long replicas may take to come up, and to be stopped.
const PATIENCE: Duration = Duration::from_secs(60);

/// A row of `live.csv`: one replica of one balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The method that the balancer goes by.
    pub method: String,
    /// How many replicas it has.
    pub nodes: u32,
    /// This one.
    pub node: String,
    /// Requests to this balancer.
    pub requests: u32,
    /// How many of them this replica answered.
    pub count: u64,
    /// How many of them none of the replicas answered that were there from the start.
    pub failed: u64,
    /// How many would be this one's if every id came once; none where that is not known.
    pub expected: Option<f64>,
}

/// One balancer to be tested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a> {
    pub(super) binaries: &'a Binaries,
    pub(super) pinning: &'a Pinning,
    pub(super) method: &'a str,
    pub(super) nodes: u32,
    pub(super) requests: u32,
}

impl Trial<'_> {
    /// Starts it, asks it, stops it; a row a replica, beside the exact ones among `shares`.
    ///
    /// # Errors
    /// When it does not come up, can't be asked, does not stop, or the user interrupts.
    pub(super) fn rows(&self, shares: &[Share]) -> Result<Vec<Live>> {
        let (mut balancer, address) = self.start()?;
        let answered = tester::ask_all(address, PATH, self.requests)?;
        balancer.terminate()?;
        balancer.finish(PATIENCE).context("stopping the balancer")?;
        Ok(self.counted(&answered, shares))
    }

    fn start(&self) -> Result<(Child, SocketAddr)> {
        let Self { method, nodes, .. } = self;
        let line = format!("balance --method {method} --replicas {nodes} --listen 127.0.0.1:0");
        let words: Vec<_> = line.split(' ').map(ToOwned::to_owned).collect();
        let mut child = Child::start(&self.binaries.servers, &words, &self.pinning.server)?;
        let said = child.line(PATIENCE).with_context(|| format!("starting `servers {line}`"))?;
        let address = said.strip_prefix("listening ").and_then(|address| address.parse().ok());
        Ok((child, address.with_context(|| format!("`servers {line}` began with `{said}`"))?))
    }

    /// `answered` has how many requests were answered by the replica of each number.
    fn counted(&self, answered: &BTreeMap<u32, u64>, shares: &[Share]) -> Vec<Live> {
        let count = |id: u32| answered.get(&id).copied().unwrap_or(0);
        let failed = u64::from(self.requests) - (1..=self.nodes).map(count).sum::<u64>();
        let shares = cell(shares, self.method, self.nodes);
        let row = |id: u32| {
            let node = format!("Server-{id}");
            let share = shares.iter().find(|share| share.node == node);
            let scaled = |share: &&Share| {
                Some(share.expected? * f64::from(self.requests) / f64::from(share.keys))
            };
            Live {
                method: self.method.to_owned(),
                nodes: self.nodes,
                node,
                requests: self.requests,
                count: count(id),
                failed,
                expected: share.and_then(scaled),
            }
        };
        (1..=self.nodes).map(row).collect()
    }
}

/// The counts of one balancer, in the order of its replicas; empty where there was none.
#[must_use]
pub fn counts(rows: &[Live], method: &str, nodes: u32) -> Vec<u64> {
    let mut own: Vec<_> =
        rows.iter().filter(|row| row.method == method && row.nodes == nodes).collect();
    own.sort_by_key(|row| number(&row.node));
    own.into_iter().map(|row| row.count).collect()
}

/// Requests to all balancers, and how many of them failed.
#[must_use]
pub fn totals(rows: &[Live]) -> (u64, u64) {
    let first = rows.iter().filter(|row| number(&row.node) == Some(0));
    first
        .fold((0, 0), |(asked, failed), row| (asked + u64::from(row.requests), failed + row.failed))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn rows(answered: &[(u32, u64)]) -> Vec<Live> {
        let binaries = Binaries { servers: PathBuf::new(), loadgen: PathBuf::new() };
        let pinning = Pinning::of_this_host().unwrap();
        let share = |n: u32, expected| Share {
            method: "ring-given".into(),
            nodes: 2,
            node: format!("Server-{n}"),
            keys: 10_000,
            count: 0,
            expected: Some(expected),
        };
        let trial = Trial {
            binaries: &binaries,
            pinning: &pinning,
            method: "ring-given",
            nodes: 2,
            requests: 100,
        };
        let answered = answered.iter().copied().collect();
        trial.counted(&answered, &[share(1, 9_500.0), share(2, 500.0)])
    }

    #[test]
    fn every_replica_has_a_row_beside_its_exact_share() {
        let rows = rows(&[(1, 96), (2, 4)]);
        assert_eq!(counts(&rows, "ring-given", 2), [96, 4]);
        assert_eq!(rows[0].expected, Some(95.0));
        assert_eq!(totals(&rows), (100, 0));
    }

    #[test]
    fn what_nobody_answered_or_somebody_new_has_failed() {
        let rows = rows(&[(1, 90), (3, 5)]);
        assert_eq!(counts(&rows, "ring-given", 2), [90, 0]);
        assert_eq!(totals(&rows), (100, 10));
    }
}
