//! Clients over response time: in a closed loop that is the rate, by Little's law. A line that is
//! level and the same for every server is that of what all servers had in common.

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::lines::{Dot, Lines, Mark, Series};
use super::notes::arrow_note;
use super::scale::Scale;
use super::style::LOOKS;
use crate::experiment::published::{Published, implied_rate};
use crate::report::number::{grouped, short};
use crate::stats::study::{Came, Column, clients, columns};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let published = evidence.run.source.experiment.published.as_ref()?;
    let mut all = columns(evidence.run, published);
    all.retain(|column| column.published.is_some());
    let there = all.iter().zip(spare_styles(evidence, &all)).filter_map(as_published);
    let here = all.iter().map(|column| measured(evidence, column));
    let series: Vec<_> = here.filter(|line| !line.dots.is_empty()).chain(there).collect();
    let tried = all.iter().any(|column| !column.points().is_empty());
    if evidence.points.is_empty() || !tried {
        return None;
    }
    let rates: Vec<_> = series.iter().flat_map(|line| line.dots.iter().map(|dot| dot.y)).collect();
    let counts: Vec<_> = clients(&all).iter().map(|count| *count as f64).collect();
    let mut x = Axis::over("number of concurrent connections", &counts, grouped);
    x.ticks = x.scale.ticks().into_iter().map(|value| (value, grouped(value))).collect();
    Some(Figure {
        name: evidence.name("implied-rate"),
        finding: finding(published),
        subtitle: vec![evidence.conditions()],
        notes: notes(evidence),
        body: Body::Lines(Lines {
            x,
            y: Axis::round(
                "clients / response time (requests a second)",
                Scale::fitting(&rates),
                short,
            ),
            series,
        }),
    })
}

fn notes(evidence: &Evidence<'_>) -> Vec<String> {
    let hollow = "Hollow: as published, or by times that the load generator does not stand by.";
    let arrow = arrow_note(&evidence.points.iter().collect::<Vec<_>>());
    [hollow.to_owned()].into_iter().chain(arrow).collect()
}

/// What this run has: as hollow marks where the load generator does not stand by its times.
fn measured(evidence: &Evidence<'_>, column: &Column<'_>) -> Series {
    let dots = column.points().iter().filter_map(|point| match column.came(point.connections) {
        Came::Passed { ms, holds } => Some(Dot {
            x: point.connections as f64,
            y: implied_rate(point.connections, ms),
            range: None,
            mark: if holds { Mark::Full } else { Mark::Hollow },
            at_least: point.client_limited(),
        }),
        _ => None,
    });
    let (label, style) = (format!("{} here", column.model), evidence.style_of(column.model));
    Series { label, style, dots: dots.collect(), shadow: Vec::new() }
}

fn as_published((column, style): (&Column<'_>, usize)) -> Option<Series> {
    let series = column.published?;
    let dots = series.response_ms.iter().map(|(clients, ms)| Dot {
        x: *clients as f64,
        y: implied_rate(*clients, *ms),
        range: None,
        mark: Mark::Hollow,
        at_least: false,
    });
    let label = format!("{}, published", series.name);
    Some(Series { label, style, dots: dots.collect(), shadow: Vec::new() })
}

/// Looks that none of these models has.
fn spare_styles(evidence: &Evidence<'_>, all: &[Column<'_>]) -> impl Iterator<Item = usize> {
    let taken: Vec<_> = all.iter().map(|column| evidence.style_of(column.model) % LOOKS).collect();
    (0..LOOKS).rev().filter(move |style| !taken.contains(style)).cycle()
}

fn finding(published: &Published) -> String {
    match published.plateau() {
        Some(plateau) => format!(
            "As published, {} to {} connections all give {} to {} requests/s, whatever the server",
            grouped(plateau.clients.0 as f64),
            grouped(plateau.clients.1 as f64),
            short(plateau.rates.0),
            short(plateau.rates.1),
        ),
        None => "Clients over response time".into(),
    }
}
