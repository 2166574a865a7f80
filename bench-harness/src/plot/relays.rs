//! What it costs to relay octets by each way: for small messages, and in bulk.

use super::axis::Axis;
use super::figure::{Body, Figure};
use super::pairs::{Pair, Pairs};
use super::scale::Scale;
use super::style::{SYSTEM, USER};
use crate::packets::carried::{self, Carried, carried};
use crate::packets::relay::{LOADS, Load, Relay};
use crate::report::number::{octets, time};

/// What the two bars are.
const LEGEND: [&str; 2] =
    ["CPU time of the whole host", "from the first octet sent to the last one back"];
/// What is in a bar.
pub(super) const NOTE: &str = "Medians of the passes. The host's CPU time is that of all processes and of the \
                    kernel, with both ends, which are the same in every row; behind the bars, what \
                    of it is the relay's.";

/// For small messages: CPU time and round trip.
pub(super) fn small(rows: &[Relay], conditions: String, notes: Vec<String>) -> Option<Figure> {
    let [small, _] = LOADS;
    let pair = |one: &Carried| Pair {
        label: one.way.into(),
        lengths: [Some(one.host_us.median), Some(one.p50_us.median)],
        text: format!(
            "back after {}; CPU {}, relay {}",
            time(one.p50_us.median),
            time(one.host_us.median),
            time(one.relay_us.median)
        ),
    };
    Some(Figure {
        name: "relay-small".into(),
        finding: carried::of_small(rows)?,
        subtitle: vec![told(small), conditions],
        notes,
        body: body("time for each message and its echo", rows, small, pair),
    })
}

/// In bulk: CPU time and time for each GiB.
pub(super) fn bulk(rows: &[Relay], conditions: String, notes: Vec<String>) -> Option<Figure> {
    let [_, bulk] = LOADS;
    let pair = |one: &Carried| {
        let [host, relay] = [one.host_us, one.relay_us].map(|each| one.per_gib(each));
        Pair {
            label: one.way.into(),
            lengths: [Some(host), Some(one.us_per_gib())],
            text: format!("{}; CPU {}, relay {}", one.rate(), time(host), time(relay)),
        }
    };
    Some(Figure {
        name: "relay-bulk".into(),
        finding: carried::of_bulk(rows)?,
        subtitle: vec![told(bulk), conditions],
        notes,
        body: body("time for each GiB to the backend and back", rows, bulk, pair),
    })
}

fn told(load: Load) -> String {
    let size = octets(load.size as f64);
    format!("Messages of {size} to an echo and back, one at a time, on one connection")
}

fn body(title: &str, rows: &[Relay], load: Load, pair: impl Fn(&Carried) -> Pair) -> Body {
    let pairs: Vec<_> = carried(rows, load).iter().map(pair).collect();
    let lengths = pairs.iter().flat_map(|pair| pair.lengths).flatten();
    let axis = Axis::round(title, Scale::from_zero(lengths), time);
    let [cpu, all] = LEGEND;
    Body::Pairs(Pairs { axis, legend: [(cpu, USER), (all, SYSTEM)], pairs })
}
