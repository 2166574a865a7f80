//! What one wait costs, by idle and by active descriptors.

use anyhow::Result;

use super::Drawn;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::lines::{Dot, Lines, Mark, Series};
use super::scale::Scale;
use super::style::register_fonts;
use crate::report::number::{grouped, time};
use crate::waiting::findings::Findings;
use crate::waiting::fit::Fit;
use crate::waiting::measure::Run;
use crate::waiting::row::{Point, points};

/// Idle connections beside the active ones in the second figure, or the next fewer that were
/// measured.
const BESIDE: usize = 100;
/// Places that a fitted curve is drawn through, for each factor of ten.
const FINE: f64 = 12.0;

/// Draws both figures.
///
/// # Errors
/// When a file can't be written.
pub fn draw(run: &Run, findings: &Findings) -> Result<Vec<Drawn>> {
    register_fonts()?;
    let folder = run.folder.plots()?;
    let figures = [by_idle(run, findings), by_active(run, findings)];
    figures.into_iter().flatten().map(|figure| figure.write(&folder)).collect()
}

fn by_idle(run: &Run, findings: &Findings) -> Option<Figure> {
    let shown = |point: &Point<'_>| (point.active == 1).then_some(point.idle as f64);
    let curve = |fit: &Fit, x: f64| fit.at(x, 1.0);
    let body = body(run, findings, "idle connections beside the active one", shown, curve)?;
    let mut notes = notes(run);
    notes.extend(missing(run));
    Some(Figure {
        name: "by-idle".into(),
        finding: findings.idle()?,
        subtitle: vec![
            "One wait that finds one connection ready, beside idle ones, on real TCP".into(),
            conditions(run),
        ],
        notes,
        body: Body::Lines(body),
    })
}

fn by_active(run: &Run, findings: &Findings) -> Option<Figure> {
    let idle = run.manifest.idle.iter().copied().filter(|idle| *idle <= BESIDE).max()?;
    let shown = |point: &Point<'_>| (point.idle == idle).then_some(point.active as f64);
    let curve = |fit: &Fit, x: f64| fit.at(idle as f64, x);
    let mut body = body(run, findings, "active connections", shown, curve)?;
    let measured = run.manifest.active.iter().map(|active| *active as f64);
    body.x.ticks = measured.map(|active| (active, grouped(active))).collect();
    Some(Figure {
        name: "by-active".into(),
        finding: findings.active()?,
        subtitle: vec![
            format!("One wait that finds so many connections ready, beside {idle} idle ones"),
            conditions(run),
        ],
        notes: notes(run),
        body: Body::Lines(body),
    })
}

fn body(
    run: &Run,
    findings: &Findings,
    title: &str,
    shown: impl Fn(&Point<'_>) -> Option<f64>,
    curve: impl Fn(&Fit, f64) -> f64,
) -> Option<Lines> {
    let series = |poller: &String| {
        let points = points(&run.rows, poller);
        let dots: Vec<_> = points.iter().filter_map(|p| dot(p, shown(p)?)).collect();
        let fit = findings.nearest(poller);
        let shadow = fit.map_or_else(Vec::new, |fit| {
            fine(&dots).into_iter().map(|x| (x, curve(fit, x))).collect()
        });
        let last = dots.last().map(|dot| time(dot.y / 1e3))?;
        let style = run.manifest.models.iter().position(|name| name == poller);
        let style = style.unwrap_or(usize::MAX);
        Some(Series { label: format!("{poller}  {last}"), style, dots, shadow })
    };
    let series: Vec<_> = run.manifest.pollers.iter().filter_map(series).collect();
    let dots = || series.iter().flat_map(|series| &series.dots);
    let values: Vec<_> = dots().map(|dot| dot.x).collect();
    let scale = Scale::over(&values);
    let mut x = Axis::round(title, scale, grouped);
    if values.contains(&0.0) {
        x.ticks.insert(0, (0.0, "0".into()));
    }
    let high = Scale::log_around(dots().flat_map(|dot| [dot.y]));
    let y = Axis::round("one wait", high, |ns| time(ns / 1e3));
    (!series.is_empty() && values.len() > 1).then_some(Lines { x, y, series })
}

fn dot(point: &Point<'_>, x: f64) -> Option<Dot> {
    let (low, high) = point.waits().fold((f64::MAX, 0.0), |(l, h), v| (v.min(l), v.max(h)));
    let range = Some((low, high));
    Some(Dot { x, y: point.typical()?, range, mark: Mark::Alone, at_least: false })
}

/// Places from the first dot to the last, evenly on a logarithmic axis; a zero is a place, too.
fn fine(dots: &[Dot]) -> Vec<f64> {
    let positive = || dots.iter().map(|dot| dot.x).filter(|x| *x > 0.0);
    let (Some(first), Some(last)) = (positive().next(), positive().next_back()) else {
        return Vec::new();
    };
    let steps = (FINE * (last / first).log10()).ceil().max(1.0);
    let positive = (0..=steps as u32).map(|n| first * (last / first).powf(f64::from(n) / steps));
    dots.iter().map(|dot| dot.x).filter(|x| *x <= 0.0).chain(positive).collect()
}

fn conditions(run: &Run) -> String {
    run.manifest.place.conditions(&run.manifest.beginning.started)
}

fn notes(run: &Run) -> Vec<String> {
    let mut notes = vec![format!(
        "Marks: median of {} passes, with their range. Thin: the formula that was fitted to all \
         conditions. Every wait finds something ready; sleeping and waking are not in it.",
        run.manifest.passes
    )];
    if !run.manifest.disturbed.is_empty() {
        notes.push("Disturbed: other programs used CPUs; README.md says how many.".into());
    }
    notes
}

/// Which pollers have no number at some places.
fn missing(run: &Run) -> Option<String> {
    let skipped = run.rows.iter().filter(|row| row.skipped.is_some() && !row.is_failed());
    let mut names: Vec<_> = skipped.map(|row| row.poller.as_str()).collect();
    names.dedup();
    let words = format!("{} end at a limit; README.md says which.", names.join(", "));
    (!names.is_empty()).then_some(words)
}
