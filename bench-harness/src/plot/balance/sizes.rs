//! What changes with the number of servers: the peak, the standard deviation, the average load.

use super::Evidence;
use crate::balance::findings::load;
use crate::balance::spread::{Origin, Spread, by_chance};
use crate::plot::figure::{Body, Figure};
use crate::plot::lines::{Axis, Dot, Lines, Mark, Series};
use crate::plot::scale::Scale;
use crate::plot::style::LOOKS;
use crate::report::number::{grouped, three};

const X: &str = "servers";

/// The busiest server over the average, of every method.
pub(super) fn peak(evidence: &Evidence<'_>) -> Option<Figure> {
    let series = |method: &String| {
        let value = |nodes| Some(evidence.findings.true_spread(method, nodes)?.peak_to_average);
        line(evidence, method, |value| format!("{value:.3}"), Mark::Full, value)
    };
    let series: Vec<_> = evidence.run.manifest.methods.iter().filter_map(series).collect();
    Some(Figure {
        name: "peak-to-average".into(),
        finding: evidence.findings.peak()?,
        subtitle: vec![
            "Load of the busiest server over the average load, if every id comes once; 1 is even"
                .into(),
            "Behind a name: the value with the most servers".into(),
        ],
        notes: bounded_note(evidence).into_iter().collect(),
        body: body(evidence, "peak / average", series, three)?,
    })
}

/// The standard deviation of the counts, here and as published, and what chance alone leaves.
pub(super) fn deviation(evidence: &Evidence<'_>) -> Option<Figure> {
    let methods = &evidence.run.manifest.methods;
    let line = |method: &String, origin, label: String, mark| {
        let value = |nodes| Some(evidence.findings.spread(method, origin, nodes)?.deviation);
        let name = move |value| format!("{label} {}", grouped(value));
        line(evidence, method, name, mark, value)
            .map(|s| Series { label: s.label.trim().into(), ..s })
    };
    let here = methods.iter().filter_map(|m| line(m, Origin::Counted, String::new(), Mark::Full));
    let there = |m: &String| line(m, Origin::Published, "published".into(), Mark::Hollow);
    let there = methods.iter().filter_map(there);
    let series: Vec<_> = here.chain(there).chain([chance(evidence)]).collect();
    Some(Figure {
        name: "deviation".into(),
        finding: evidence.findings.explained(Origin::Published)?,
        subtitle: vec![
            "Standard deviation of the servers' counts, over the number of servers".into(),
            evidence.keys(),
        ],
        notes: vec![format!("Hollow marks: as published. {}", evidence.source())],
        body: body(evidence, "standard deviation, keys", series, three)?,
    })
}

/// What a method that shares evenly would show.
fn chance(evidence: &Evidence<'_>) -> Series {
    let keys = f64::from(evidence.run.manifest.extent.keys);
    let dots = evidence.sizes().map(|n| dot(n.into(), by_chance(keys, n), Mark::Alone));
    let dots: Vec<_> = dots.collect();
    let shadow = dots.iter().map(|dot| (dot.x, dot.y)).collect();
    let label = format!("chance alone {}", grouped(dots.last().map_or(0.0, |dot| dot.y)));
    Series { label, style: LOOKS - 3, dots, shadow }
}

/// The average load, with the range from the least to the busiest server.
pub(super) fn average(evidence: &Evidence<'_>) -> Option<Figure> {
    let methods = evidence.run.manifest.methods.iter();
    let shown: Vec<_> = methods.filter(|method| ranges(evidence, method).count() > 0).collect();
    let apart = 0.6 / shown.len().max(1) as f64;
    let series = |(n, method): (usize, &&String)| {
        let aside = apart * (n as f64 - (shown.len() as f64 - 1.0) / 2.0);
        let dots: Vec<_> = ranges(evidence, method).map(|spread| ranged(spread, aside)).collect();
        let (least, peak) = dots.last()?.range?;
        let label = format!("{method} {} to {}", load(least), load(peak));
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
    let dot = dot(f64::from(spread.nodes) + aside, spread.average, Mark::Alone);
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
    let label = format!("{method} {}", words(dots.last()?.y).trim());
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
