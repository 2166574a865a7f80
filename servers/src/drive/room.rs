//! Room for one more client, where descriptors have run out: what a worker gives up for that.

use super::slots::Slots;
use crate::worker::Worker;

/// Gives up something that is only kept for later: an empty pipe, or the oldest idle connection to
/// a backend, if enough of them are left. If there is none, the other workers are asked. Says
/// whether there was one; a connection is closed when its driver has swept.
pub(super) fn give_up_for_a_client<T, L>(slots: &Slots<T, L>, worker: &mut Worker<'_>) -> bool {
    let given = worker.pipes.give_up() || (slots.has_links_to_spare() && worker.links.give_up());
    if !given && worker.control.reactors() > 1 {
        worker.control.appeal_for_room();
    }
    given
}
