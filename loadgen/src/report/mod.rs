//! What a run found, and the forms it is written in.

mod summary;

pub use summary::{Connections, Errors, Latency, Percentile, Requests, Summary, Usage};
