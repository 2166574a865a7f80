//! A reverse proxy's choice: which backend a request goes to, and which are fit to be asked.
//!
//! ```text
//!   options ──> Upstreams ── lease(client, tried) ──> Lease ── report(outcome), drop
//!                  │  └─ policy: one way of choosing a file, table POLICIES
//!                  ├─ health: what failed requests say, what probes say
//!                  └─ admin: /stats and /metrics          reload: the file of backends, read again
//! ```
//!
//! A policy is a pure choice among backends whose load it sees. The load itself is kept by the
//! [`Lease`]: whoever has one is using the backend, and dropping it gives the load back, whatever
//! way the request ended. So no policy needs to be told of an end, and none can forget one.
//!
//! The data path has [`link`]: connections to backends, and where they wait for the next request.

pub mod admin;
pub mod attendants;
pub mod backend;
mod calling;
pub mod forward;
pub mod handed;
pub mod health;
pub mod lane;
pub mod lease;
pub mod link;
pub mod metrics;
pub mod moment;
pub mod options;
pub mod policy;
pub mod relay;
pub mod reload;
pub mod site;
mod tally;
pub mod upstreams;

pub use attendants::Attendants;
pub use backend::{Backend, BackendId, BackendSpec, Health};
pub use lease::{Client, Lease, Outcome, Tried};
pub use upstreams::{Settings, Unusable, Upstreams};
