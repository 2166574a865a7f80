//! What can be concluded from numbers: pure functions and small accumulators.

mod slices;

pub use slices::Slices;
