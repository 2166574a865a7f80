//! Whether a run can be believed.
//!
//! A load generator that is late, busy or starved measures itself, and its numbers look no
//! different for it. So each run is looked at from several sides, and the worst finding is the
//! verdict:
//!
//! - **VALID**: nothing speaks against the numbers.
//! - **SUSPECT**: something does. They may still be right, or right about less than they seem to
//!   say.
//! - **INVALID**: they contradict each other, or are about something other than the server.
//!
//! Each check is a function of the plan and of what was found, in a file of its own with its bounds
//! and the reasons for them. One that does not apply gives nothing.

mod connections;
mod cpu;
mod drift;
mod fairness;
mod gaps;
mod lag;
mod little;
mod pace;
mod requests;
mod sample;
#[cfg(test)]
mod scene;
mod server;
mod wall_clock;
mod words;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::Found;
use crate::plan::Plan;

/// The judgement on a run, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The worst of the checks.
    pub standing: Standing,
    /// All checks that could be made.
    pub checks: Vec<Check>,
}

/// How far something can be believed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What: `send lag`, `client CPU`, `Little's law`.
    pub name: String,
    /// What it says.
    pub standing: Standing,
    /// The finding in words, with the number, its bound, and what to do about it.
    pub reason: String,
}

/// Looks at a run from one side.
type Look = fn(&Plan, &Found) -> Option<Check>;

/// All checks, in the order in which a reader wants to know: first whether the generator did what
/// it was asked to, then what became of it, then how far the numbers carry.
const CHECKS: [Look; 18] = [
    connections::check,
    requests::conservation,
    requests::wrong_replies,
    requests::failures,
    requests::lost,
    server::check,
    lag::check,
    pace::check,
    gaps::check,
    cpu::busy,
    cpu::delayed,
    little::check,
    fairness::jain,
    fairness::starved,
    drift::trend,
    drift::warm_up,
    sample::check,
    wall_clock::check,
];

/// Judges a run.
#[must_use]
pub fn judge(plan: &Plan, found: &Found) -> Verdict {
    let checks = CHECKS.iter().filter_map(|check| check(plan, found)).collect();
    let verdict = Verdict { checks, ..Verdict::default() };
    Verdict { standing: verdict.worst(), ..verdict }
}

impl Verdict {
    /// The worst of the checks; valid if there are none.
    #[must_use]
    pub fn worst(&self) -> Standing {
        self.checks.iter().map(|check| check.standing).max().unwrap_or_default()
    }
}

impl Standing {
    /// What a number that should be small says: more than `suspect` is suspect, more than `invalid`
    /// invalid.
    fn of(number: f64, suspect: f64, invalid: f64) -> Self {
        match number {
            _ if number > invalid => Self::Invalid,
            _ if number > suspect => Self::Suspect,
            _ => Self::Valid,
        }
    }

    /// Suspect, if so.
    fn suspect_if(so: bool) -> Self {
        if so { Self::Suspect } else { Self::Valid }
    }
}

impl Check {
    fn new(name: &str, standing: Standing, reason: String) -> Self {
        Self { name: name.to_owned(), standing, reason }
    }

    /// Adds what to do about it, unless nothing has to be done.
    fn hint(mut self, hint: &str) -> Self {
        if self.standing > Standing::Valid {
            self.reason = format!("{}; {hint}", self.reason);
        }
        self
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Valid => "VALID",
            Self::Suspect => "SUSPECT",
            Self::Invalid => "INVALID",
        })
    }
}

/// One line if the run is valid; otherwise, a line more for each reason why it isn't, the worst
/// ones first.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.standing)?;
        for standing in [Standing::Invalid, Standing::Suspect] {
            for check in self.checks.iter().filter(|check| check.standing == standing) {
                write!(formatter, "\n  {standing:<8} {}: {}", check.name, check.reason)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::scene::Scene;
    use super::*;

    #[test]
    fn a_clean_run_is_valid_and_says_so_in_a_word() {
        for scene in [Scene::open(), Scene::closed()] {
            let verdict = judge(&scene.plan, &scene.found);
            assert_eq!(verdict.to_string(), "VALID", "{:#?}", verdict.checks);
            assert!(verdict.checks.len() >= CHECKS.len() - 4, "{:#?}", verdict.checks);
        }
    }

    #[test]
    fn clean_runs_are_hardly_ever_flagged() {
        let flagged = (0..40).filter(|seed| {
            let open = Scene::open_seeded(*seed);
            let closed = Scene::closed_as(&format!("-c 10 --seed {seed}"));
            let both = [open, closed].map(|scene| judge(&scene.plan, &scene.found));
            both.iter().any(|verdict| verdict.standing > Standing::Valid)
        });
        let flagged = flagged.count();
        assert!(flagged <= 2, "{flagged} of 40");
    }

    #[test]
    fn the_worst_check_decides_and_comes_first() {
        let mut scene = Scene::open();
        scene.found.clock_step_ns = 5_000_000;
        scene.found.recorder.counts.requests.unasked = 1;
        let verdict = judge(&scene.plan, &scene.found);
        assert_eq!((verdict.standing, verdict.worst()), (Standing::Invalid, Standing::Invalid));
        let text = verdict.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, "INVALID"), "{text}");
        assert!(lines[1].starts_with("  INVALID  wrong replies: 1 "), "{text}");
        assert!(lines[2].starts_with("  SUSPECT  wall clock: "), "{text}");
    }

    #[test]
    fn a_run_in_which_nothing_happened_is_not_valid() {
        let mut scene = Scene::closed();
        scene.found = Scene::nothing();
        assert!(judge(&scene.plan, &scene.found).standing > Standing::Valid);
        scene.plan = Scene::open().plan;
        assert!(judge(&scene.plan, &scene.found).standing > Standing::Valid);
    }

    #[test]
    fn a_verdict_without_checks_is_valid() {
        assert_eq!(Verdict::default().worst(), Standing::Valid);
    }
}
