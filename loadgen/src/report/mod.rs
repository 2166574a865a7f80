//! What a run found, and the forms it is written in.

mod csv;
mod folder;
mod place;
mod sessions;
mod summarise;
mod summary;
mod text;

pub use folder::Folder;
pub use sessions::Sessions;
pub use summarise::summarise;
pub use summary::{
    Band, Calls, Comparison, Connections, Errors, Latency, Pace, Path, Percentile, Replies,
    Requests, Summary, ThreadUse, Usage,
};
pub use text::text;
pub(crate) use text::time as duration;

/// The summary as one JSON object, with a new line at its end.
#[must_use]
pub fn json(summary: &Summary) -> String {
    let mut text = serde_json::to_string_pretty(summary).expect("a record of numbers and strings");
    text.push('\n');
    text
}
