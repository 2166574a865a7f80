//! What changes with the number of servers: the peak, the standard deviation, the average load.

use super::Evidence;
use crate::balance::spread::{Origin, Spread, by_chance};
use crate::plot::axis::Axis;
use crate::plot::figure::{Body, Figure};
use crate::plot::lines::{Dot, Lines, Mark, Series};
use crate::plot::scale::Scale;
use crate::plot::style::LOOKS;
use crate::report::number::{grouped, three};

const X: &str = "servers";

/// By how much the busiest server is above the average, under every method.
pub(super) fn peak(evidence: &Evidence<'_>) -> Option<Figure> {
    let series = |method: &String| {
        let value = |nodes| Some(above(evidence.findings.true_spread(method, nodes)?));
        let words = |percent| format!("{:.3}", 1.0 + percent / 100.0);
        line(evidence, method, words, Mark::Full, value)
    };
    let series: Vec<_> = evidence.run.manifest.methods.iter().filter_map(series).collect();
    Some(Figure {
        name: "peak-to-average".into(),
        finding: evidence.findings.peak()?,
        subtitle: vec![
            "By how much the busiest server is above the average load, if every id comes once"
                .into(),
            "Behind a name: peak over average with the most servers; 1 is even".into(),
        ],
        notes: bounded_note(evidence).into_iter().collect(),
        body: body(evidence, "above the average, %", series, three)?,
    })
}

/// By how much the busiest server is above the average, in percent of that.
pub(super) fn above(spread: &Spread) -> f64 {
    100.0 * (spread.peak_to_average - 1.0)
}

/// The standard deviation of the counts, here and as published, and what chance alone leaves.
pub(super) fn deviation(evidence: &Evidence<'_>) -> Option<Figure> {
    let (shown, even): (Vec<_>, Vec<_>) =
        evidence.run.manifest.methods.iter().partition(|method| uneven(evidence, method));
    let line = |method: &String, origin, extra: &str, mark| {
        let value = |nodes| Some(evidence.findings.spread(method, origin, nodes)?.deviation);
        line(evidence, method, |value| format!("{extra}{}", grouped(value)), mark, value)
    };
    let here = shown.iter().filter_map(|m| line(m, Origin::Counted, "", Mark::Full));
    let there = shown.iter().filter_map(|m| line(m, Origin::Published, "published ", Mark::Hollow));
    let series: Vec<_> = here.chain(there).chain([chance(evidence)]).collect();
    let mut notes = vec![format!("Hollow marks: as published. {}", evidence.source())];
    if !even.is_empty() {
        let names = even.into_iter().cloned().collect::<Vec<_>>().join(", ");
        notes.push(format!("Not shown, as they leave little more than chance does: {names}."));
    }
    Some(Figure {
        name: "deviation".into(),
        finding: evidence.findings.explained(Origin::Published)?,
        subtitle: vec![
            "Standard deviation of the servers' counts, over the number of servers".into(),
            evidence.keys(),
        ],
        notes,
        body: body(evidence, "standard deviation, keys", series, grouped)?,
    })
}

/// Whether a method leaves clearly more than chance does, with any number of servers.
fn uneven(evidence: &Evidence<'_>, method: &str) -> bool {
    let keys = f64::from(evidence.run.manifest.extent.keys);
    evidence.sizes().any(|nodes| {
        let spread = evidence.findings.spread(method, Origin::Counted, nodes);
        spread.is_some_and(|spread| spread.deviation > 2.0 * by_chance(keys, nodes))
    })
}

/// What a method that shares evenly would show.
fn chance(evidence: &Evidence<'_>) -> Series {
    let keys = f64::from(evidence.run.manifest.extent.keys);
    let dots = evidence.sizes().map(|n| dot(n.into(), by_chance(keys, n), Mark::Alone));
    let dots: Vec<_> = dots.collect();
    let shadow = dots.iter().map(|dot| (dot.x, dot.y)).collect();
    let label = format!("chance alone {}", grouped(dots.last().map_or(0.0, |dot| dot.y)));
    Series { label, style: LOOKS - 1, dots, shadow }
}

/// The average load, with the range from the least to the busiest server.
pub(super) fn average(evidence: &Evidence<'_>) -> Option<Figure> {
    let methods = evidence.run.manifest.methods.iter();
    let shown: Vec<_> = methods.filter(|method| ranges(evidence, method).count() > 0).collect();
    // So much of the way to the next number of servers is filled.
    let apart = 0.86 / shown.len().max(1) as f64;
    let series = |(n, method): (usize, &&String)| {
        let aside = apart * (n as f64 - (shown.len() as f64 - 1.0) / 2.0);
        let dots: Vec<_> = ranges(evidence, method).map(|spread| ranged(spread, aside)).collect();
        let (least, peak) = dots.last()?.range?;
        let label = format!("{method} {} to {}", grouped(least), grouped(peak));
        let style = evidence.style_of(method);
        Some(Series { label, style, dots, shadow: Vec::new() })
    };
    let series: Vec<_> = shown.iter().enumerate().filter_map(series).collect();
    let Body::Lines(mut lines) = body(evidence, "keys for a server", series, grouped)? else {
        return None;
    };
    let (first, last) = (*evidence.sizes().start(), *evidence.sizes().end());
    lines.x.scale = Scale::Linear { low: f64::from(first) - 0.5, high: f64::from(last) + 0.5 };
    let highs = lines.series.iter().flat_map(|s| &s.dots).filter_map(|dot| Some(dot.range?.1));
    lines.y = Axis::round("keys for a server", Scale::from_zero(highs), grouped);
    Some(Figure {
        name: "average-load".into(),
        finding: "The average load falls with every server under each method; how far the servers \
                  are from it is what methods differ in"
            .into(),
        subtitle: vec![
            "Marks: the average load. Strokes: from the least to the busiest server, if every id \
             comes once"
                .into(),
            "Behind a name: least and most with the most servers".into(),
        ],
        notes: bounded_note(evidence).into_iter().collect(),
        body: Body::Lines(lines),
    })
}

fn ranges<'a>(evidence: &'a Evidence<'_>, method: &str) -> impl Iterator<Item = &'a Spread> {
    evidence.sizes().filter_map(move |nodes| evidence.findings.true_spread(method, nodes))
}

fn ranged(spread: &Spread, aside: f64) -> Dot {
    // All methods have the same average, and then their names keep their order.
    let dot = dot(f64::from(spread.nodes) + aside, spread.average.round(), Mark::Alone);
    Dot { range: Some((spread.least, spread.peak)), ..dot }
}

fn line(
    evidence: &Evidence<'_>,
    method: &str,
    words: impl Fn(f64) -> String,
    mark: Mark,
    value: impl Fn(u32) -> Option<f64>,
) -> Option<Series> {
    let dots = evidence.sizes().filter_map(|nodes| Some(dot(nodes.into(), value(nodes)?, mark)));
    let dots: Vec<_> = dots.collect();
    let label = format!("{method} {}", words(dots.last()?.y));
    Some(Series { label, style: evidence.style_of(method), dots, shadow: Vec::new() })
}

const fn dot(x: f64, y: f64, mark: Mark) -> Dot {
    Dot { x, y, range: None, mark, at_least: false }
}

/// Lines over the numbers of servers; none where there is only one of these.
fn body(
    evidence: &Evidence<'_>,
    title: &str,
    series: Vec<Series>,
    words: fn(f64) -> String,
) -> Option<Body> {
    let (low, high) = (f64::from(*evidence.sizes().start()), f64::from(*evidence.sizes().end()));
    let ticks = evidence.sizes().map(|size| (size.into(), size.to_string())).collect();
    let x = Axis { title: X.into(), scale: Scale::Linear { low, high }, ticks };
    let values = series.iter().flat_map(|series| series.dots.iter().map(|dot| dot.y));
    let y = Axis::round(title, Scale::log_around(values), words);
    (high > low && !series.is_empty()).then_some(Body::Lines(Lines { x, y, series }))
}

fn bounded_note(evidence: &Evidence<'_>) -> Option<String> {
    let there = evidence.run.manifest.methods.iter().any(|method| method == "bounded");
    there.then(|| "bounded: as counted, since there the keys before a key decide, too.".into())
}
