//! What every method must hold, whoever wrote it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::mix::mix_pair;
use super::{METHODS, Method, NodeIndex, Placement, Refused, Rejected, Shape, WEIGHT_MAX};

const KEYS: std::ops::RangeInclusive<u64> = 100_000..=109_999;

/// Those that move more than they must, and how much more they may: keys in ten-thousandths.
const MOVE_MORE: [(&str, usize); 2] = [("maglev", 250), ("jump", 10_000)];

fn allowance(method: &Method) -> usize {
    MOVE_MORE.iter().find(|(name, _)| *name == method.name).map_or(0, |&(_, keys)| keys)
}

fn with(method: &Method, names: &[&str]) -> Box<dyn Placement> {
    let mut placement = (method.new)(&Shape::default());
    for name in names {
        placement.add(name, 1).unwrap();
    }
    placement
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Each method with `nodes` nodes.
fn each(nodes: usize) -> impl Iterator<Item = (&'static Method, Box<dyn Placement>)> {
    METHODS.iter().map(move |method| (method, with(method, &NAMES[..nodes])))
}

#[test]
fn methods_have_names_of_their_own_and_one_line_about_them() {
    let names: BTreeSet<_> = super::names().collect();
    assert_eq!(names.len(), METHODS.len());
    assert!(METHODS.iter().all(|method| !method.summary.is_empty()));
}

#[test]
fn without_nodes_a_key_has_no_place() {
    for (method, mut placement) in each(0) {
        assert_eq!((placement.place(7), placement.order(7)), (None, vec![]), "{}", method.name);
        assert!(!placement.remove("a"));
        placement.add("a", 1).unwrap();
        assert!(placement.remove("a"));
        assert_eq!(placement.place(7), None, "{}", method.name);
    }
}

#[test]
fn the_order_of_succession_begins_with_the_place_and_has_every_node_once() {
    for (method, placement) in each(6) {
        for key in KEYS.step_by(50) {
            let order = placement.order(key);
            assert_eq!(order.first().copied(), placement.place(key), "{}", method.name);
            assert_eq!(BTreeSet::from_iter(order.iter().copied()).len(), 6, "{}", method.name);
            assert_eq!(order.len(), 6, "{}", method.name);
        }
    }
}

#[test]
fn a_visit_ends_where_it_breaks() {
    for (method, placement) in each(6) {
        for wanted in 1..=6 {
            let mut seen = 0;
            placement.successors(7, &mut |_| {
                seen += 1;
                if seen == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!(seen, wanted, "{}", method.name);
        }
    }
}

#[test]
fn a_node_that_comes_takes_keys_and_no_other_key_moves() {
    for (method, before) in each(5) {
        let after = with(method, &NAMES);
        let moved = KEYS.filter(|&key| before.place(key) != after.place(key));
        let (to_it, elsewhere): (Vec<_>, Vec<_>) =
            moved.partition(|&key| after.place(key) == Some(NodeIndex(5)));
        assert!(!to_it.is_empty(), "{}", method.name);
        let allowed = if method.name == "jump" { 0 } else { allowance(method) };
        assert!(elsewhere.len() <= allowed, "{}: {} moved", method.name, elsewhere.len());
    }
}

#[test]
fn a_node_that_goes_leaves_its_keys_and_no_other_key_moves() {
    for (method, before) in each(6) {
        for name in NAMES {
            let mut after = with(method, &NAMES);
            let gone = after.nodes().find(name);
            assert!(after.remove(name));
            let stray = KEYS.filter(|&key| before.place(key) != gone);
            let stray = stray.filter(|&key| before.place(key) != after.place(key)).count();
            assert!(stray <= allowance(method), "{} without {name}: {stray}", method.name);
            assert!(
                KEYS.clone().all(|key| after.place(key) != gone),
                "{} without {name}",
                method.name
            );
        }
    }
}

#[test]
fn a_node_that_goes_is_followed_by_its_successors() {
    for (method, before) in each(6).filter(|(method, _)| allowance(method) == 0) {
        for key in KEYS.step_by(200) {
            let mut placement = with(method, &NAMES);
            for node in before.order(key) {
                assert_eq!(placement.place(key), Some(node), "{}", method.name);
                assert!(placement.remove(before.nodes().name(node).unwrap()));
            }
        }
    }
}

#[test]
fn after_any_history_a_node_that_comes_back_finds_its_keys() {
    for (method, before) in each(6).filter(|(method, _)| method.name != "jump") {
        let mut placement = with(method, &NAMES);
        for (gone, back) in [("a", "a"), ("f", "f"), ("c", "c")] {
            assert!(placement.remove(gone));
            placement.add(back, 1).unwrap();
        }
        let same = KEYS.filter(|&key| before.place(key) == placement.place(key)).count();
        assert_eq!(same, 10_000, "{}", method.name);
    }
}

/// These go by names alone; the others by who came when.
const BY_NAME: [&str; 5] = ["ketama", "multi-probe", "maglev", "rendezvous", "bounded"];

#[test]
fn where_names_decide_the_order_of_arrivals_does_not() {
    let other = ["d", "a", "f", "e", "c", "b"];
    for (method, one) in each(6).filter(|(method, _)| BY_NAME.contains(&method.name)) {
        let two = with(method, &other);
        for key in KEYS.step_by(7) {
            let name = |placement: &dyn Placement, node| {
                placement.nodes().name(node).map(String::from).unwrap()
            };
            let names = |placement: &dyn Placement| -> Vec<_> {
                placement.order(key).into_iter().map(|node| name(placement, node)).collect()
            };
            assert_eq!(names(&*one), names(&*two), "{}", method.name);
        }
    }
}

/// What the orders of succession of all keys come to, among nodes of some weights.
const DIGESTS: [(&str, u64); 10] = [
    ("ring-given", 0xc10a_701c_7eed_7ac6),
    ("ring-modified", 0x7d0d_352c_4140_2c32),
    ("ring-sha256", 0x3940_444e_598f_20a0),
    ("ketama", 0x9fba_3324_13a3_239d),
    ("multi-probe", 0xfd86_6db5_ca07_0b85),
    ("maglev", 0xf9cc_13a3_9170_ee4a),
    ("rendezvous", 0x2af8_5aa3_55ba_2e93),
    ("jump", 0xf9af_77cf_45f0_8260),
    ("anchor", 0x6f85_1bee_3387_bdda),
    ("bounded", 0x9fba_3324_13a3_239d),
];

fn digest(method: &Method) -> u64 {
    let mut placement = (method.new)(&Shape::default());
    for (name, weight) in NAMES.iter().zip([1, 2, 1, 3, 1, 2]) {
        placement.add(name, weight).unwrap();
    }
    let owners = KEYS.step_by(7).flat_map(|key| placement.order(key));
    owners.fold(0, |digest, node| mix_pair(digest, node.0.into()))
}

/// Balancers of different versions must agree, or each takes the other's keys away from the nodes
/// that know them. Whoever means to place them otherwise changes this, too.
#[test]
fn keys_are_where_earlier_versions_have_placed_them() {
    for (name, expected) in DIGESTS {
        let digest = digest(super::method(name).unwrap());
        assert_eq!(digest, expected, "{name}: {digest:#x}");
    }
    assert!(super::names().eq(DIGESTS.iter().map(|(name, _)| *name)));
}

/// How far a share may be from that of its weight, in per cent of this: five standard deviations of
/// what chance leaves of it under each method, for ten thousand keys.
const FAIR: [(&str, f64); 7] = [
    ("ketama", 40.0),
    ("bounded", 40.0),
    ("multi-probe", 60.0),
    ("maglev", 15.0),
    ("rendezvous", 15.0),
    ("jump", 15.0),
    ("anchor", 15.0),
];

#[test]
fn shares_are_in_proportion_to_weights() {
    let weights = [1, 2, 4, 1];
    for (name, per_cent) in FAIR {
        let mut placement = (super::method(name).unwrap().new)(&Shape::default());
        for (node, weight) in NAMES.iter().zip(weights) {
            placement.add(node, weight).unwrap();
        }
        let mut counts = [0_u32; 4];
        KEYS.for_each(|key| counts[placement.place(key).unwrap().place()] += 1);
        for (count, weight) in counts.iter().zip(weights) {
            let fair = 10_000.0 * f64::from(weight) / 8.0;
            let off = (f64::from(*count) - fair).abs() / fair * 100.0;
            assert!(off <= per_cent, "{name}: {counts:?} for {weights:?}");
        }
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    for (method, mut placement) in each(3) {
        let before: Vec<_> = KEYS.step_by(11).map(|key| placement.place(key)).collect();
        assert_eq!(placement.add("a", 1), Err(Refused::Taken));
        assert_eq!(placement.add("z", 0), Err(Refused::Weight(0)));
        assert_eq!(placement.add("z", WEIGHT_MAX + 1), Err(Refused::Weight(WEIGHT_MAX + 1)));
        assert!(!placement.remove("z"));
        let after: Vec<_> = KEYS.step_by(11).map(|key| placement.place(key)).collect();
        assert_eq!(before, after, "{}", method.name);
    }
}

/// All at once, into a set that has nodes and a gap already, or each for itself.
#[test]
fn nodes_that_come_together_are_placed_as_if_they_came_one_by_one() {
    for (method, mut one_by_one) in each(3) {
        assert!(one_by_one.remove("b"));
        let mut together = one_by_one.duplicate();
        let more = [("d", 2), ("e", 1), ("f", 3)];
        for (node, weight) in more {
            one_by_one.add(node, weight).unwrap();
        }
        together.add_all(&more).unwrap();
        assert_eq!(together.nodes(), one_by_one.nodes(), "{}", method.name);
        for key in KEYS.step_by(7) {
            assert_eq!(together.order(key), one_by_one.order(key), "{}", method.name);
        }
    }
}

#[test]
fn of_several_nodes_those_before_the_one_that_is_refused_are_in() {
    for (method, before) in each(4) {
        let mut placement = (method.new)(&Shape::default());
        let some = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("b", 1), ("e", 1)];
        let rejected = Rejected { place: 4, why: Refused::Taken };
        assert_eq!(placement.add_all(&some), Err(rejected), "{}", method.name);
        for key in KEYS.step_by(11) {
            assert_eq!(placement.order(key), before.order(key), "{}", method.name);
        }
    }
}

#[test]
fn there_is_room_for_as_many_as_it_says_and_for_no_more() {
    let small = Shape { slots: 64, copies: 9, most: 7, ..Shape::default() };
    for name in ["ring-given", "ring-modified", "ring-sha256", "anchor"] {
        let mut placement = (super::method(name).unwrap().new)(&small);
        assert_eq!(placement.free(), 7, "{name}");
        assert_eq!(placement.add("too heavy", 8), Err(Refused::Full { free: 7 }), "{name}");
        for number in 0..7 {
            assert_eq!(placement.free(), 7 - number);
            placement.add(&number.to_string(), 1).unwrap();
        }
        assert_eq!(placement.add("one more", 1), Err(Refused::Full { free: 0 }), "{name}");
        assert_eq!(placement.nodes().count(), 7);
    }
}

#[test]
fn what_is_kept_grows_with_what_there_is_to_keep() {
    for (method, placement) in each(6) {
        let octets = placement.octets();
        assert!((24..300_000).contains(&octets), "{}: {octets}", method.name);
    }
}
