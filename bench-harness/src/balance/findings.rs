//! What the numbers say, in sentences that are computed from them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::chi_square::ChiSquare;
use super::live::{self, Live};
use super::measure::Run;
use super::moved::{self, Moved};
use super::published;
use super::row::{Change, Share, Slot, cell, methods};
use super::spread::{Origin, Spread, spreads};
use crate::report::number::{grouped, three};

/// Less often than this by chance alone, and it is taken for none.
const LEVEL: f64 = 0.001;

/// Whether the counts of a method are a sample of its exact shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The method.
    pub method: String,
    /// Whose counts.
    pub origin: Origin,
    /// How many nodes; none for all numbers of nodes together.
    pub nodes: Option<u32>,
    /// Pearson's statistic.
    pub chi_square: f64,
    /// Its degrees of freedom.
    pub freedom: u32,
    /// How often chance alone gives as much or more.
    pub chance: f64,
}

impl Fit {
    fn new(method: &str, origin: Origin, nodes: Option<u32>, test: ChiSquare) -> Self {
        let ChiSquare { statistic, freedom } = test;
        let chance = test.chance();
        Self { method: method.into(), origin, nodes, chi_square: statistic, freedom, chance }
    }

    /// Whether chance explains the difference.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.chance >= LEVEL
    }
}

/// A ring in a few numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Anatomy {
    /// The method.
    pub method: String,
    /// Slots.
    pub slots: usize,
    /// Slots that any id meets.
    pub met: usize,
    /// The largest share of all ids that meets one slot.
    pub most: f64,
    /// Copies of servers.
    pub copies: usize,
    /// Those that stand on another slot than they would have liked.
    pub collisions: usize,
    /// The longest run of slots without a copy, which has one answer for all of its ids.
    pub gap: usize,
}

/// What a run says.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Of each method, number of nodes and origin.
    pub spreads: Vec<Spread>,
    /// Of each method, and of each of its numbers of nodes.
    pub fits: Vec<Fit>,
    /// Of each method, when a node goes and when one comes, with the most nodes.
    pub moved: Vec<Moved>,
    /// Of the rings.
    pub rings: Vec<Anatomy>,
    /// The most nodes.
    pub most: u32,
    /// Requests to balancers at work, and how many of them failed.
    pub live: (u64, u64),
}

impl Findings {
    /// Of what was measured.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let most = run.manifest.extent.most;
        let names = methods(&run.shares);
        let moved = |method: &&str| moved::of(&run.moves, method, most);
        let ring = |method: &&str| anatomy(&run.slots, method);
        Self {
            spreads: spreads(&run.shares, &run.live),
            fits: fits(&run.shares, &run.live),
            moved: names.iter().flat_map(moved).collect(),
            rings: names.iter().filter_map(ring).collect(),
            most,
            live: live::totals(&run.live),
        }
    }

    /// One spread.
    #[must_use]
    pub fn spread(&self, method: &str, origin: Origin, nodes: u32) -> Option<&Spread> {
        let wanted = |s: &&Spread| s.method == method && s.origin == origin && s.nodes == nodes;
        self.spreads.iter().find(wanted)
    }

    /// What is exact, or what was counted where nothing is.
    #[must_use]
    pub fn true_spread(&self, method: &str, nodes: u32) -> Option<&Spread> {
        let exact = self.spread(method, Origin::Exact, nodes);
        exact.or_else(|| self.spread(method, Origin::Counted, nodes))
    }

    /// What the shares of a ring come from.
    #[must_use]
    pub fn ring(&self, method: &str) -> Option<String> {
        let ring = self.rings.iter().find(|ring| ring.method == method)?;
        let peak = self.spread(method, Origin::Exact, self.most)?.peak_to_average;
        let nodes = f64::from(self.most);
        Some(format!(
            "{method}: ids meet {} of {} slots, and the busiest of {} servers gets {:.0} %",
            ring.met,
            ring.slots,
            self.most,
            100.0 * peak / nodes
        ))
    }

    /// Whether the exact shares explain the counts of this origin.
    #[must_use]
    pub fn explained(&self, origin: Origin) -> Option<String> {
        let whole = |fit: &&Fit| fit.origin == origin && fit.nodes.is_none();
        let (held, failed): (Vec<_>, Vec<_>) =
            self.fits.iter().filter(whole).partition(|fit| fit.holds());
        let least = held.iter().chain(&failed).map(|fit| fit.chance).reduce(f64::min)?;
        let whose = match origin {
            Origin::Published => "the published counts of",
            Origin::Live => "who answered in balancers at work by",
            Origin::Counted | Origin::Exact => "the counts of",
        };
        let names = |fits: &[&Fit]| {
            fits.iter().map(|fit| fit.method.as_str()).collect::<Vec<_>>().join(", ")
        };
        if failed.is_empty() {
            let (p, names) = (three(least), names(&held));
            return Some(format!(
                "The exact shares explain {whose} {names}: what is left is chance \
                 (chi-square, p ≥ {p})"
            ));
        }
        Some(format!("The exact shares do not explain {whose} {} (chi-square)", names(&failed)))
    }

    /// Whether balancers at work lost requests.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        let (asked, failed) = self.live;
        let failed = if failed == 0 { "none".into() } else { grouped(failed as f64) };
        (asked > 0).then(|| {
            format!("Of {} requests to balancers at work {failed} failed", grouped(asked as f64))
        })
    }

    /// Who shares best, and who worst.
    #[must_use]
    pub fn peak(&self) -> Option<String> {
        let mut names: Vec<_> = self.spreads.iter().map(|spread| spread.method.as_str()).collect();
        names.dedup();
        let spreads = names.iter().filter_map(|method| self.true_spread(method, self.most));
        let by =
            |one: &&Spread, other: &&Spread| one.peak_to_average.total_cmp(&other.peak_to_average);
        let (best, worst) = (spreads.clone().min_by(by)?, spreads.max_by(by)?);
        Some(format!(
            "The busiest of {} servers has {:.2} times the average load under {}, and {:.3} times \
             under {}",
            self.most, worst.peak_to_average, worst.method, best.peak_to_average, best.method
        ))
    }

    /// What such a change moved, under each method.
    pub fn moved_by(&self, change: Change) -> impl Iterator<Item = &Moved> {
        self.moved.iter().filter(move |moved| moved.change == change)
    }

    /// Who moves keys that need not move.
    #[must_use]
    pub fn needless(&self, change: Change) -> Option<String> {
        moved::needless(self.moved_by(change), change, self.most)
    }
}

fn fits(shares: &[Share], live: &[Live]) -> Vec<Fit> {
    let sizes: BTreeSet<_> = shares.iter().map(|share| share.nodes).collect();
    let mut all = Vec::new();
    for method in methods(shares) {
        for origin in [Origin::Counted, Origin::Live, Origin::Published] {
            let counts = |nodes| counts((shares, live), method, origin, nodes);
            let test =
                |&nodes: &u32| Some((nodes, test(&cell(shares, method, nodes), &counts(nodes))?));
            let tests: Vec<_> = sizes.iter().filter_map(test).collect();
            let fit = |&(nodes, test): &(u32, _)| Fit::new(method, origin, Some(nodes), test);
            all.extend(tests.iter().map(fit));
            let whole = tests.into_iter().map(|(_, test)| test).reduce(ChiSquare::and);
            all.extend(whole.map(|test| Fit::new(method, origin, None, test)));
        }
    }
    all
}

fn counts(rows: (&[Share], &[Live]), method: &str, origin: Origin, nodes: u32) -> Vec<u64> {
    let (shares, live) = rows;
    match origin {
        Origin::Published => published::counts(method, nodes),
        Origin::Live => live::counts(live, method, nodes),
        Origin::Counted | Origin::Exact => {
            cell(shares, method, nodes).iter().map(|share| share.count).collect()
        }
    }
}

/// None where there are no counts, or nothing exact to compare them with.
fn test(cell: &[&Share], counts: &[u64]) -> Option<ChiSquare> {
    let shares: Vec<_> =
        cell.iter().map(|s| Some(s.expected? / f64::from(s.keys))).collect::<Option<_>>()?;
    let total = counts.iter().sum::<u64>() as f64;
    let expected: Vec<_> = shares.iter().map(|share| share * total).collect();
    (!counts.is_empty() && counts.len() == expected.len()).then(|| ChiSquare::of(counts, &expected))
}

fn anatomy(slots: &[Slot], method: &str) -> Option<Anatomy> {
    let slots: Vec<_> = slots.iter().filter(|slot| slot.method == method).collect();
    let ids = slots.iter().map(|slot| slot.ids).sum::<u64>() as f64;
    Some(Anatomy {
        method: method.into(),
        slots: slots.len(),
        met: slots.iter().filter(|slot| slot.ids > 0).count(),
        most: slots.iter().map(|slot| slot.ids).max()? as f64 / ids,
        copies: slots.iter().filter(|slot| slot.node.is_some()).count(),
        collisions: slots
            .iter()
            .filter(|slot| slot.home.is_some_and(|home| home != slot.slot))
            .count(),
        gap: gap(&slots),
    })
}

/// The longest run of slots without a copy, all the way round.
fn gap(slots: &[&Slot]) -> usize {
    let taken: Vec<_> = slots.iter().filter(|slot| slot.node.is_some()).map(|s| s.slot).collect();
    let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return slots.len() };
    let round = first + slots.len() - last - 1;
    taken.windows(2).map(|two| two[1] - two[0] - 1).fold(round, usize::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(expected: [f64; 2], counts: [u64; 2]) -> Vec<Share> {
        let row = |n: usize| Share {
            method: "ring-given".into(),
            nodes: 2,
            node: format!("Server-{}", n + 1),
            keys: 10_000,
            count: counts[n],
            expected: Some(expected[n]),
        };
        vec![row(0), row(1)]
    }

    fn findings(shares: &[Share]) -> Findings {
        let (spreads, fits) = (spreads(shares, &[]), fits(shares, &[]));
        Findings { spreads, fits, moved: vec![], rings: vec![], most: 2, live: (0, 0) }
    }

    #[test]
    fn counts_that_are_a_sample_of_the_exact_shares_are_explained() {
        let findings = findings(&rows([9531.26, 468.74], [9506, 494]));
        let counted = findings.explained(Origin::Counted).unwrap();
        assert!(counted.starts_with("The exact shares explain the counts of ring-given"));
        // The published ones are 9531 and 469: as near as can be.
        let published = findings.explained(Origin::Published).unwrap();
        assert!(
            published.contains("explain the published counts") && published.contains("p ≥ 0.9")
        );
        assert_eq!(findings.fits.len(), 4);
    }

    #[test]
    fn counts_of_another_distribution_are_not() {
        let findings = findings(&rows([5000.0, 5000.0], [9506, 494]));
        for origin in [Origin::Counted, Origin::Published] {
            let words = findings.explained(origin).unwrap();
            assert!(words.starts_with("The exact shares do not explain"), "{words}");
        }
    }

    #[test]
    fn requests_to_a_balancer_at_work_are_held_to_the_same_shares() {
        let shares = rows([9500.0, 500.0], [9506, 494]);
        let live = |n: u32, count| Live {
            method: "ring-given".into(),
            nodes: 2,
            node: format!("Server-{n}"),
            requests: 1_000,
            count,
            failed: 0,
            expected: None,
        };
        let words = |counts: [u64; 2]| {
            let live = [live(1, counts[0]), live(2, counts[1])];
            let fits = fits(&shares, &live);
            Findings { fits, ..findings(&shares) }.explained(Origin::Live).unwrap()
        };
        assert!(words([952, 48]).starts_with("The exact shares explain who answered"));
        assert!(words([852, 148]).starts_with("The exact shares do not explain who answered"));
        assert_eq!(findings(&shares).explained(Origin::Live), None);
    }

    #[test]
    fn requests_that_failed_are_told() {
        let words = |live| Findings { live, ..findings(&[]) }.lost();
        assert_eq!(words((0, 0)), None);
        assert!(
            words((20_000, 0))
                .unwrap()
                .ends_with("20,000 requests to balancers at work none failed")
        );
        assert!(words((20_000, 3)).unwrap().ends_with("work 3 failed"));
    }

    #[test]
    fn a_gap_goes_on_behind_the_last_slot() {
        let slots = |taken: [bool; 6]| {
            let slot = |(slot, taken): (usize, bool)| Slot {
                method: "ring-given".into(),
                nodes: 1,
                slot,
                ids: 1,
                node: taken.then(|| "Server-1".into()),
                copy: taken.then_some(1),
                home: taken.then_some(slot),
                answers: None,
            };
            let slots: Vec<_> = taken.into_iter().enumerate().map(slot).collect();
            gap(&slots.iter().collect::<Vec<_>>())
        };
        assert_eq!(slots([false, true, false, true, false, false]), 3);
        assert_eq!(slots([true, false, false, true, false, true]), 2);
        assert_eq!(slots([false; 6]), 6);
    }

    #[test]
    fn a_ring_is_told_by_the_slots_that_are_met() {
        let slot = |slot, ids, home: Option<usize>| Slot {
            method: "ring-given".into(),
            nodes: 2,
            slot,
            ids,
            node: home.map(|_| "Server-1".into()),
            copy: home.map(|_| 1),
            home,
            answers: Some("Server-1".into()),
        };
        let slots = [slot(0, 30, None), slot(1, 10, Some(0)), slot(2, 0, Some(2))];
        let ring = anatomy(&slots, "ring-given").unwrap();
        assert_eq!((ring.slots, ring.met, ring.copies, ring.collisions), (3, 2, 2, 1));
        assert_eq!(ring.most, 0.75);
        assert_eq!(ring.gap, 1, "the first slot");
        assert_eq!(anatomy(&slots, "ketama"), None);
    }
}
