//! How far the sample carries.
//!
//! Answers that are slow together, since one stall delayed them all, are worth fewer independent
//! ones. A percentile that the effective sample does not support is not printed, so it can't
//! mislead, and that is no reason to doubt the run. One that does not even support a median is.

use super::words::time;
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::Plan;
use crate::statistics::{effective_size, least_sample};

pub(super) fn check(_: &Plan, found: &Found) -> Option<Check> {
    let answered = found.recorder.latency.histogram().len();
    let worth = |quantile| effective_size(&found.slices, quantile, answered);
    let (median, tail) = (worth(0.5), worth(0.99));
    let enough = median >= least_sample(0.5) as f64;
    let supports = if tail >= least_sample(0.99) as f64 { "enough" } else { "not enough" };
    let reason = format!(
        "{answered} answers in {}, where many are slow together, are worth {median:.0} independent \
         ones for the median, of which it needs {}, and {tail:.0} for p99, {supports} for the {} \
         that one needs",
        time(found.elapsed_ns as f64),
        least_sample(0.5),
        least_sample(0.99)
    );
    let hint = "no percentile can be told from them: run for longer";
    Some(Check::new("sample", Standing::suspect_if(!enough), reason).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Slices;
    use crate::verdict::scene::{MILLISECOND, Scene};

    #[test]
    fn a_usual_run_is_enough_for_p99() {
        let scene = Scene::closed();
        let check = check(&scene.plan, &scene.found).expect("always");
        assert_eq!(check.standing, Standing::Valid);
        assert!(check.reason.contains(", enough for the 368"), "{}", check.reason);
    }

    #[test]
    fn one_stall_is_not_enough_for_p99_however_many_requests_it_hit() {
        let mut scene = Scene::closed();
        let answered = scene.found.recorder.latency.histogram().len();
        scene.found.slices = Slices::new(Some(scene.found.elapsed_ns));
        for index in 0..answered {
            let at = index * (scene.found.elapsed_ns / answered);
            let stalled = index * 50 / answered == 20;
            scene.found.slices.record(at, if stalled { 300 } else { 2 } * MILLISECOND);
        }
        let check = check(&scene.plan, &scene.found).expect("always");
        assert_eq!(check.standing, Standing::Valid);
        assert!(check.reason.contains(", not enough for the 368"), "{}", check.reason);
    }

    #[test]
    fn a_handful_of_answers_is_not_enough_for_anything() {
        let (plan, mut found) = (Scene::closed().plan, Scene::nothing());
        (0..5).for_each(|_| found.recorder.latency.record(MILLISECOND));
        assert_eq!(check(&plan, &found).expect("always").standing, Standing::Suspect);
        found.recorder.latency.record(MILLISECOND);
        assert_eq!(check(&plan, &found).expect("always").standing, Standing::Valid);
    }
}
