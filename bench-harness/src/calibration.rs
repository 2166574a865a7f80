//! What the load generator itself adds to a response time, as `loadgen calibrate` found it on this
//! host.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::report::number::time;

/// The layout of `calibration.json` that this program understands.
const SCHEMA: u32 = 1;

/// What a report needs of a calibration; the file has more.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Calibration {
    schema: u32,
    /// The version of the load generator.
    version: String,
    /// `quick` or `full`.
    extent: String,
    /// The median over all cases of what was measured less what it had to be, in microseconds.
    bias_us: f64,
    /// Whether each figure was as close as it has to be.
    holds: bool,
    host: Host,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Host {
    kernel: String,
}

impl Calibration {
    /// Reads a calibration.
    ///
    /// # Errors
    /// When the file can't be read, is no calibration, or is one of another layout.
    pub fn read(path: &Path) -> Result<Self> {
        let what = || format!("reading the calibration {}", path.display());
        let text = fs::read_to_string(path).with_context(what)?;
        let found: Self = serde_json::from_str(&text).with_context(what)?;
        if found.schema != SCHEMA {
            bail!(
                "{} is a calibration of schema {}, and this program reads schema {SCHEMA}: make it \
                 anew with `loadgen calibrate --out DIR`",
                path.display(),
                found.schema
            );
        }
        Ok(found)
    }

    /// What it means for the times of a run that was made under `kernel`.
    #[must_use]
    pub fn sentence(&self, kernel: &str) -> String {
        let side = if self.bias_us < 0.0 { "short" } else { "long" };
        let mut text = format!(
            "Latencies here are measured {} too {side} at the median, by what `loadgen calibrate` \
             ({}, loadgen {}) found against servers whose answers are known; calibration.json has \
             each case.",
            time(self.bias_us.abs()),
            self.extent,
            self.version
        );
        if !self.holds {
            text += " **Some of its figures were further off than they may be**: this host was \
                     too busy for exact times.";
        }
        if !kernel.contains(self.release()) {
            text += &format!(" It was made under another kernel, {}.", self.host.kernel);
        }
        text
    }

    /// `6.1.0` of `Linux 6.1.0`.
    fn release(&self) -> &str {
        self.host.kernel.split_whitespace().last().unwrap_or_default()
    }
}

/// What a report says without one.
pub const NONE: &str = "No calibration was made, so it is not known by how much latencies are \
    measured too long; `bench-harness run --calibrate` makes one first (20 s), and `--calibration \
    FILE` takes one that `loadgen calibrate --out DIR` has made on this host.";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: &[(&str, &str)]) -> Result<Calibration> {
        let sound = r#"{"schema": 1, "version": "0.1.0", "host": {"kernel": "Linux 6.1", "cpus": 2},
            "extent": "quick", "spin_ns": 0, "findings": [], "bias_us": 23.4, "holds": true}"#;
        let text = change.iter().fold(sound.to_owned(), |text, (from, to)| text.replace(from, to));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.json");
        fs::write(&path, text).unwrap();
        Calibration::read(&path)
    }

    #[test]
    fn the_bias_is_cited_with_its_sign() {
        let said = read(&[]).unwrap().sentence("6.1 #1 SMP");
        assert!(said.starts_with("Latencies here are measured 23.4 µs too long at the"), "{said}");
        assert!(!said.contains("**") && !said.contains("another kernel"), "{said}");
        let said = read(&[("23.4", "-1.5")]).unwrap().sentence("6.1 #1 SMP");
        assert!(said.contains("1.5 µs too short"), "{said}");
    }

    #[test]
    fn one_that_does_not_hold_or_is_of_another_host_says_so() {
        let found = read(&[("true", "false")]).unwrap();
        assert!(found.sentence("5.4 #1 SMP").contains("further off than they may be"));
        assert!(found.sentence("5.4 #1 SMP").ends_with("another kernel, Linux 6.1."));
    }

    #[test]
    fn another_layout_and_another_file_are_refused() {
        let error = read(&[("\"schema\": 1", "\"schema\": 9")]).unwrap_err().to_string();
        assert!(error.contains("schema 9") && error.contains("make it anew"), "{error}");
        assert!(format!("{:#}", read(&[("bias_us", "x")]).unwrap_err()).contains("bias_us"));
    }
}
