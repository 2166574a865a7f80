//! The load generator: it puts a server under load, checks every reply and records every latency.
//!
//! ```text
//!   cli ──▶ plan ──▶ engine ──────▶ recorder ──▶ report
//!                    sockets, time  numbers      words
//!                       │
//!                    exchange: the octets of a request, and where its reply ends
//! ```
//!
//! A run is one [`Plan`](plan::Plan), carried out by the [`engine`], and one
//! [`Summary`](report::Summary). Before the first socket is opened, [`limits`] and [`sources`] have
//! made sure that the host can give what the plan needs.

pub mod agent;
pub mod calibrate;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod exchange;
pub mod failure;
pub mod fault;
pub mod hostile;
pub mod limits;
pub mod memory;
pub mod merge;
pub mod plan;
pub mod progress;
pub mod random;
pub mod recorder;
pub mod records;
pub mod report;
pub mod run;
pub mod schedule;
pub mod search;
pub mod server_stats;
pub mod sources;
pub mod statistics;
pub mod target;
pub mod usage;
pub mod verdict;
