//! What became of the requests: none may be missing, and none may be answered wrongly or twice.

use super::words::percent;
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::Plan;
use crate::report::Errors;

/// With more than this part of the requests without an answer, the response times of the others
/// are those of another load.
const MANY: f64 = 0.01;

/// Each request that was sent is answered, failed or outstanding.
pub(super) fn conservation(_: &Plan, found: &Found) -> Option<Check> {
    let of = &found.recorder.counts.requests;
    let times = found.recorder.latency.histogram().len();
    let kept = of.sent == of.answered + of.failed + of.outstanding && of.answered == times;
    let standing = if kept { Standing::Valid } else { Standing::Invalid };
    let reason = format!(
        "{} sent, {} answered + {} failed + {} outstanding, {times} times recorded",
        of.sent, of.answered, of.failed, of.outstanding
    );
    let hint = "these have to agree, so the generator has counted wrongly: keep the record of this \
                run and report it";
    Some(Check::new("conservation", standing, reason).hint(hint))
}

/// No answer is wrong, and no answer is to nobody. What came while warming up counts as well.
pub(super) fn wrong_replies(_: &Plan, found: &Found) -> Option<Check> {
    let counts = [&found.before, &found.recorder.counts];
    let unasked: u64 = counts.iter().map(|counts| counts.requests.unasked).sum();
    let wrong = |errors: &Errors| errors.mismatch + errors.mispaired;
    let wrong: u64 = counts.iter().map(|counts| wrong(&counts.errors)).sum();
    let standing = if unasked + wrong > 0 { Standing::Invalid } else { Standing::Valid };
    let reason = format!("{unasked} replies that nobody had asked for, {wrong} that were wrong");
    let hint = "the server answers twice, or mixes up its clients: its speed means nothing before \
                that is put right";
    Some(Check::new("wrong replies", standing, reason).hint(hint))
}

/// Requests that ended in an error.
pub(super) fn failures(_: &Plan, found: &Found) -> Option<Check> {
    let of = &found.recorder.counts.requests;
    let share = of.failed as f64 / of.sent.max(1) as f64;
    let reason = format!(
        "{} of {} requests failed: {} (bounds 0 and {})",
        of.failed,
        of.sent,
        percent(share),
        percent(MANY)
    );
    let hint = "the times are those of the answered ones only: look at the classes of errors";
    Some(Check::new("failures", Standing::of(share, 0.0, MANY), reason).hint(hint))
}

/// Requests that had no answer, not even while draining.
pub(super) fn lost(_: &Plan, found: &Found) -> Option<Check> {
    let of = &found.recorder.counts.requests;
    let share = of.lost as f64 / of.sent.max(1) as f64;
    let reason = format!(
        "{} of {} requests never had an answer, though the run was held open for them: {} (bounds \
         0 and {})",
        of.lost,
        of.sent,
        percent(share),
        percent(MANY)
    );
    let hint = "they count as slower than all others in the percentiles; the server has lost them \
                or starves their connections";
    Some(Check::new("lost responses", Standing::of(share, 0.0, MANY), reason).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Errors, Requests};
    use crate::verdict::Look;
    use crate::verdict::scene::Scene;

    /// What a check says of a clean run with a change to what became of its 10,000 or so requests.
    fn standing(look: Look, change: impl Fn(&mut Requests)) -> Standing {
        let mut scene = Scene::closed();
        change(&mut scene.found.recorder.counts.requests);
        look(&scene.plan, &scene.found).expect("always").standing
    }

    #[test]
    fn clean_ones_pass() {
        for look in [conservation, wrong_replies, failures, lost] {
            assert_eq!(standing(look, |_| {}), Standing::Valid);
        }
    }

    #[test]
    fn a_request_that_is_counted_nowhere_or_twice_is_invalid() {
        assert_eq!(standing(conservation, |of| of.sent += 1), Standing::Invalid);
        assert_eq!(standing(conservation, |of| of.outstanding += 1), Standing::Invalid);
        let uncounted = |of: &mut Requests| {
            of.answered -= 1;
            of.failed += 1;
        };
        assert_eq!(standing(conservation, uncounted), Standing::Invalid);
    }

    #[test]
    fn a_single_answer_to_nobody_or_a_wrong_one_is_invalid() {
        assert_eq!(standing(wrong_replies, |of| of.unasked = 1), Standing::Invalid);
        let mut scene = Scene::closed();
        scene.found.before.errors = Errors { mismatch: 1, ..Errors::default() };
        let check = wrong_replies(&scene.plan, &scene.found).expect("always");
        assert_eq!(check.standing, Standing::Invalid, "while warming up");
    }

    #[test]
    fn one_request_that_fails_or_is_lost_is_suspect_and_many_are_invalid() {
        assert_eq!(standing(failures, |of| of.failed = 1), Standing::Suspect);
        assert_eq!(standing(failures, |of| of.failed = of.sent / 50), Standing::Invalid);
        assert_eq!(standing(lost, |of| of.lost = 1), Standing::Suspect);
        assert_eq!(standing(lost, |of| of.lost = of.sent / 50), Standing::Invalid);
    }
}
