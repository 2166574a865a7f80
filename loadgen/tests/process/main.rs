//! loadgen as a process against small servers, good and bad ones.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod echo;
mod files;
mod http;
mod stage;
