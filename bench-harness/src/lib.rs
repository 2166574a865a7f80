//! Runs experiments over I/O models and says what came out.
//!
//! An experiment is a TOML file: a question, an expectation that can be wrong, a matrix of
//! conditions. Each point of the matrix is a trial: start a server, put it under load, stop it,
//! and write down a row. Servers and load generator are processes of their own, so that CPU time,
//! memory and limits are counted per role.
//!
//! ```text
//! experiment ──▶ runner ──▶ record ──▶ stats ──▶ plot, report
//!                  │
//!                  └──▶ launch (real processes, or scripted ones in tests)
//! ```

mod backends;
pub mod balance;
pub mod calibration;
pub mod cli;
pub mod cmd;
mod counted;
pub mod experiment;
pub mod failure;
pub mod fault;
pub mod folder;
pub mod interrupt;
mod judge;
pub mod kept;
pub mod launch;
pub mod ledger;
pub mod limits;
pub mod manifest;
pub mod offer;
pub mod packets;
pub mod plot;
pub mod probe;
pub mod progress;
pub mod record;
pub mod report;
pub mod restraint;
pub mod results;
pub mod runner;
pub mod stats;
pub mod waiting;
