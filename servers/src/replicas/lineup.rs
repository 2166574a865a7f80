//! The replicas in service, as the front knows them, and the policy that chooses among them.
//!
//! The front is a proxy whose backends are the processes that serve now. Whenever one comes or goes
//! they are listed anew. Between that and the moment when it happens the policy keeps the front
//! from asking the wrong one: it looks at the seats, which know first.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rand::Rng;

use super::membership::Membership;
use crate::proxy::health::ejection::Ejection;
use crate::proxy::policy::{self, Candidates, Policy};
use crate::proxy::{BackendSpec, Client, Settings, Upstreams};

/// The ids that requests get, by chance: six digits.
const IDS: RangeInclusive<u64> = 100_000..=999_999;

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

/// Gives each attempt an id, and takes the replica whose turn that is; or the next in the order of
/// succession that is in service, fit, and has not been tried. A second attempt draws another id:
/// all that are left share the requests of one that has just failed.
#[derive(Debug)]
struct ByPlacement {
    membership: Arc<Membership>,
    /// Of each address among the backends.
    places: HashMap<SocketAddr, usize>,
}

impl Policy for ByPlacement {
    fn pick(&self, _client: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let mut chosen = None;
        let fit = |place: &usize| candidates.weight(*place) > 0;
        self.membership.view().successors(rand::rng().random_range(IDS), &mut |address| {
            chosen = self.places.get(&address).copied().filter(fit);
            if chosen.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::membership::tests::view;
    use super::*;
    use crate::proxy::{Outcome, Tried};

    const CLIENT: Client = Client { address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST) };

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// How many of so many requests each replica gets.
    fn shares(lineup: &Lineup, requests: usize) -> BTreeMap<u16, usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            let lease = lineup.upstreams.lease(&CLIENT, &Tried::default());
            let port = lease.map_or(0, |lease| lease.backend().address.port());
            *shares.entry(port).or_default() += 1;
        }
        shares
    }

    #[test]
    fn requests_are_shared_out_as_the_ring_says() {
        let lineup = Lineup::new(Membership::new(view("ring-modified", 3))).unwrap();
        let view = lineup.membership.view();
        let seats = view.seats().zip(1_u16..).collect::<Vec<_>>();
        let _services =
            seats.iter().map(|(seat, port)| seat.serve(address(*port))).collect::<Vec<_>>();
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
        let lineup = Lineup::new(Membership::new(view("ring-modified", 3))).unwrap();
        let view = lineup.membership.view();
        let seats = view.seats().zip(1_u16..).collect::<Vec<_>>();
        let mut services =
            seats.iter().map(|(seat, port)| seat.serve(address(*port))).collect::<Vec<_>>();
        lineup.refresh();
        drop(services.remove(1));
        assert!(!shares(&lineup, 1_000).contains_key(&2));
        services.clear();
        assert_eq!(shares(&lineup, 10), [(0, 10)].into());
    }

    #[test]
    fn a_request_goes_on_to_others_and_none_is_tried_twice() {
        let lineup = Lineup::new(Membership::new(view("ring-modified", 3))).unwrap();
        let view = lineup.membership.view();
        let seats = view.seats().zip(1_u16..).collect::<Vec<_>>();
        let _services =
            seats.iter().map(|(seat, port)| seat.serve(address(*port))).collect::<Vec<_>>();
        lineup.refresh();
        let (mut tried, mut ports) = (Tried::default(), Vec::new());
        while let Some(lease) = lineup.upstreams.lease(&CLIENT, &tried) {
            lease.report(Outcome::Refused);
            tried.add(lease.backend().id);
            ports.push(lease.backend().address.port());
        }
        ports.sort_unstable();
        assert_eq!(ports, [1, 2, 3]);
    }
}
