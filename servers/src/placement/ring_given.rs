//! The ring with the functions that the assignment gives.
//!
//! `H(i) = i² + 2i + 17` and `Φ(i, j) = i² + j² + 2j + 25`, modulo the slots. As `H` is a square
//! and a constant, `(i + 1)² + 16`, it comes to 87 of 512 slots only, and to one of them for every
//! sixteenth request. `Φ` puts the nine copies of a server within 99 slots, and those of the next
//! server beside them. So a few long arcs get nearly all requests: the first server of six more
//! than 70 %.

use super::ring::{Pair, Ring};
use super::{Choice, Method, Shape};

pub(super) const METHOD: Method = Method {
    name: "ring-given",
    summary: "512 slots, 9 copies; H = i² + 2i + 17, Φ = i² + j² + 2j + 25",
    new: |shape: &Shape| Box::new(Ring::new(Given, shape)),
    choice: Choice::Key,
};

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given;

/// `H` before it is taken modulo the slots. Exact for ids below 2⁶³.
pub(super) const fn request(id: u64) -> u128 {
    let id = id as u128;
    id.wrapping_mul(id).wrapping_add(2 * id + 17)
}

/// `Φ` before it is taken modulo the slots. Servers and copies are few: it is exact.
pub(super) const fn copy(server: u64, copy: u64) -> u128 {
    let (i, j) = (server as u128, copy as u128);
    i * i + j * j + 2 * j + 25
}

impl Pair for Given {
    fn request(&self, id: u64, slots: usize) -> usize {
        (request(id) % slots as u128) as usize
    }

    fn copy(&self, server: u64, number: u64, slots: usize) -> usize {
        (copy(server, number) % slots as u128) as usize
    }
}
