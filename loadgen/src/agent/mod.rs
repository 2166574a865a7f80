//! One load machine among several, without a coordinator: an agent knows its rank and how many
//! there are, takes its lane of the schedule, begins at the same time as the others and writes its
//! own log.
//!
//! ```text
//!   mpirun, srun, parallel, pdsh, an Indexed Job
//!     └─ loadgen, rank 0 of 4 ── sleeps until --start-at ── lane 0 of the schedule ── r0.hlog ─┐
//!     └─ loadgen, rank 1 of 4 ── sleeps until --start-at ── lane 1 of the schedule ── r1.hlog ─┤
//!        …                                                                                     │
//!   loadgen merge ── the histogram of the union, and the agents that deviate ◀─────────────────┘
//! ```
//!
//! Nothing is ever compared across hosts but whole seconds: latencies come from one monotonic clock
//! each. So the wall clocks need to agree to a tenth of a second, and the kernel is asked whether
//! they do.

mod clock_state;
mod identity;
mod seat;
mod start;
mod watch;

pub use clock_state::{ClockState, Trust};
pub use identity::{Closing, Identity, Workload};
pub use seat::{Asked, Seat};
pub use start::{StartAt, wait_until};
pub use watch::{ClockWatch, STEP_NS};
