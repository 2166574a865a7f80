//! How a session is driven.
//!
//! There are three ways, and each is written once. [`blocking`] makes the calls and lets each of
//! them wait. [`reactor`] waits for many sockets in one place, the [`poller::Poller`] of a model,
//! and then makes only calls that do not wait. [`completion`] hands the calls over to the kernel,
//! in a [`completion::Ring`], and waits until some of them are done.

pub mod accept;
pub mod blocking;
pub mod completion;
pub mod crowd;
pub mod poller;
pub mod reactor;
mod reset;
mod room;
pub mod slots;
