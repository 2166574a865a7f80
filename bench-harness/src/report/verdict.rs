//! What the load generator says about its own numbers, and what it adds to them.

use std::fmt::Write;

use loadgen::verdict::Standing;

use crate::calibration;
use crate::judge::check;
use crate::results::Run;
use crate::stats::doubt::Doubts;

/// The section of the report.
pub(super) fn section(run: &Run) -> String {
    let doubts = Doubts::of(&run.rows);
    let mut text = format!("## Can it be believed?\n\n{}\n\n", standings(run, &doubts));
    for (name, count) in doubts.failed() {
        let _ = writeln!(
            text,
            "* {name}: {count} of {} trials{}",
            doubts.trials(),
            told(&doubts, name)
        );
    }
    let kernel = &run.manifest.host.kernel;
    let bias = run.calibration.as_ref().map(|found| found.sentence(kernel));
    let bias = bias.unwrap_or_else(|| calibration::NONE.into());
    format!("{}\n\n{bias}\n\n", text.trim_end())
}

/// How many trials have which verdict.
fn standings(run: &Run, doubts: &Doubts<'_>) -> String {
    let count = |standing| run.rows.iter().filter(|row| row.verdict == Some(standing)).count();
    let [valid, suspect, invalid] =
        [Standing::Valid, Standing::Suspect, Standing::Invalid].map(count);
    if valid + suspect + invalid == 0 {
        return "The load generator gave no verdict on these trials.".into();
    }
    format!(
        "The load generator judges each trial: of {}, {valid} are VALID, {suspect} SUSPECT, \
         {invalid} INVALID. METHODOLOGY.md says what its checks mean.",
        doubts.trials()
    )
}

/// Where a reader finds which trials these are.
fn told(doubts: &Doubts<'_>, name: &str) -> &'static str {
    match name {
        check::BUSY => {
            ". Its CPU was used up: where the server\u{2019}s was not, the rate is a lower bound; \
             times contain waits in it, and are not ranked where it says INVALID"
        }
        _ if doubts.shared(name) => ". That is most of them, so it is said here and not marked",
        _ => "",
    }
}
