//! Whether all connections were served alike.
//!
//! A server that turns to some and forgets others looks fast: those it serves are answered at once,
//! and those it starves have next to no requests that could be slow.

use super::{Check, Standing};
use crate::engine::{Found, Tally};
use crate::plan::{Load, Plan};
use crate::statistics;

/// Jain's index that an even server stays above.
const EVEN: f64 = 0.9;

/// Answers that a connection must have on average before its share means something.
const ENOUGH: f64 = 10.0;

/// A connection is starved that waited for longer than this part of the phase,
const OF_PHASE: f64 = 0.5;

/// and for longer than so many mean response times: where all are slow, none is starved.
const OF_RESPONSE: f64 = 5.0;

/// Or one that had less than this part of the answers that the median connection had: it was turned
/// to now and then, and too seldom to show in the percentiles,
const OF_MEDIAN: f64 = 0.1;

/// if that one had so many that chance leaves none so far behind.
const SETTLED: u64 = 50;

/// With this part of the connections starved, the rest is another experiment.
const MANY: f64 = 0.5;

/// How evenly the answers are shared out. In the open loop it is the generator that gives out the
/// requests, one connection after the other, so that says nothing about the server.
pub(super) fn jain(plan: &Plan, found: &Found) -> Option<Check> {
    let mean = mean_answers(found);
    if matches!(plan.load, Load::Open(_)) || mean < ENOUGH {
        return None;
    }
    let index = statistics::jain(found.tallies.iter().map(|tally| tally.answered as f64))?;
    // Counts that chance alone makes uneven, those of Poisson's law, have this index on average.
    let bound = EVEN * mean / (mean + 1.0);
    let reason = format!(
        "Jain's index of the {mean:.0} answers that each of {} connections had on average is \
         {index:.3} (bound {bound:.3})",
        found.tallies.len()
    );
    let hint = "the server prefers some connections, and the response times are those of the \
                preferred ones: compare the answers in client data";
    Some(Check::new("fairness", Standing::suspect_if(index < bound), reason).hint(hint))
}

/// Whether any connection was left waiting.
pub(super) fn starved(plan: &Plan, found: &Found) -> Option<Check> {
    let longest = found.tallies.iter().map(|tally| tally.silence_ns).max()?;
    let counts = unserved_counts(plan, found);
    let (waited, neglected) = (waited_too_long(found), neglected(found));
    let is_starved =
        |tally: &&Tally| waited(tally) || neglected(tally) || (counts && tally.answered == 0);
    let starved = found.tallies.iter().filter(is_starved).count();
    let share = starved as f64 / found.tallies.len() as f64;
    let reason = format!(
        "{starved} of {} connections were starved; the longest time for which one waited for an \
         answer is {:.2} of the phase, and the fewest answers that one had are {}, where the median \
         is {}",
        found.tallies.len(),
        longest as f64 / found.elapsed_ns.max(1) as f64,
        found.tallies.iter().map(|tally| tally.answered).min().unwrap_or(0),
        median_answers(found)
    );
    let hint = "their requests are missing from the percentiles, apart from the last one of each: \
                the server forgets connections that are ready";
    Some(Check::new("starvation", Standing::of(share, 0.0, MANY), reason).hint(hint))
}

/// Whether a connection without any answer is starved. In the open loop it may not have had its
/// turn, and where all have few, one has none by chance.
fn unserved_counts(plan: &Plan, found: &Found) -> bool {
    matches!(plan.load, Load::Closed(_)) && mean_answers(found) >= ENOUGH
}

fn waited_too_long(found: &Found) -> impl Fn(&&Tally) -> bool {
    let part = OF_PHASE * found.elapsed_ns as f64;
    let bound = part.max(OF_RESPONSE * found.recorder.latency.histogram().mean());
    move |tally| tally.silence_ns as f64 > bound
}

/// In either loop the connections that a server treats alike have about as many answers each: in
/// the open one they take turns.
fn neglected(found: &Found) -> impl Fn(&&Tally) -> bool {
    let median = median_answers(found);
    // One that had no answer and waits for none has not been asked for any.
    let asked = |tally: &Tally| tally.answered > 0 || tally.silence_ns > 0;
    move |tally| {
        median >= SETTLED && asked(tally) && (tally.answered as f64) < OF_MEDIAN * median as f64
    }
}

fn median_answers(found: &Found) -> u64 {
    let mut answers: Vec<_> = found.tallies.iter().map(|tally| tally.answered).collect();
    answers.sort_unstable();
    answers.get(answers.len() / 2).copied().unwrap_or(0)
}

fn mean_answers(found: &Found) -> f64 {
    let all: u64 = found.tallies.iter().map(|tally| tally.answered).sum();
    all as f64 / found.tallies.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::Scene;

    /// The standings of both checks, after a change to the first connection's row.
    fn standings(mut scene: Scene, change: impl Fn(&mut Tally)) -> [Option<Standing>; 2] {
        change(&mut scene.found.tallies[0]);
        [jain, starved].map(|check| check(&scene.plan, &scene.found).map(|check| check.standing))
    }

    const PHASE_NS: u64 = 10_000_000_000;

    #[test]
    fn an_even_server_passes() {
        let valid = Some(Standing::Valid);
        assert_eq!(standings(Scene::closed(), |_| {}), [valid, valid]);
        assert_eq!(standings(Scene::open(), |_| {}), [None, valid]);
    }

    #[test]
    fn a_preferred_connection_is_seen() {
        let [jain, _] = standings(Scene::closed(), |tally| tally.answered *= 4);
        assert_eq!(jain, Some(Standing::Suspect));
    }

    #[test]
    fn a_starved_connection_is_seen_in_both_loops() {
        for scene in [Scene::closed(), Scene::open()] {
            let [_, starved] = standings(scene, |tally| {
                tally.answered = 0;
                tally.silence_ns = PHASE_NS;
            });
            assert_eq!(starved, Some(Standing::Suspect));
        }
        let [_, late] = standings(Scene::open(), |tally| tally.silence_ns = PHASE_NS * 6 / 10);
        assert_eq!(late, Some(Standing::Suspect), "answered in the end");
    }

    #[test]
    fn a_connection_that_is_answered_seldom_is_seen_in_both_loops() {
        for scene in [Scene::closed, Scene::open] {
            let [_, starved] = standings(scene(), |tally| tally.answered /= 50);
            assert_eq!(starved, Some(Standing::Suspect));
            let [_, slow] = standings(scene(), |tally| tally.answered /= 4);
            assert_eq!(slow, Some(Standing::Valid), "slower than others, and not forgotten");
        }
    }

    #[test]
    fn few_answers_are_uneven_by_chance() {
        let mut scene = Scene::open();
        scene.found.tallies.fill(Tally { answered: SETTLED - 1, ..Tally::default() });
        let [_, starved] = standings(scene, |tally| tally.answered = 4);
        assert_eq!(starved, Some(Standing::Valid));
    }

    #[test]
    fn most_of_them_starved_is_invalid() {
        let mut scene = Scene::closed();
        scene.found.tallies[..6].fill(Tally { silence_ns: PHASE_NS, ..Tally::default() });
        let check = starved(&scene.plan, &scene.found).expect("connections");
        assert_eq!(check.standing, Standing::Invalid);
    }

    #[test]
    fn a_connection_that_never_had_its_turn_is_not_starved() {
        let [_, unused] = standings(Scene::open(), |tally| *tally = Tally::default());
        assert_eq!(unused, Some(Standing::Valid));
    }

    #[test]
    fn a_slow_server_starves_nobody() {
        let mut scene = Scene::closed();
        scene.found.recorder.latency.reset();
        scene.found.recorder.latency.record(PHASE_NS * 6 / 10);
        let slow = Tally { answered: 1, silence_ns: PHASE_NS * 6 / 10, ..Tally::default() };
        scene.found.tallies.fill(slow);
        assert_eq!(standings(scene, |_| {}), [None, Some(Standing::Valid)]);
    }
}
