//! Which limit a model meets first, with the arithmetic.

use serde::{Deserialize, Serialize};

use super::host::Limit;

/// What is expected of a model on this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The most clients that are served at once.
    pub clients: u64,
    /// What stops it there; `None` when nothing does up to the most that was asked about.
    pub binding: Option<Limit>,
    /// How that comes about: `20000 - 9 descriptors, 1 a client`.
    pub arithmetic: String,
    /// The command that raises it.
    pub raise: String,
}
