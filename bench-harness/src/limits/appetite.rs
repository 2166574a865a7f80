//! What a model takes from the host for each client, measured on the server itself.

use serde::{Deserialize, Serialize};

/// What a server has before its first client, and takes for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Appetite {
    /// Descriptors in the fullest table.
    pub descriptors: Share,
    /// Threads.
    pub threads: Share,
    /// Mappings: lines of `/proc/PID/maps`.
    pub mappings: Share,
    /// Resident memory of the process, in octets.
    pub resident: Share,
    /// Memory of the kernel, in octets: sockets, stacks of threads, page tables; of the server alone.
    pub kernel: Share,
}

/// An amount that grows with the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Without clients.
    pub base: f64,
    /// More for each client.
    pub each: f64,
}
