//! Little's law: the mean number of requests in flight is the rate times the mean time each is out.
//!
//! It holds whatever the server and the schedule do, and the two sides are counted independently
//! here: one when requests come and go, the other from the histogram of times. If they differ, one
//! of them is wrong. (Little, "A Proof for the Queuing Formula: L = λW", Operations Research 9,
//! 1961.)
//!
//! In a window of time it holds up to the requests that are cut by its edges. A request that is out
//! at a given moment is longer than the average one, by E[W²] / E[W]² (it is the more likely to be
//! met the longer it is).

use hdrhistogram::Histogram;

use super::words::percent;
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Load, Plan, Think};

/// How much the two sides may differ, beyond what the edges explain.
const CLOSE: f64 = 0.01;

/// Requests that are cut by one edge share their fate: they may all be this much longer than the
/// ones that are met on average.
const SPREAD: f64 = 2.0;

/// From here on, they are about different things.
const APART: f64 = 0.1;

pub(super) fn check(plan: &Plan, found: &Found) -> Option<Check> {
    let times = times_in_flight(plan, found)?;
    if found.answers == 0 || found.elapsed_ns == 0 {
        return None;
    }
    let elapsed = found.elapsed_ns as f64;
    let (mean, stdev) = (times.mean(), times.stdev());
    let (counted, expected) = (found.in_flight_ns as f64, found.answers as f64 * mean);
    let met = mean + stdev * stdev / mean.max(1.0);
    let longest = (SPREAD * met).min(times.max() as f64);
    let edges = cut(found) * longest + unseen(plan, found);
    let residual = ((counted - expected).abs() - edges).max(0.0) / expected.max(1.0);
    let reason = format!(
        "{:.2} requests were in flight on average, where rate × mean time is {:.2}: {} apart, \
         where requests cut by the edges of the phase or without an answer may make {}",
        counted / elapsed,
        expected / elapsed,
        percent((counted - expected).abs() / expected.max(1.0)),
        percent(edges / expected.max(1.0))
    );
    let hint = "the bound is 1 %: the rate or the times are wrong, so keep the record of this run \
                and report it";
    Some(Check::new("Little's law", Standing::of(residual, CLOSE, APART), reason).hint(hint))
}

/// The times for which requests were out. Where a request has a time at which it is to be sent, its
/// response time begins earlier than that; only service times are known to be the same.
fn times_in_flight<'a>(plan: &Plan, found: &'a Found) -> Option<&'a Histogram<u64>> {
    match plan.load {
        Load::Closed(Think::None) => Some(found.recorder.latency.histogram()),
        _ => Some(found.recorder.service.histogram()),
    }
    .filter(|times| !times.is_empty())
}

/// How many requests the edges of the phase have cut: those that were out at the beginning or at
/// the end. In an overload of the open loop those that wait at the end are answered later, and
/// their times are in the histogram although they were not in flight before.
fn cut(found: &Found) -> f64 {
    (found.cut + found.recorder.counts.requests.late) as f64
}

/// The time for which requests may have been out that is in no histogram, since they had no answer
/// in the phase: failed and lost ones, and those of starved connections.
fn unseen(plan: &Plan, found: &Found) -> f64 {
    let requests = &found.recorder.counts.requests;
    let elapsed = found.elapsed_ns as f64;
    let failed = requests.failed as f64 * (plan.patience.answer.as_nanos() as f64).min(elapsed);
    let silences = found.tallies.iter().map(|tally| tally.silence_ns as f64);
    let starved: Vec<_> = silences.filter(|&silence| silence > elapsed / 2.0).collect();
    let others = requests.lost.saturating_sub(starved.len() as u64) as f64 * elapsed;
    failed + others + starved.iter().sum::<f64>() * plan.depth as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Tally;
    use crate::verdict::scene::Scene;

    /// What a run says whose requests in flight were counted wrong by a factor.
    fn standing(mut scene: Scene, factor: f64) -> Standing {
        scene.found.in_flight_ns = (scene.found.in_flight_ns as f64 * factor) as u128;
        check(&scene.plan, &scene.found).expect("answers").standing
    }

    #[test]
    fn holds_in_both_loops() {
        for factor in [1.0, 0.997, 1.003] {
            assert_eq!(standing(Scene::closed(), factor), Standing::Valid);
            assert_eq!(standing(Scene::open(), factor), Standing::Valid);
        }
    }

    #[test]
    fn a_side_that_is_wrong_is_flagged() {
        for factor in [0.95, 1.05] {
            assert_eq!(standing(Scene::closed(), factor), Standing::Suspect);
            assert_eq!(standing(Scene::open(), factor), Standing::Suspect);
        }
        assert_eq!(standing(Scene::closed(), 0.5), Standing::Invalid);
        assert_eq!(standing(Scene::open(), 3.0), Standing::Invalid);
        assert_eq!(standing(Scene::open(), 0.0), Standing::Invalid);
    }

    /// Many connections of which few are in use must not hide an error.
    #[test]
    fn idle_connections_don_t_widen_the_bound() {
        let mut scene = Scene::open();
        scene.plan.connections = 100_000;
        assert_eq!(standing(scene, 1.3), Standing::Invalid);
    }

    #[test]
    fn requests_without_an_answer_explain_time_in_flight() {
        let mut scene = Scene::open();
        scene.found.recorder.counts.requests.lost = 3;
        scene.found.in_flight_ns += 3 * u128::from(scene.found.elapsed_ns);
        assert_eq!(standing(scene, 1.0), Standing::Valid);
    }

    /// In an overload, half of the requests are answered while draining, and faster than before.
    #[test]
    fn requests_that_are_late_may_have_other_times() {
        let mut scene = Scene::open();
        let requests = &mut scene.found.recorder.counts.requests;
        requests.late = scene.found.answers / 2;
        scene.found.answers -= requests.late;
        scene.found.in_flight_ns = scene.found.in_flight_ns / 2 * 13 / 10;
        assert_eq!(standing(scene, 1.0), Standing::Valid);
    }

    #[test]
    fn connections_that_wait_all_along_explain_time_in_flight() {
        let mut scene = Scene::closed();
        let silence_ns = scene.found.elapsed_ns;
        scene.found.tallies.extend([Tally { silence_ns, ..Tally::default() }; 5]);
        scene.found.in_flight_ns += 5 * u128::from(silence_ns);
        assert_eq!(standing(scene, 1.0), Standing::Valid);
    }

    #[test]
    fn nothing_is_said_without_answers_or_where_only_response_times_are_known() {
        let thoughtful = Scene::closed_as("--think 5ms");
        assert_eq!(check(&thoughtful.plan, &thoughtful.found), None);
        assert_eq!(check(&Scene::closed().plan, &Scene::nothing()), None);
    }
}
