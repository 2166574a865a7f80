//! Records that other programs read: interval logs, percentile files, a log of every request.
//!
//! ```text
//!   every second:  IntervalLog ──▶ r0.hlog ───────▶ the public HdrHistogram tools, loadgen merge
//!   every request: Pen ──▶ RequestLog ──▶ requests.log ──▶ loadgen figures
//!   at the end:    percentiles ──▶ .hgrm ─────────▶ the plotting page of HdrHistogram
//! ```

mod draft;
pub mod figures;
mod interval_log;
mod interval_read;
mod percentiles;
#[cfg(test)]
mod public_tools;
mod quantile;
mod request_log;
mod tag;

pub use draft::{Draft, write_file};
pub use figures::{Arguments, run};
pub use interval_log::IntervalLog;
pub use interval_read::{Damage, Interval, IntervalFile};
pub use percentiles::percentiles;
pub use quantile::{Quantile, quantile, quantiles};
pub use request_log::{Frame, Outcome, Pen, Record, RequestFile, RequestLog, Written};
pub use tag::{Origin, Series, Tag};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

/// A histogram as text: HdrHistogram V2, deflated, in base64. Equal histograms have equal texts.
#[must_use]
pub fn encoded(times: &Histogram<u64>) -> String {
    let mut octets = Vec::new();
    // Writing to memory can't fail.
    let _ = V2DeflateSerializer::new().serialize(times, &mut octets);
    STANDARD.encode(octets)
}
