//! The replicas in service, as the front knows them, and the policy that chooses among them.
//!
//! The front is a proxy whose backends are the processes that serve now. Whenever one comes or goes
//! they are listed anew. Between that and the moment when it happens the policy keeps the front
//! from asking the wrong one: it looks at the seats, which know first.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::membership::{Membership, View};
use crate::proxy::health::ejection::Ejection;
use crate::proxy::policy::{self, Candidates, Policy};
use crate::proxy::{BackendSpec, Client, Settings, Upstreams};

/// The replicas in service.
#[derive(Debug)]
pub(crate) struct Lineup {
    pub(crate) membership: Arc<Membership>,
    pub(crate) upstreams: Arc<Upstreams>,
    /// One at a time lists them, or an old list might replace a new one.
    listing: Mutex<()>,
}

impl Lineup {
    /// # Errors
    /// When the proxy has no policy of the name that stands in before the first list.
    pub(crate) fn new(membership: Membership) -> anyhow::Result<Self> {
        let settings = Settings {
            policy: policy::policy("random").context("the policy `random` is gone")?,
            seed: rand::random(),
            slow_start: Duration::ZERO,
            ejection: Ejection { fall: 3, first: Duration::from_secs(1) },
        };
        let upstreams = Arc::new(Upstreams::empty(settings)?);
        Ok(Self { membership: Arc::new(membership), upstreams, listing: Mutex::new(()) })
    }

    /// Lists those that serve now.
    pub(crate) fn refresh(&self) {
        let _listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.membership.view();
        let mut places = HashMap::new();
        let mut specs = Vec::new();
        for address in view.seats().filter_map(|seat| seat.address()) {
            // A port may be in use again before its last user is known to have gone.
            places.entry(address).or_insert_with(|| {
                specs.push(BackendSpec { address, weight: 1 });
                specs.len() - 1
            });
        }
        let policy = ByPlacement { membership: Arc::clone(&self.membership), places };
        // It fails for an address that is there twice, and none is.
        let _ = self.upstreams.replace_by(&specs, Box::new(policy));
    }
}

/// Takes the replica whose turn the id of a request is; or the next in the order of succession that
/// is in service, fit, has not been tried, and has room where the method bounds loads.
#[derive(Debug)]
struct ByPlacement {
    membership: Arc<Membership>,
    /// Of each address among the backends.
    places: HashMap<SocketAddr, usize>,
}

impl Policy for ByPlacement {
    fn pick(&self, client: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let view = self.membership.view();
        let room = room(&view, candidates);
        let fit = |place: &usize| candidates.weight(*place) > 0;
        let (mut home, mut chosen) = (None, None);
        view.successors(client.id.unwrap_or_else(|| client.key()), &mut |address| {
            let place = self.places.get(&address).copied().filter(fit);
            home = home.or(place);
            chosen = place.filter(|place| candidates.open(*place) < room);
            if chosen.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        // The loads may have changed between two looks, so that all seem full.
        chosen.or(home)
    }
}

/// How many requests one of those that are fit may have under way, with one more than there are.
fn room(view: &View, candidates: &Candidates<'_>) -> u64 {
    let Some(bound) = view.bound() else { return u64::MAX };
    let fit = (0..candidates.len()).filter(|place| candidates.weight(*place) > 0);
    let (open, count) =
        fit.fold((0, 0), |(open, count), place| (open + candidates.open(place), count + 1));
    bound.room(open, count)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::key::Key;
    use super::super::membership::tests::{order, serve, view};
    use super::*;
    use crate::proxy::{Lease, Tried};

    const CLIENT: Client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), id: None };

    fn of_three(method: &str) -> Lineup {
        Lineup::new(Membership::new(view(method, 3))).unwrap()
    }

    impl Lineup {
        /// A replica for a request of that id.
        fn lease(&self, id: u64, tried: &Tried) -> Option<Lease> {
            self.upstreams.lease(&Client { id: Some(id), ..CLIENT }, tried)
        }
    }

    /// How many of so many requests each replica gets.
    fn shares(lineup: &Lineup, requests: usize) -> BTreeMap<u16, usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            let lease = lineup.lease(Key::Random.id(&CLIENT, "/"), &Tried::default());
            let port = lease.map_or(0, |lease| lease.backend().address.port());
            *shares.entry(port).or_default() += 1;
        }
        shares
    }

    #[test]
    fn requests_are_shared_out_as_the_ring_says() {
        let lineup = of_three("ring-modified");
        let view = lineup.membership.view();
        let _services = serve(&view);
        lineup.refresh();
        // The exact shares of these three, by the slots before each: 2500, 4297 and 3203 of 10,000.
        // The limits are more than six standard deviations away.
        let shares = shares(&lineup, 10_000);
        for (port, share) in [(1, 2_500), (2, 4_297), (3, 3_203)] {
            assert!(shares[&port].abs_diff(share) < 310, "{shares:?}");
        }
    }

    #[test]
    fn who_goes_out_of_service_is_passed_over_even_before_the_list_is_new() {
        let lineup = of_three("ring-modified");
        let view = lineup.membership.view();
        let mut services = serve(&view);
        lineup.refresh();
        drop(services.remove(1));
        assert!(!shares(&lineup, 1_000).contains_key(&2));
        services.clear();
        assert_eq!(shares(&lineup, 10), [(0, 10)].into());
    }

    /// The ports of those that a request is tried on when all refuse.
    fn tries(lineup: &Lineup, id: u64) -> Vec<u16> {
        let (mut tried, mut ports) = (Tried::default(), Vec::new());
        while let Some(lease) = lineup.lease(id, &tried) {
            tried.add(lease.backend().id);
            ports.push(lease.backend().address.port());
        }
        ports
    }

    #[test]
    fn a_request_goes_on_to_the_next_on_the_ring_and_none_is_tried_twice() {
        for method in ["ring-modified", "ketama", "bounded"] {
            let lineup = of_three(method);
            let view = lineup.membership.view();
            let _services = serve(&view);
            lineup.refresh();
            for id in (100_000..999_999).step_by(9_973) {
                assert_eq!(tries(&lineup, id), order(&view, id), "{method}, {id}");
            }
        }
    }

    #[test]
    fn a_request_without_an_id_goes_by_its_client() {
        let lineup = of_three("ring-modified");
        let view = lineup.membership.view();
        let _services = serve(&view);
        lineup.refresh();
        let lease = lineup.upstreams.lease(&CLIENT, &Tried::default()).unwrap();
        assert_eq!(lease.backend().address.port(), order(&view, CLIENT.key())[0]);
    }

    #[test]
    fn where_loads_are_bounded_a_hot_key_overflows_to_its_successors() {
        let lineup = of_three("bounded");
        let view = lineup.membership.view();
        let _services = serve(&view);
        lineup.refresh();
        let (order, mut open) = (order(&view, 123_456), [0_u64; 3]);
        let mut leases = Vec::new();
        for total in 1..=300_u64 {
            let lease = lineup.lease(123_456, &Tried::default()).unwrap();
            let port = lease.backend().address.port();
            let place = order.iter().position(|other| *other == port).unwrap();
            open[place] += 1;
            assert!(open[place] <= (125 * total).div_ceil(300), "{open:?} of {total}");
            leases.push(lease);
        }
        assert_eq!(open, [125, 125, 50], "two are full, and the third has the rest");
        leases.clear();
        let lease = lineup.lease(123_456, &Tried::default()).unwrap();
        assert_eq!(lease.backend().address.port(), order[0], "at home while there is room");
    }
}
