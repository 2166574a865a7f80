//! The ring with large primes in the functions that the assignment gives.
//!
//! `H(i) = 1427i² + 2503i + 2003` and `Φ(i, j) = 1249i² + 2287j² + 1663j + 2287`, modulo the slots.
//! `H` comes to 256 of 512 slots, each by as many requests, and `Φ` spreads copies over the whole
//! ring. What is left is chance: nine copies are few.

use super::ring::{Pair, Ring};
use super::{Choice, Method, Shape};

pub(super) const METHOD: Method = Method {
    name: "ring-modified",
    summary: "512 slots, 9 copies; H = 1427i² + 2503i + 2003, Φ = 1249i² + 2287j² + 1663j + 2287",
    new: |shape: &Shape| Box::new(Ring::new(Modified, shape)),
    choice: Choice::Key,
};

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modified;

impl Pair for Modified {
    /// Exact for ids below 2⁵⁸.
    fn request(&self, id: u64, slots: usize) -> usize {
        let id = u128::from(id);
        let square = id.wrapping_mul(id).wrapping_mul(1427);
        (square.wrapping_add(2503 * id + 2003) % slots as u128) as usize
    }

    fn copy(&self, server: u64, copy: u64, slots: usize) -> usize {
        let (i, j) = (u128::from(server), u128::from(copy));
        ((1249 * i * i + 2287 * j * j + 1663 * j + 2287) % slots as u128) as usize
    }
}
