//! Jobs for servers with a pool of threads: the message, who asks, who works, who balances.

pub mod balancer;
pub mod client;
pub mod message;
mod outbox;
pub mod pool;
pub mod server;
pub mod state;

use std::hash::{BuildHasher, RandomState};

/// A number that is another one each time: what the standard library seeds its maps with.
fn chance() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests;
