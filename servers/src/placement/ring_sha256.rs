//! The ring with SHA-256 (FIPS 180-4) over the functions that the assignment gives.
//!
//! The value of the given function, in as few octets as it needs and the most significant first, is
//! hashed; the digest, as a number of 256 bits, is taken modulo the slots. All slots are met, each
//! about as often. What is left is chance: nine copies are few. A
//! cryptographic hash is more than the task needs.

use sha2::{Digest, Sha256};

use super::ring::{Pair, Ring};
use super::{Choice, Method, Shape, ring_given};

pub(super) const METHOD: Method = Method {
    name: "ring-sha256",
    summary: "512 slots, 9 copies; SHA-256 of the values of ring-given",
    new: |shape: &Shape| Box::new(Ring::new(Sha256Pair, shape)),
    choice: Choice::Key,
};

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sha256Pair;

impl Pair for Sha256Pair {
    fn request(&self, id: u64, slots: usize) -> usize {
        digest(ring_given::request(id), slots)
    }

    fn copy(&self, server: u64, copy: u64, slots: usize) -> usize {
        digest(ring_given::copy(server, copy), slots)
    }
}

fn digest(value: u128, slots: usize) -> usize {
    let octets = value.to_be_bytes();
    let first = octets.iter().position(|&octet| octet != 0).unwrap_or(octets.len());
    let digest = Sha256::digest(&octets[first..]);
    let slots = slots as u128;
    // Horner's rule: 256 bits at eight a step, so that it holds for any number of slots.
    digest.iter().fold(0, |rest, &octet| (rest << 8 | u128::from(octet)) % slots) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_digest_counts_as_one_number() {
        // SHA-256("abc") = ba7816bf … 20015ad, a test vector of FIPS 180-2.
        assert_eq!(digest(0x61_62_63, 512), 0x1ad);
        assert_eq!(digest(0x61_62_63, 1 << 32), 0xf20015ad);
        // The digest modulo 1,000, as arithmetic of any precision has it.
        assert_eq!(digest(0x61_62_63, 1_000), 965);
    }
}
