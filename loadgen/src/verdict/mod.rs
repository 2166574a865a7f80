//! Whether a run can be believed.

use serde::{Deserialize, Serialize};

use crate::engine::Found;
use crate::plan::Plan;

/// The judgement on a run, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The worst of the checks.
    pub standing: Standing,
    /// All checks that could be made.
    pub checks: Vec<Check>,
}

/// How far something can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Standing {
    /// Nothing speaks against it.
    #[default]
    Valid,
    /// Something does: read the reason before using the numbers.
    Suspect,
    /// The numbers don't say what they seem to say.
    Invalid,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What: `send lag`, `client CPU`, `Little's law`.
    pub name: String,
    /// What it says.
    pub standing: Standing,
    /// The finding in words, with the number, its bound, and what to do about it.
    pub reason: String,
}

/// Judges a run.
#[must_use]
pub fn judge(_plan: &Plan, _found: &Found) -> Verdict {
    Verdict::default()
}
