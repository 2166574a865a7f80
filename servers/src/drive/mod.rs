//! How a session is driven.
//!
//! There are two ways, and each is written once. [`blocking`] makes the calls and lets each of them
//! wait. [`reactor`] waits for many sockets in one place, the [`poller::Poller`] of a model, and then
//! makes only calls that do not wait.

pub mod accept;
pub mod blocking;
pub mod crowd;
pub mod poller;
pub mod reactor;
pub mod slots;
