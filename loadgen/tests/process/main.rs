//! loadgen as a process against small servers, good and bad ones.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod correctness;
mod echo;
#[path = "../../examples/faulty_server/faults.rs"]
mod faults;
mod files;
mod http;
mod open_loop;
mod sessions;
mod stage;
mod verdict;
