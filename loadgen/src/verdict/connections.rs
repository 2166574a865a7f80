//! Whether the connections that were asked for were there, from the first moment to the last.
//!
//! Those that are missing carry no load, and in a closed loop fewer connections have shorter
//! response times.

use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Plan, Stop};

/// With fewer than this part of them, it is another experiment.
const MOST: f64 = 0.9;

pub(super) fn check(plan: &Plan, found: &Found) -> Option<Check> {
    let asked = plan.connections as u64;
    let alive = alive(plan, found);
    let least = found.established.min(alive);
    let standing = match least as f64 / asked.max(1) as f64 {
        ..MOST => Standing::Invalid,
        _ => Standing::suspect_if(least < asked || found.idle < plan.idle as u64),
    };
    let reason = format!(
        "{asked} connections asked for, {} established, {alive} alive at the end; {} of {} silent \
         ones",
        found.established, found.idle, plan.idle
    );
    let hint = "the load was not the one asked for: look at the errors, and at the limits of the \
                server (descriptors, backlog, somaxconn)";
    Some(Check::new("connections", standing, reason).hint(hint))
}

/// The connections that were there at the end. One that ends on purpose may be between two lives
/// then, or over, so of these only the ones that were given up are missing.
fn alive(plan: &Plan, found: &Found) -> u64 {
    let on_purpose = plan.reconnect_every.is_some() || matches!(plan.stop, Stop::Each(_));
    let kept = (plan.connections as u64).saturating_sub(found.abandoned);
    if on_purpose { kept } else { found.alive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::Scene;

    fn standing(arguments: &str, (established, alive, abandoned): (u64, u64, u64)) -> Standing {
        let mut scene = Scene::closed_as(arguments);
        scene.found.established = established;
        scene.found.alive = alive;
        scene.found.abandoned = abandoned;
        check(&scene.plan, &scene.found).expect("always").standing
    }

    #[test]
    fn all_of_them_pass() {
        assert_eq!(standing("-c 100", (100, 100, 0)), Standing::Valid);
    }

    #[test]
    fn missing_ones_are_flagged_at_either_end() {
        assert_eq!(standing("-c 100", (99, 100, 0)), Standing::Suspect);
        assert_eq!(standing("-c 100", (100, 99, 1)), Standing::Suspect);
        assert_eq!(standing("-c 100", (89, 89, 11)), Standing::Invalid);
        assert_eq!(standing("-c 100", (100, 0, 0)), Standing::Invalid);
    }

    #[test]
    fn those_that_end_on_purpose_are_not_missing() {
        assert_eq!(standing("-c 100 --reconnect-every 1", (100, 97, 0)), Standing::Valid);
        assert_eq!(standing("-c 100 --reconnect-every 1", (100, 97, 1)), Standing::Suspect);
        assert_eq!(standing("-c 100 --count 5", (100, 0, 0)), Standing::Valid);
    }

    #[test]
    fn missing_silent_ones_are_flagged() {
        assert_eq!(standing("-c 100 --idle 1", (100, 100, 0)), Standing::Suspect);
    }
}
