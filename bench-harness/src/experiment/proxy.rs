//! What stands behind a proxy, and what it is told besides its policy.

use std::num::NonZeroU32;

use serde::Deserialize;

/// The backends of all proxies of an experiment, and further options of the proxies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Proxy {
    /// How many backends there are, each a process of its own with one worker.
    pub backends: NonZeroU32,
    /// Their model: the same for all, so that a difference between two rows is one of the proxies.
    pub backend_model: String,
    /// More options of each backend.
    pub backend_options: Vec<String>,
    /// More options of the proxy.
    pub options: Vec<String>,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            backends: NonZeroU32::MIN.saturating_add(1),
            backend_model: "epoll-level".into(),
            backend_options: Vec::new(),
            options: Vec::new(),
        }
    }
}
