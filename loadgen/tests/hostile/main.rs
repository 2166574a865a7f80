//! Hostile clients, as a process, against little servers with one trait each.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod modes;
mod polite;
mod stage;
