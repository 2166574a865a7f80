//! Whether the wall clock was set while measuring.
//!
//! Times are taken with a clock that nobody can set, so they are right all the same. The stamps in
//! records are not: those of several agents, or of the server's log, can't be put side by side.

use super::words::time;
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::Plan;

/// A clock that is only slewed stays within this: adjtimex(2) changes its speed by 0.05 %, and what
/// that makes is taken out again every second.
const STEP_NS: u64 = 1_000_000;

pub(super) fn check(_: &Plan, found: &Found) -> Option<Check> {
    let step = found.clock_step_ns;
    let reason = format!(
        "the wall clock was set by {} while measuring (bound {})",
        time(step as f64),
        time(STEP_NS as f64)
    );
    let hint = "don't compare the stamps of its records with those of other machines; let NTP \
                settle before a run";
    Some(Check::new("wall clock", Standing::suspect_if(step > STEP_NS), reason).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::Scene;

    #[test]
    fn a_step_is_seen_and_slewing_is_not() {
        let mut scene = Scene::closed();
        for (step, standing) in [(500_000, Standing::Valid), (2_000_000, Standing::Suspect)] {
            scene.found.clock_step_ns = step;
            assert_eq!(check(&scene.plan, &scene.found).expect("always").standing, standing);
        }
    }
}
