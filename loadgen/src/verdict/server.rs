//! Whether the server has counted what the load generator has.
//!
//! Both count replies, over the whole run. The server may have sent some that were not waited for,
//! or did not come; it can't have sent fewer than came.

use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::Plan;

pub(super) fn check(_: &Plan, found: &Found) -> Option<Check> {
    let server = found.server_answered?;
    let requests = &found.recorder.counts.requests;
    let before = &found.before.requests;
    let open = requests.failed + requests.outstanding + requests.unasked + before.failed;
    let standing = match server {
        _ if server < found.replies => Standing::Invalid,
        _ if server > found.replies + open => Standing::Suspect,
        _ => Standing::Valid,
    };
    let reason = format!(
        "the server counts {server} replies, the load generator {} and {open} requests whose replies \
         it may not have seen",
        found.replies
    );
    let hint = "other clients were served meanwhile, or replies came that the server knows nothing \
                about: is this the server under load, and does it serve nobody else?";
    Some(Check::new("server's counters", standing, reason).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::Scene;

    fn standing(server: u64) -> Option<Standing> {
        let mut scene = Scene::closed();
        scene.found.replies = 100;
        scene.found.recorder.counts.requests.failed = 2;
        scene.found.recorder.counts.requests.outstanding = 3;
        scene.found.server_answered = Some(server);
        check(&scene.plan, &scene.found).map(|check| check.standing)
    }

    #[test]
    fn both_sides_have_to_agree() {
        for (server, expected) in [
            (100, Standing::Valid),
            (105, Standing::Valid),
            (106, Standing::Suspect),
            (99, Standing::Invalid),
        ] {
            assert_eq!(standing(server), Some(expected), "{server}");
        }
    }

    #[test]
    fn nothing_is_said_about_a_server_that_does_not_tell() {
        let scene = Scene::closed();
        assert_eq!(check(&scene.plan, &scene.found), None);
    }
}
