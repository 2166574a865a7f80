//! One backend: where it is, what it has been given, and whether it is fit to be asked.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use super::health::ejection::Record;
use super::lease::Outcome;
use super::moment::Moment;
use super::upstreams::Fleet;

/// The heaviest weight, which consistent hashing has room for.
pub const WEIGHT_MAX: u32 = 256;

/// What is said of a backend: `HOST:PORT`, or `HOST:PORT,weight=3`.
///
/// A name is resolved once, when it is read; its first address counts. An IPv6 address stands in
/// brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendSpec {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share, beside the others'.
    pub weight: u32,
}

impl FromStr for BackendSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, weight) = match text.split_once(',') {
            None => (text, 1),
            Some((address, rest)) => (address, weight(rest)?),
        };
        let mut found = address
            .to_socket_addrs()
            .map_err(|error| format!("`{address}` is not a backend, HOST:PORT: {error}"))?;
        let address = found.next().ok_or_else(|| format!("`{address}` has no address"))?;
        if address.port() == 0 {
            return Err(format!("`{address}` is not a backend: nobody listens on port 0"));
        }
        Ok(Self { address, weight })
    }
}

fn weight(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix("weight=").and_then(|number| number.parse().ok());
    number
        .filter(|weight| (1..=WEIGHT_MAX).contains(weight))
        .ok_or_else(|| format!("`{text}` is not weight=N with N from 1 to {WEIGHT_MAX}"))
}

impl fmt::Display for BackendSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},weight={}", self.address, self.weight)
    }
}

/// What the Host field of a request says that is for the backend at `address`. The interface that a
/// link-local one belongs to means something on this host only, and is left out (RFC 6874, 4).
pub(super) fn host_of(mut address: SocketAddr) -> String {
    if let SocketAddr::V6(address) = &mut address {
        address.set_scope_id(0);
    }
    address.to_string()
}

/// The number of a backend. A backend that leaves and comes back gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BackendId(pub u32);

/// How a backend stands with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It may be asked.
    InService,
    /// It is left out for a while: requests to it have failed.
    Ejected,
    /// It is left out until probes find it well.
    Down,
}

/// A backend, and what is known of it. All workers share it.
///
/// Whether it may be asked is one word, the moment since when it is [in service](Self::since): in
/// the past for one that may, in the future for one that is ejected until then, and
/// [`NEVER`](Moment::NEVER) for one that probes found down.
#[derive(Debug)]
#[repr(align(128))] // two lines: workers write to different backends at once
pub struct Backend {
    /// Its number.
    pub id: BackendId,
    /// Where it listens.
    pub address: SocketAddr,
    weight: AtomicU32,
    since: AtomicU64,
    /// Whether it has left the set of backends.
    left: AtomicBool,
    /// Leases that are out.
    open: AtomicU64,
    /// Leases there have been.
    leased: AtomicU64,
    /// What came of them: one number for each [`Outcome`].
    outcomes: [AtomicU64; Outcome::ALL.len()],
    /// How often it was taken out of service.
    removals: AtomicU64,
    /// How often it was to be, and stayed.
    spared: AtomicU64,
    /// What failed requests say of it.
    pub(super) record: Record,
    /// Who else there is.
    pub(super) fleet: Weak<Fleet>,
}

impl Backend {
    pub(super) fn new(id: BackendId, spec: BackendSpec, since: Moment, fleet: Weak<Fleet>) -> Self {
        Self {
            id,
            address: spec.address,
            weight: AtomicU32::new(spec.weight),
            since: AtomicU64::new(since.to_bits()),
            left: AtomicBool::new(false),
            open: AtomicU64::new(0),
            leased: AtomicU64::new(0),
            outcomes: Default::default(),
            removals: AtomicU64::new(0),
            spared: AtomicU64::new(0),
            record: Record::default(),
            fleet,
        }
    }

    /// Its share, beside the others'.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    pub(super) fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Relaxed);
    }

    /// Whether it has been replaced by others. It never comes back: if its address does, that is
    /// another backend.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    pub(super) fn leave(&self) {
        self.left.store(true, Relaxed);
    }

    /// How many leases of it are out.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// How many leases of it there have been.
    #[must_use]
    pub fn leased(&self) -> u64 {
        self.leased.load(Relaxed)
    }

    /// How many requests ended like that.
    #[must_use]
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Relaxed)
    }

    /// Since when it may be asked.
    #[must_use]
    pub fn since(&self) -> Moment {
        Moment::from_bits(self.since.load(Relaxed))
    }

    /// Whether it may be asked.
    #[must_use]
    pub fn in_service(&self, now: Moment) -> bool {
        self.since() <= now
    }

    /// How it stands with the service.
    #[must_use]
    pub fn health(&self, now: Moment) -> Health {
        match self.since() {
            Moment::NEVER => Health::Down,
            since if since > now => Health::Ejected,
            _ => Health::InService,
        }
    }

    /// How often it was taken out of service.
    #[must_use]
    pub fn removals(&self) -> u64 {
        self.removals.load(Relaxed)
    }

    pub(super) fn count_removal(&self) {
        self.removals.fetch_add(1, Relaxed);
    }

    /// How often requests or probes spoke for taking it out, and it stayed in service, because too
    /// few others were.
    #[must_use]
    pub fn spared(&self) -> u64 {
        self.spared.load(Relaxed)
    }

    pub(super) fn count_spared(&self) {
        self.spared.fetch_add(1, Relaxed);
    }

    pub(super) fn serve_from(&self, since: Moment) {
        self.since.store(since.to_bits(), Relaxed);
    }

    pub(super) fn take(&self) {
        self.open.fetch_add(1, Relaxed);
        self.leased.fetch_add(1, Relaxed);
    }

    pub(super) fn give_back(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub(super) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_backend_with_and_without_a_weight() {
        let plain: BackendSpec = "127.0.0.1:8081".parse().unwrap();
        assert_eq!((plain.address.to_string().as_str(), plain.weight), ("127.0.0.1:8081", 1));
        let heavy: BackendSpec = "[::1]:8081,weight=3".parse().unwrap();
        assert_eq!((heavy.address.to_string().as_str(), heavy.weight), ("[::1]:8081", 3));
        assert_eq!(heavy.to_string().parse(), Ok(heavy));
    }

    #[test]
    fn a_backend_is_named_by_the_address_that_it_has_for_everybody() {
        for (address, host) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("[fe80::1%2]:80", "[fe80::1]:80"),
        ] {
            let spec: BackendSpec = address.parse().unwrap();
            assert_eq!(spec.address.to_string(), address);
            assert_eq!(host_of(spec.address), host);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_backend() {
        for (text, word) in [
            ("127.0.0.1", "HOST:PORT"),
            ("127.0.0.1:0", "port 0"),
            ("127.0.0.1:80,weight=0", "1 to 256"),
            ("127.0.0.1:80,weight=257", "1 to 256"),
            ("127.0.0.1:80,wait=3", "weight=N"),
            ("127.0.0.1:80,", "weight=N"),
        ] {
            let error = text.parse::<BackendSpec>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
