//! How many clients a model can serve on this host, what stops it, and why: first predicted from
//! the limits of the host and the appetite of the model, then measured.

pub mod advice;
pub mod appetite;
mod chance;
mod crowd;
pub mod evidence;
mod footprint;
pub mod forecast;
pub mod host;
mod need;
mod objects;
pub mod outcome;
pub mod prediction;
mod raise;
mod reading;
pub mod record;
mod remedy;
pub mod report;
pub mod seek;
mod specimen;
pub mod survey;
pub mod table;
pub mod trial;

pub use advice::advise;
pub use prediction::predict;
pub use table::{host_table, ladders};
