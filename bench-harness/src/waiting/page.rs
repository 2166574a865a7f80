//! The report of a run as a Markdown page.

use std::fmt::Write;
use std::path::Path;

use super::findings::{Findings, skipped};
use super::fit::{Fit, Formula};
use super::measure::{FIT, Run, WAITS};
use super::regression::Estimate;
use crate::folder::file;
use crate::launch::pinning::listed;
use crate::plot::Drawn;
use crate::report::number::{grouped, three};
use crate::report::page::{Circumstances, charts, cut_short, list, quiet};
use crate::report::table::markdown;

/// In place of sentences.
const NOTHING: &str = "Nothing that could be said.";

/// The page, with figures by relative paths.
#[must_use]
pub fn page(run: &Run, findings: &Findings, figures: &[Drawn]) -> String {
    let mut text = String::from("# What one wait costs\n\n");
    text += cut_short(&run.manifest.beginning);
    text += &list(figures.iter().map(|figure| format!("{}.", figure.finding)), NOTHING);
    text += &charts(figures, Path::new(file::PLOTS));
    text += &formulas(findings);
    text += "## Does epoll pay for idle descriptors?\n\n";
    text += &list(findings.epoll(), NOTHING);
    text += "## Steps where the kernel changes its ways\n\n";
    text += &list(findings.steps.iter().map(super::knee::Step::sentence), NOTHING);
    let left_out = skipped(&run.rows);
    if !left_out.is_empty() {
        let _ = write!(text, "## What is not there\n\n{}", list(left_out, NOTHING));
    }
    text + &method(run) + &host(run)
}

fn formulas(findings: &Findings) -> String {
    let head = ["model", "a, ns", "b, ns", "c, ns", "R²", "farthest off"];
    let mut text = String::from("## a + b·idle + c·active\n\n");
    text += &table(&head, findings.with(Formula::Plain));
    text += "\nselect(2) and poll(2) ask each descriptor to call back, but only up to the first \
             that is ready; with the active ones spread evenly that is idle/(active + 1) of them. \
             So a term more, q, for these:\n\n";
    let head = ["model", "a, ns", "b, ns", "c, ns", "q, ns", "R²", "farthest off"];
    text + &table(&head, findings.with(Formula::Queued))
        + "\nIn brackets: 95 % intervals, from what passes differ by. They do not cover what the \
           formula gets wrong; that is in the last column: the largest relative residual, and \
           where it is. A formula that is far off where there are most idle descriptors says that \
           the line is not straight: each of them costs more, or less, there than where there are \
           few.\n\n"
}

fn table<'a>(head: &[&str], fits: impl Iterator<Item = &'a Fit>) -> String {
    let head = head.iter().map(ToString::to_string).collect();
    let lines: Vec<_> = std::iter::once(head).chain(fits.map(line)).collect();
    if lines.len() == 1 { "The rows do not determine it.\n".into() } else { markdown(&lines) }
}

fn line(fit: &Fit) -> Vec<String> {
    let worst = fit.worst;
    let off = format!(
        "{:+.0} % at idle {}, active {}",
        100.0 * worst.relative,
        grouped(worst.idle as f64),
        worst.active
    );
    let mut line = vec![fit.poller.clone()];
    line.extend(fit.coefficients.iter().map(with_interval));
    line.extend([format!("{:.4}", fit.r_squared), off]);
    line
}

fn with_interval(estimate: &Estimate) -> String {
    let Estimate { value, interval } = estimate;
    let interval = interval.map(|(low, high)| format!(" ({} to {})", fine(low), fine(high)));
    format!("{}{}", fine(*value), interval.unwrap_or_default())
}

/// Three digits that count, also of what is far below one.
fn fine(value: f64) -> String {
    if value == 0.0 || value.abs() >= 0.1 { three(value) } else { format!("{value:.1e}") }
}

fn method(run: &Run) -> String {
    let manifest = &run.manifest;
    let clock = run.rows.iter().find_map(|row| row.clock_ns).unwrap_or(0.0);
    format!(
        "## How\n\n\
         Real TCP connections over loopback, watched through the same code as in the models. \
         Before each wait the peers of the active connections write one octet each, and the clock \
         is started only when all octets have arrived. Timed is the wait call with the translation \
         into events, and nothing else; a reading of the clock, about {clock:.0} ns here, is taken \
         off. Every wait finds something ready: falling asleep and being woken are not measured. \
         The same connections are active in all rounds of a condition, so their memory is in the \
         caches. Asking again for one-shot descriptors is timed by itself; reading is not timed. \
         No reader here makes a second read that only finds the socket empty: a short read is the \
         end, also under edge triggering.\n\n\
         {} passes, each in a random order of its own (seed {}); in each, up to {} waits of each \
         condition within {} ms. A wait's time is the mean of the middle half. The fit is least \
         squares with each pass's time weighted by the inverse square of the condition's median, \
         so that relative errors count alike over the decades; R² has the same weights. Intervals \
         come from drawing whole passes with replacement, widened as Student's t demands for so \
         few.\n\n\
         [{WAITS}]({WAITS}) has a line a condition and pass, [{FIT}]({FIT}) a line a \
         coefficient.\n\n",
        manifest.passes, manifest.seed, manifest.rounds, manifest.budget_ms
    )
}

fn host(run: &Run) -> String {
    let manifest = &run.manifest;
    let roles = format!("pollers on CPU {}", listed(&manifest.place.pinning.server));
    let circumstances = Circumstances::of(&manifest.beginning, &manifest.place);
    circumstances.section(&roles, &quiet(&manifest.disturbed))
}
