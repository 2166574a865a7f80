//! Records that other programs read: interval logs, percentile files, a log of every request.

mod draft;
mod interval_log;
mod interval_read;
mod percentiles;
mod request_log;
mod tag;

pub use draft::{Draft, write_file};
pub use interval_log::IntervalLog;
pub use interval_read::{Damage, Interval, IntervalFile};
pub use percentiles::percentiles;
pub use request_log::{Frame, Outcome, Pen, Record, RequestFile, RequestLog, Written};
pub use tag::{Origin, Series, Tag};
