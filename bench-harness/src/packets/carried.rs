//! What the rows about relays say: of each way, under each load.

use super::rate::Outcome;
use super::relay::{LOADS, Load, Relay, WAYS};
use super::typical::Typical;
use crate::report::number::{octets, time};

/// What was measured of one way under one load.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// The way.
    pub way: &'static str,
    /// The load.
    pub load: Load,
    /// The median from a message to the end of its echo, in microseconds.
    pub p50_us: Typical,
    /// CPU time of the host for a message and its echo, in microseconds.
    pub host_us: Typical,
    /// The part of it that is the relay's.
    pub relay_us: Typical,
    /// Octets per second in one direction.
    pub octets_per_s: Typical,
    /// Messages that did not come back, or not the same, in all passes.
    pub errors: u64,
}

impl Carried {
    /// What takes so long for a message and its echo, for a GiB to the backend and back.
    #[must_use]
    pub fn per_gib(&self, each: Typical) -> f64 {
        each.median * GIB / self.load.size as f64
    }

    /// How long it takes to carry a GiB to the backend and back, in microseconds.
    #[must_use]
    pub fn us_per_gib(&self) -> f64 {
        1e6 * GIB / self.octets_per_s.median.max(f64::MIN_POSITIVE)
    }

    /// Octets per second in one direction, in words.
    #[must_use]
    pub fn rate(&self) -> String {
        format!("{}/s", octets(self.octets_per_s.median))
    }
}

const GIB: f64 = 1_073_741_824.0;

/// The ways that were measured under a load, in the order of [`WAYS`].
#[must_use]
pub fn carried(rows: &[Relay], load: Load) -> Vec<Carried> {
    let of = |way: &'static str| {
        let fits =
            |row: &&Relay| row.way == way && row.load == load.name && row.outcome == Outcome::Ok;
        let own = || rows.iter().filter(fits);
        Some(Carried {
            way,
            load,
            p50_us: Typical::of(own().map(|row| row.p50_us))?,
            host_us: Typical::of(own().map(|row| row.host_us_each))?,
            relay_us: Typical::of(own().map(|row| row.relay_us_each))?,
            octets_per_s: Typical::of(own().map(|row| row.octets_per_s))?,
            errors: own().map(|row| row.errors).sum(),
        })
    };
    WAYS.into_iter().filter_map(of).collect()
}

/// One sentence about small messages: who uses the least CPU time, and who the most.
#[must_use]
pub fn of_small(rows: &[Relay]) -> Option<String> {
    let [small, _] = LOADS;
    let all = carried(rows, small);
    let Ends { least, most, apart } = Ends::of(&all, |one| one.host_us)?;
    let unranked = if apart { String::new() } else { format!("For small messages, {UNRANKED}: ") };
    Some(format!(
        "{unranked}{} through a relay by {} and back take {} and {} of CPU time; by {}, {} and {}",
        octets(small.size as f64),
        least.way,
        time(least.p50_us.median),
        time(least.host_us.median),
        most.way,
        time(most.p50_us.median),
        time(most.host_us.median)
    ))
}

/// One sentence about large messages: who carries the most, and who the least.
#[must_use]
pub fn of_bulk(rows: &[Relay]) -> Option<String> {
    let [_, bulk] = LOADS;
    let all = carried(rows, bulk);
    let Ends { least: slow, most: fast, apart } = Ends::of(&all, |one| one.octets_per_s)?;
    let unranked = if apart { String::new() } else { format!(" {UNRANKED}:") };
    let words = |one: &Carried| {
        let cpu = time(one.per_gib(one.host_us));
        format!("by {} carries {} each way, with {cpu} of CPU time for a GiB", one.way, one.rate())
    };
    Some(format!("In bulk,{unranked} a relay {}; one {}", words(fast), words(slow)))
}

/// What is said where the passes of one way overlap with those of another.
const UNRANKED: &str = "the ways can't be ranked, since their passes overlap";

/// The two ways that are named.
struct Ends<'a> {
    /// Who has the least.
    least: &'a Carried,
    /// Who has the most.
    most: &'a Carried,
    /// Whether each pass of the one lies below all passes of the other.
    apart: bool,
}

impl<'a> Ends<'a> {
    /// By the medians; none unless there are two ways.
    fn of(all: &'a [Carried], value: fn(&Carried) -> Typical) -> Option<Self> {
        let by =
            |one: &&Carried, other: &&Carried| value(one).median.total_cmp(&value(other).median);
        let (least, most) = (all.iter().min_by(by)?, all.iter().max_by(by)?);
        let apart = value(least).most < value(most).least;
        (all.len() > 1).then_some(Self { least, most, apart })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(way: &str, load: Load, cpu: f64, octets_per_s: f64) -> Relay {
        Relay {
            way: way.into(),
            load: load.name.into(),
            size: load.size,
            outcome: Outcome::Ok,
            p50_us: 2.0 * cpu,
            relay_us_each: cpu / 2.0,
            host_us_each: cpu,
            octets_per_s,
            ..Relay::default()
        }
    }

    #[test]
    fn the_cheapest_and_the_dearest_are_named_with_their_round_trips() {
        let [small, _] = LOADS;
        let rows = [row("copy", small, 12.0, 1.0), row("sockmap", small, 4.0, 1.0)];
        let words = of_small(&rows).unwrap();
        assert!(words.contains("by sockmap and back take 8 µs and 4 µs of CPU time"), "{words}");
        assert!(words.ends_with("by copy, 24 µs and 12 µs"), "{words}");
    }

    #[test]
    fn a_gib_costs_as_much_as_the_messages_in_it() {
        let [_, bulk] = LOADS;
        let rows = [row("copy", bulk, 4_000.0, GIB), row("splice", bulk, 1_000.0, 2.0 * GIB)];
        let words = of_bulk(&rows).unwrap();
        assert!(words.contains("by splice carries 2 GiB/s each way, with 256 ms of"), "{words}");
        assert!(
            words.ends_with("by copy carries 1 GiB/s each way, with 1.02 s of CPU time for a GiB")
        );
        let splice = carried(&rows, bulk)[1];
        assert_eq!((splice.us_per_gib(), splice.per_gib(splice.relay_us)), (5e5, 128e3));
    }

    #[test]
    fn ways_whose_passes_overlap_are_not_ranked() {
        let [small, bulk] = LOADS;
        let of = |load, copy: [f64; 3], splice: [f64; 3]| {
            let rows = |way, values: [f64; 3]| values.map(|value| row(way, load, value, value));
            [rows("copy", copy), rows("splice", splice)].concat()
        };
        let of_small: fn(&[Relay]) -> Option<String> = of_small;
        for (load, words) in [(small, of_small), (bulk, of_bulk)] {
            let words = |splice| words(&of(load, [1.0, 2.0, 3.0], splice)).unwrap();
            assert!(!words([4.0, 5.0, 6.0]).contains(UNRANKED), "{}", words([4.0, 5.0, 6.0]));
            assert!(words([2.5, 5.0, 6.0]).contains(UNRANKED), "{}", words([2.5, 5.0, 6.0]));
        }
    }

    #[test]
    fn one_way_alone_is_no_comparison_and_a_failure_is_no_way() {
        let [small, _] = LOADS;
        let failed = Relay { outcome: Outcome::Failed, ..row("splice", small, 1.0, 1.0) };
        assert_eq!(of_small(&[row("copy", small, 12.0, 1.0), failed]), None);
        assert_eq!(of_bulk(&[]), None);
    }
}
