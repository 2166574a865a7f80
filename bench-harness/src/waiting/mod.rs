//! What one wait costs: `servers time-waits` for each poller, and a fit of what it printed.
//!
//! ```text
//! grid ──▶ measure (a process a poller) ──▶ row ──▶ fit, knee ──▶ findings ──▶ page, charts
//!                                                     │
//!                                                regression, bootstrap over passes
//! ```
//!
//! The model is `ns = a + b·idle + c·active`. A second one has a term more, for the descriptors
//! that select(2) and poll(2) ask to call back: those ahead of the first that is ready.

pub mod analysis;
pub mod findings;
pub mod fit;
pub mod grid;
pub mod knee;
pub mod measure;
pub mod page;
pub mod regression;
pub mod row;
