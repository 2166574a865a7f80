//! What the load generator printed, as a [`Summary`].

use anyhow::{Context, Result, bail};
use loadgen::report::Summary;
use serde::Deserialize;

/// The layout of a summary that this program understands.
const SCHEMA: u32 = 2;

/// The one field that all layouts have.
#[derive(Deserialize)]
struct Layout {
    schema: u32,
}

/// Reads a summary.
///
/// # Errors
/// When it is none, or one of another layout.
pub fn read(text: &str) -> Result<Summary> {
    let what = || format!("no summary from loadgen but `{}`", beginning(text));
    let Layout { schema } = serde_json::from_str(text).with_context(what)?;
    if schema != SCHEMA {
        bail!(
            "loadgen wrote a summary of schema {schema}, and this program reads schema {SCHEMA}: \
             build both from one revision (`cargo build --release --workspace`)"
        );
    }
    serde_json::from_str(text).with_context(what)
}

fn beginning(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_layout_is_refused_with_what_to_do() {
        let error = read(r#"{"schema": 1, "rate": "?"}"#).unwrap_err().to_string();
        assert!(error.contains("schema 1") && error.contains("build both"), "{error}");
    }

    #[test]
    fn a_summary_of_this_layout_is_read() {
        let written = Summary { schema: SCHEMA, rate: 7.0, ..Summary::default() };
        assert_eq!(read(&serde_json::to_string(&written).unwrap()).unwrap(), written);
    }
}
