//! Whether as many requests were answered as were planned, in the open loop.
//!
//! If not, the server was overloaded, or the generator didn't send them. Both are findings, but
//! then the response times are those of a queue that grows for as long as the run lasts: they say
//! how long that was.

use super::words::percent;
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Load, Plan};

/// Fewer than this part of the planned requests came to an end in the measuring phase: a queue
/// grew.
const KEPT: f64 = 0.99;

/// Fewer than this part: it was not the load asked for.
const MISSED: f64 = 0.95;

pub(super) fn check(plan: &Plan, found: &Found) -> Option<Check> {
    let Load::Open(schedule) = &plan.load else { return None };
    let of = &found.recorder.counts.requests;
    let planned = (of.sent + of.unsent) as f64;
    if planned == 0.0 || found.elapsed_ns == 0 {
        return None;
    }
    let seconds = found.elapsed_ns as f64 / 1e9;
    let ended = (found.answers + of.failed) as f64;
    let share = (ended + fluctuation(found)) / planned;
    let standing = Standing::of(1.0 - share, 1.0 - KEPT, 1.0 - MISSED);
    let reason = format!(
        "{:.1} requests/s came to an end, where {:.1} were planned and {} asked for ({}, bound \
         {}); {} were never sent, and {} waited for a connection at most",
        ended / seconds,
        planned / seconds,
        schedule.rate,
        percent(ended / planned),
        percent(KEPT),
        of.unsent,
        found.queue_longest
    );
    let hint = "overloaded: the queue of requests grew to the end, so the response times depend on \
                the length of the run; lower the rate, or use more --connections if the server is \
                not busy";
    let standing = standing.max(Standing::suspect_if(of.unsent > 0));
    Some(Check::new("offered load", standing, reason).hint(hint))
}

/// How many requests more may be out at the end than at the beginning, though no queue grows: as
/// many as are out on average, if there were none at first, and what chance adds.
fn fluctuation(found: &Found) -> f64 {
    let in_flight = found.in_flight_ns as f64 / found.elapsed_ns as f64;
    let requests = &found.recorder.counts.requests;
    // In an overload all connections are busy all the time. What counts is the queue behind them.
    let out = in_flight + 4.0 * in_flight.sqrt() + 4.0;
    out.min((requests.late + requests.outstanding) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::Scene;

    /// What a clean run says if a part of its answers, in percent, came after the phase.
    fn standing(late: u64) -> Standing {
        let mut scene = Scene::open();
        let moved = scene.found.answers * late / 100;
        scene.found.answers -= moved;
        scene.found.recorder.counts.requests.late += moved;
        check(&scene.plan, &scene.found).expect("an open loop").standing
    }

    #[test]
    fn a_load_that_is_kept_up_with_passes() {
        assert_eq!(standing(0), Standing::Valid);
    }

    #[test]
    fn a_queue_that_grows_is_flagged() {
        assert_eq!(standing(3), Standing::Suspect);
        assert_eq!(standing(10), Standing::Invalid);
    }

    #[test]
    fn a_request_that_was_never_sent_is_flagged() {
        let mut scene = Scene::open();
        scene.found.recorder.counts.requests.unsent = 1;
        let check = check(&scene.plan, &scene.found).expect("an open loop");
        assert_eq!(check.standing, Standing::Suspect);
        assert!(check.reason.contains("length of the run"), "{}", check.reason);
    }

    #[test]
    fn there_is_none_in_a_closed_loop_or_without_requests() {
        assert_eq!(check(&Scene::closed().plan, &Scene::open().found), None);
        assert_eq!(check(&Scene::open().plan, &Scene::nothing()), None);
    }
}
