//! Backends to try policies on, and the time as the test says it is.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::Entry;
use crate::proxy::backend::{Backend, BackendSpec};
use crate::proxy::health::ejection::Ejection;
use crate::proxy::lease::{Client, Lease, Tried};
use crate::proxy::moment::Moment;
use crate::proxy::upstreams::{Settings, Upstreams};

/// The seed of all chances here.
pub(in crate::proxy) const SEED: u64 = 1;

/// Backends of these weights, at 127.0.0.1:1 and so on.
pub(in crate::proxy) fn specs(weights: &[u32]) -> Vec<BackendSpec> {
    let spec =
        |(port, &weight)| BackendSpec { address: (Ipv4Addr::LOCALHOST, port).into(), weight };
    (1..).zip(weights).map(spec).collect()
}

/// Backends of these weights, and a policy.
pub(in crate::proxy) struct Bed {
    pub(in crate::proxy) upstreams: Upstreams,
    pub(in crate::proxy) now: Moment,
}

impl Bed {
    pub(in crate::proxy) fn new(policy: &str, weights: &[u32]) -> Self {
        Self::starting_slowly(policy, weights, Duration::ZERO)
    }

    pub(in crate::proxy) fn starting_slowly(
        policy: &str,
        weights: &[u32],
        slow_start: Duration,
    ) -> Self {
        let policy: &'static Entry = super::policy(policy).unwrap();
        let ejection = Ejection { fall: 3, first: Duration::from_secs(1) };
        let settings = Settings { policy, seed: SEED, slow_start, ejection };
        let upstreams = Upstreams::new(settings, specs(weights)).unwrap();
        Self { upstreams, now: Moment::now() }
    }

    /// The backend at `place`.
    pub(in crate::proxy) fn backend(&self, place: usize) -> Arc<Backend> {
        Arc::clone(&self.upstreams.snapshot().backends()[place])
    }

    pub(in crate::proxy) fn lease_for(&self, client: u32, tried: &Tried) -> Option<Lease> {
        self.upstreams.fleet().lease(&self::client(client), tried, self.now)
    }

    /// A lease for the first client.
    pub(in crate::proxy) fn lease(&self) -> Lease {
        self.lease_for(0, &Tried::default()).unwrap()
    }

    /// To which place a request goes that ends at once.
    pub(in crate::proxy) fn place(&self) -> usize {
        self.place_for(0)
    }

    /// To which place a request of that client goes that ends at once.
    pub(in crate::proxy) fn place_for(&self, client: u32) -> usize {
        self.place_of(&self.lease_for(client, &Tried::default()).unwrap())
    }

    /// Of which place a lease is.
    pub(in crate::proxy) fn place_of(&self, lease: &Lease) -> usize {
        let set = self.upstreams.snapshot();
        let place = set.backends().iter().position(|backend| backend.id == lease.backend().id);
        place.unwrap()
    }

    /// How many of the requests of `clients`, one each and ended at once, go to each place.
    pub(in crate::proxy) fn counts(&self, clients: u32) -> Vec<u32> {
        let mut counts = vec![0; self.upstreams.snapshot().backends().len()];
        (0..clients).for_each(|client| counts[self.place_for(client)] += 1);
        counts
    }
}

/// The client with that number.
pub(in crate::proxy) fn client(number: u32) -> Client {
    Client { address: Ipv4Addr::from_bits(0x0a00_0000 + number).into(), id: None }
}

/// Pearson's statistic: how far counts are from what the weights make one expect.
pub(in crate::proxy) fn chi_square(counts: &[u32], weights: &[u32]) -> f64 {
    let share = f64::from(counts.iter().sum::<u32>()) / f64::from(weights.iter().sum::<u32>());
    let deviation = |(&count, &weight)| {
        let expected = share * f64::from(weight);
        (f64::from(count) - expected).powi(2) / expected
    };
    counts.iter().zip(weights).map(deviation).sum()
}
