//! The backends that there are now, and who gets which.
//!
//! The set of backends never changes: a new one takes its place, and with it a policy made for it.
//! Who leases holds a read lock for as long as the choice takes; who replaces the set prepares
//! everything first and holds the write lock for one store.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::backend::{Backend, BackendId, BackendSpec};
use super::health::ejection::Ejection;
use super::lease::{Attempt, Client, Lease, Tried};
use super::moment::Moment;
use super::policy::{Candidates, Entry, Policy, Refused};
use crate::dice::Dice;

/// Of the requests under way, one in so many may be a second attempt: more would be a second load
/// on backends that are failing under the first.
const RETRY_SHARE: u64 = 5;
/// So many second attempts are allowed in any case: of few requests under way, a fifth is none.
const RETRIES_LEAST: u64 = 3;

/// The number of the next backend, of whichever fleet: a worker keeps its idle connections by
/// number, and it may serve more than one fleet.
static ID_NEXT: AtomicU32 = AtomicU32::new(0);

/// How backends are chosen and judged.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Who chooses.
    pub policy: &'static Entry,
    /// What its chances start from.
    pub seed: u64,
    /// How long a backend that is new, or back, takes to its full share.
    pub slow_start: Duration,
    /// When failed requests take a backend out.
    pub ejection: Ejection,
}

/// Why a set of backends can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is none.
    Empty,
    /// This one is there twice: a weight says the same, clearly.
    Twice(SocketAddr),
    /// The policy can't be made for these.
    Refused(Refused),
}

impl From<Refused> for Unusable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "there is no backend: name one with --backend HOST:PORT, or in the file that \
                 --backends names",
            ),
            Self::Twice(address) => {
                write!(f, "{address} is there twice: for a larger share write {address},weight=2")
            }
            Self::Refused(refused) => write!(f, "not for this policy: {}", refused.0),
        }
    }
}

impl std::error::Error for Unusable {}

/// The backends, and who gets which. All workers share it.
#[derive(Debug)]
pub struct Upstreams {
    fleet: Arc<Fleet>,
}

/// What the backends know of each other.
#[derive(Debug)]
pub struct Fleet {
    pub(super) settings: Settings,
    set: RwLock<Arc<Set>>,
    /// One at a time replaces the set, or takes a backend out of service.
    changing: Mutex<()>,
    /// How much longer or shorter an ejection is.
    pub(super) jitter: Dice,
    /// Second attempts under way.
    pub(super) retrying: AtomicU64,
    /// Second attempts there have been.
    retries: AtomicU64,
}

/// The backends at one time, in the order in which they were named.
#[derive(Debug)]
pub struct Set {
    backends: Box<[Arc<Backend>]>,
    policy: Box<dyn Policy>,
}

impl Set {
    /// The backends, in the order in which they were named.
    #[must_use]
    pub fn backends(&self) -> &[Arc<Backend>] {
        &self.backends
    }
}

impl Upstreams {
    /// Those of `specs`, all of them in full service.
    ///
    /// # Errors
    /// When there is none, one of them twice, or more than the policy has room for.
    pub fn new(settings: Settings, specs: Vec<BackendSpec>) -> Result<Self, Unusable> {
        check(&specs)?;
        let fleet = Fleet::new(settings)?;
        fleet.install(&specs, Moment::ALWAYS)?;
        Ok(Self { fleet })
    }

    /// Nobody yet: whoever knows the backends puts them in [by a policy](Self::replace_by) of its
    /// own.
    ///
    /// # Errors
    /// When the policy of the settings, which stands in until then, can't be made.
    pub fn empty(settings: Settings) -> Result<Self, Unusable> {
        Ok(Self { fleet: Fleet::new(settings)? })
    }

    /// A backend for a request of `client`, other than those it was `tried` on: one in service, or
    /// any where none is. `None` when nobody is left to ask.
    #[must_use]
    pub fn lease(&self, client: &Client, tried: &Tried) -> Option<Lease> {
        self.fleet.lease(client, tried, Moment::now())
    }

    /// Puts `specs` in place of the backends there are. A backend that stays keeps what is known of
    /// it; leases of one that goes stay good.
    ///
    /// # Errors
    /// When there is none, one of them twice, or more than the policy has room for. Then nothing
    /// changes.
    pub fn replace(&self, specs: Vec<BackendSpec>) -> Result<(), Unusable> {
        check(&specs)?;
        self.fleet.install(&specs, Moment::now())
    }

    /// The same by a policy of one's own, which was made for these, and may be made for none.
    ///
    /// # Errors
    /// When one of them is there twice. Then nothing changes.
    pub fn replace_by(
        &self,
        specs: &[BackendSpec],
        policy: Box<dyn Policy>,
    ) -> Result<(), Unusable> {
        if !specs.is_empty() {
            check(specs)?;
        }
        self.fleet.install_by(specs, policy, Moment::now());
        Ok(())
    }

    /// Whether a request may be tried once more: a fifth of all requests under way may, and
    /// three in any case. Workers that ask at the same moment may each get the last one.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        let open = self.fleet.set().backends.iter().map(|backend| backend.open()).sum::<u64>();
        self.fleet.retrying.load(Relaxed) < RETRIES_LEAST.max(open / RETRY_SHARE)
    }

    /// The name of the policy.
    #[must_use]
    pub fn policy(&self) -> &'static str {
        self.fleet.settings.policy.name
    }

    pub(super) fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet)
    }

    /// How many second attempts are under way.
    #[must_use]
    pub fn retrying(&self) -> u64 {
        self.fleet.retrying.load(Relaxed)
    }

    /// How many second attempts there have been.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.fleet.retries.load(Relaxed)
    }

    /// The backends now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Set> {
        Arc::clone(&self.fleet.set())
    }
}

impl Fleet {
    fn new(settings: Settings) -> Result<Arc<Self>, Unusable> {
        let empty = Set { backends: Box::new([]), policy: (settings.policy.make)(&[], 0)? };
        Ok(Arc::new(Self {
            settings,
            set: RwLock::new(Arc::new(empty)),
            changing: Mutex::new(()),
            jitter: Dice::new(settings.seed),
            retrying: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }))
    }

    pub(super) fn set(&self) -> RwLockReadGuard<'_, Arc<Set>> {
        self.set.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any of the backends is in service.
    pub(super) fn serves(&self, now: Moment) -> bool {
        self.set().backends.iter().any(|backend| backend.in_service(now))
    }

    /// One at a time changes who is in service.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lease(&self, client: &Client, tried: &Tried, now: Moment) -> Option<Lease> {
        let set = self.set();
        let slow_start = self.settings.slow_start;
        let candidates = Candidates::new(&set.backends, tried, now, slow_start);
        let chosen = set.policy.pick(client, &candidates)?;
        let backend = Arc::clone(set.backends.get(chosen)?);
        let attempt = if tried.is_empty() { Attempt::First } else { self.again() };
        Some(Lease::new(backend, now, attempt))
    }

    fn again(&self) -> Attempt {
        self.retrying.fetch_add(1, Relaxed);
        self.retries.fetch_add(1, Relaxed);
        Attempt::Again
    }

    /// Puts a set of these in place; those that are new serve from `since`.
    fn install(self: &Arc<Self>, specs: &[BackendSpec], since: Moment) -> Result<(), Unusable> {
        let policy = (self.settings.policy.make)(specs, self.settings.seed)?;
        self.install_by(specs, policy, since);
        Ok(())
    }

    fn install_by(self: &Arc<Self>, specs: &[BackendSpec], policy: Box<dyn Policy>, since: Moment) {
        let _changing = self.changing();
        let old = Arc::clone(&self.set());
        let find = |address| old.backends.iter().find(|backend| backend.address == address);
        let keep_or_make = |spec: &BackendSpec| match find(spec.address) {
            Some(backend) => {
                backend.set_weight(spec.weight);
                Arc::clone(backend)
            }
            None => Arc::new(Backend::new(Self::id(), *spec, since, Arc::downgrade(self))),
        };
        let backends = specs.iter().map(keep_or_make).collect();
        let new = Arc::new(Set { backends, policy });
        let stays = |id| new.backends.iter().any(|backend| backend.id == id);
        old.backends
            .iter()
            .filter(|backend| !stays(backend.id))
            .for_each(|backend| backend.leave());
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn id() -> BackendId {
        BackendId(ID_NEXT.fetch_add(1, Relaxed))
    }
}

fn check(specs: &[BackendSpec]) -> Result<(), Unusable> {
    let mut seen = HashSet::new();
    match specs.iter().find(|spec| !seen.insert(spec.address)) {
        Some(spec) => Err(Unusable::Twice(spec.address)),
        None if specs.is_empty() => Err(Unusable::Empty),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::backend::Health;
    use crate::proxy::lease::Outcome;
    use crate::proxy::policy::bed::{Bed, client, specs};

    #[test]
    fn a_backend_that_stays_keeps_what_is_known_of_it_and_one_that_returns_is_new() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let (kept, gone) = (bed.backend(0), bed.backend(1));
        let lease = bed.lease();
        kept.serve_from(Moment::NEVER);
        bed.upstreams.replace(specs(&[5])).unwrap();
        assert!(Arc::ptr_eq(&kept, &bed.backend(0)));
        assert_eq!((kept.weight(), kept.leased(), kept.health(bed.now)), (5, 1, Health::Down));
        bed.upstreams.replace(specs(&[1, 1])).unwrap();
        assert_ne!(bed.backend(1).id, gone.id);
        assert!(gone.has_left() && !kept.has_left() && !bed.backend(1).has_left());
        drop(lease);
        assert_eq!(kept.open(), 0);
    }

    #[test]
    fn a_lease_of_a_backend_that_has_gone_stays_good() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let leases = [bed.lease(), bed.lease()];
        let old = bed.upstreams.snapshot();
        bed.upstreams.replace(specs(&[1, 1, 1])[2..].to_vec()).unwrap();
        for lease in leases {
            lease.report(Outcome::Answered);
        }
        for backend in old.backends() {
            assert_eq!((backend.open(), backend.ended(Outcome::Answered)), (0, 1));
        }
        assert_eq!(bed.lease().backend().address.port(), 3);
    }

    #[test]
    fn a_set_that_can_t_be_used_changes_nothing() {
        let bed = Bed::new("ring", &[1, 1]);
        let before = bed.upstreams.snapshot();
        assert_eq!(bed.upstreams.replace(Vec::new()), Err(Unusable::Empty));
        let twice = [specs(&[1, 2]), specs(&[3])].concat();
        let address = twice[0].address;
        assert_eq!(bed.upstreams.replace(twice), Err(Unusable::Twice(address)));
        let heavy = bed.upstreams.replace(specs(&[1_000_000])).unwrap_err().to_string();
        assert!(heavy.contains("127.0.0.1:1"), "{heavy}");
        assert!(Arc::ptr_eq(&before, &bed.upstreams.snapshot()));
    }

    #[test]
    fn a_backend_that_comes_later_starts_slowly_and_the_first_ones_do_not() {
        let slow_start = Duration::from_secs(3_600);
        let bed = Bed::starting_slowly("round-robin", &[1, 1], slow_start);
        bed.upstreams.replace(specs(&[1, 1, 1])).unwrap();
        let now = Moment::now();
        let set = bed.upstreams.snapshot();
        let tried = Tried::default();
        let candidates = Candidates::new(set.backends(), &tried, now, slow_start);
        let weights = candidates.weights().collect::<Vec<_>>();
        assert_eq!(weights[..2], [Candidates::FULL; 2]);
        assert!((1..10).contains(&weights[2]), "{weights:?}");
    }

    #[test]
    fn a_fifth_of_the_requests_under_way_may_be_second_attempts_and_a_few_in_any_case() {
        let bed = Bed::new("random", &[1, 1]);
        let mut tried = Tried::default();
        tried.add(bed.backend(0).id);
        let again = || bed.upstreams.lease(&client(0), &tried).unwrap();
        for (first_attempts, most) in [(0, 3), (10, 3), (100, 24)] {
            let first = (0..first_attempts).map(|_| bed.lease()).collect::<Vec<_>>();
            let mut second = Vec::new();
            while bed.upstreams.may_retry() {
                second.push(again());
            }
            assert_eq!(second.len(), most, "beside {first_attempts}");
            assert!(second.len() * 5 <= (first.len() + second.len()).max(15));
            second.pop();
            assert!(bed.upstreams.may_retry(), "one has ended");
        }
        assert_eq!((bed.upstreams.retrying(), bed.upstreams.retries()), (0, 30));
    }
}
