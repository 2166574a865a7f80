//! IP hash: a client's address decides.
//!
//! The whole address is hashed, of IPv4 and of IPv6 alike, and the hash is a place among all
//! backends of the set, fit or not. So while the set stays the same, one that is out changes
//! nothing for the clients of the others; its own clients are hashed anew, and spread over all that
//! are left. When the set changes, many clients move that need not: that is what the consistent
//! methods are for.

use super::{BackendSpec, Candidates, Client, Entry, Policy};
use crate::placement::mix::mix;

pub(super) const ENTRY: Entry = Entry {
    name: "ip-hash",
    summary: "by the client's whole address; many clients move when the set changes",
    make: |backends, _| Ok(Box::new(IpHash::new(backends))),
};

/// So often a client is hashed anew before it goes to the first that is fit. Where 2 of 100 are
/// left, that happens to 1 in 200.
const ATTEMPTS: u64 = 256;

/// Where the share of each backend ends, all shares in a row.
#[derive(Debug)]
struct IpHash(Box<[u64]>);

impl IpHash {
    fn new(backends: &[BackendSpec]) -> Self {
        let mut end = 0;
        let ends = backends.iter().map(|backend| {
            end += u64::from(backend.weight);
            end
        });
        Self(ends.collect())
    }

    /// In whose share the hash of a key falls.
    fn place(&self, hash: u64) -> usize {
        let total = self.0.last().copied().unwrap_or(0);
        let point = (u128::from(hash) * u128::from(total)) >> 64;
        self.0.partition_point(|&end| u128::from(end) <= point)
    }
}

impl Policy for IpHash {
    fn pick(&self, client: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        if candidates.is_empty() {
            return None;
        }
        let key = client.key();
        let hashed = (0..ATTEMPTS).map(|attempt| self.place(mix(key.wrapping_add(attempt))));
        let mut choice = candidates.choice_for(key);
        hashed.chain(0..candidates.len()).find(|&place| choice.settles_with(place));
        choice.place()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::{Bed, chi_square};
    use crate::proxy::moment::Moment;

    #[test]
    fn the_few_that_are_left_share_all_clients() {
        let bed = Bed::new("ip-hash", &[1; 100]);
        (0..98).for_each(|place| bed.backend(place).serve_from(Moment::NEVER));
        let counts = bed.counts(2_000);
        // Above 10.83 once in 1,000 choices of clients.
        let statistic = chi_square(&counts[98..], &[1, 1]);
        assert!(statistic < 10.83, "{:?} gives {statistic:.2}", &counts[98..]);
    }
}
