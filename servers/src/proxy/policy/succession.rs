//! What the consistent methods share: a client's place, and who takes over from whom.

use std::ops::ControlFlow;

use super::{BackendSpec, Candidates, Client, Policy, Refused};
use crate::placement::{Placement, Rejected, Shape, method};

/// Backends, placed by a method of consistent hashing under their addresses. So the place of a
/// client depends on who is in the set, and not on their order, nor on when they came.
#[derive(Debug)]
pub(super) struct Succession(Box<dyn Placement>);

impl Succession {
    /// The `backends`, placed by the method of that name.
    pub(super) fn new(name: &str, backends: &[BackendSpec]) -> Result<Self, Refused> {
        let method = method(name).ok_or_else(|| Refused(format!("there is no method {name}")))?;
        let mut placement = (method.new)(&Shape::default());
        let names = backends.iter().map(|backend| backend.address.to_string()).collect::<Vec<_>>();
        let weights = backends.iter().map(|backend| backend.weight);
        let nodes = names.iter().map(String::as_str).zip(weights).collect::<Vec<_>>();
        let refused = |one: Rejected| Refused(format!("{}: {}", names[one.place], one.why));
        placement.add_all(&nodes).map_err(refused)?;
        Ok(Self(placement))
    }

    /// The first backend in the client's order of succession that `may` be asked, in its share of
    /// the clients: see [`Choice`](super::Choice).
    pub(super) fn first(
        &self,
        client: &Client,
        candidates: &Candidates<'_>,
        may: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let key = client.key();
        let mut choice = candidates.choice_for(key);
        self.0.successors(key, &mut |node| {
            // Nodes are numbered as they were added.
            let place = node.place();
            if may(place) && choice.settles_with(place) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        choice.place()
    }
}

impl Policy for Succession {
    fn pick(&self, client: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        self.first(client, candidates, |_| true)
    }
}
