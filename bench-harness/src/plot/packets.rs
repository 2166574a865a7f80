//! How many packets each way of receiving takes in, what one costs, and how long one is under way.

use anyhow::Result;
use plotters::style::RGBColor;

use super::axis::Axis;
use super::bars::{Bar, Bars, Part};
use super::figure::{Body, Figure};
use super::scale::Scale;
use super::style::{look, register_fonts};
use super::{Drawn, relays};
use crate::packets::findings::{self, Sent, Taken, disturbed};
use crate::packets::rate::Rate;
use crate::packets::run::Run;
use crate::packets::typical::Typical;
use crate::packets::way::{Generator, Kind};
use crate::report::number::{short, three, time};

/// The kinds of places where packets are met, as parts of a legend.
const KINDS: [(Kind, &str); 3] =
    [(Kind::Socket, "UDP socket"), (Kind::Xsk, "AF_XDP socket"), (Kind::Hook, "XDP program")];

/// Draws a figure of rates for each generator, one of costs, one of round trips, and two of relays.
///
/// # Errors
/// When a file can't be written.
pub fn draw(run: &Run) -> Result<Vec<Drawn>> {
    register_fonts()?;
    let folder = run.folder.plots()?;
    let rates = [Generator::Live, Generator::Datagrams].map(|generator| rates(run, generator));
    let relays = [relays::small, relays::bulk]
        .map(|draw| draw(&run.relays, loopback(run), notes(run, relays::NOTE)));
    let figures = rates.into_iter().chain([costs(run), trips(run)]).chain(relays);
    figures.flatten().map(|figure| figure.write(&folder)).collect()
}

fn rates(run: &Run, generator: Generator) -> Option<Figure> {
    let taken = findings::taken(&run.rates, generator);
    let bars = taken.iter().map(|taken| {
        let more = if taken.at_least() { "≥ " } else { "" };
        bar(taken.way.name.into(), taken.way.kind, taken.per_s, more, short)
    });
    Some(Figure {
        name: format!("rates-{}", generator.name()),
        finding: findings::of_rates(&run.rates, generator)?,
        subtitle: vec![
            format!("Packets of 60 octets, {}; each is dropped by the filter", generator.words()),
            conditions(run),
        ],
        notes: notes(
            run,
            "Median of the passes, with the range. ≥: the generator was the limit, or the CPU that \
             sends frames and also receives them for the kernel; README.md says which.",
        ),
        body: body(bars.collect(), "packets taken in per second", short),
    })
}

fn costs(run: &Run) -> Option<Figure> {
    let taken = findings::taken(&run.rates, Generator::Live);
    let cost = |taken: &Taken, column: fn(&Rate) -> f64| {
        Typical::of(findings::made(&run.rates, taken.way, Generator::Live).map(column))
    };
    let bar = |taken: &Taken| {
        let host = cost(taken, |rate| rate.host_ns_each)?;
        let own = cost(taken, |rate| rate.receiver_ns_each)?.median;
        let mut bar = bar(taken.way.name.into(), taken.way.kind, host, "", nanoseconds);
        bar.text += &format!("; receiver {}", nanoseconds(own));
        Some((host.median, bar))
    };
    let bars: Vec<_> = taken.iter().filter_map(bar).collect();
    let by_cost = |one: &&(f64, Bar), other: &&(f64, Bar)| one.0.total_cmp(&other.0);
    let (least, most) = (bars.iter().min_by(by_cost)?, bars.iter().max_by(by_cost)?);
    Some(Figure {
        name: "costs".into(),
        finding: format!(
            "A packet takes {} of CPU time in {}, and {} in {}",
            nanoseconds(least.0),
            least.1.label,
            nanoseconds(most.0),
            most.1.label
        ),
        subtitle: vec![
            "CPU time of the whole host, interrupts and softirqs included, for each packet taken in"
                .into(),
            conditions(run),
        ],
        notes: notes(
            run,
            "Median of the passes, with the range. With what the generator needs, and with packets \
             that were lost: who loses most pays for them. Behind the bar: the receiving process.",
        ),
        body: body(bars.into_iter().map(|(_, bar)| bar).collect(), "CPU time", nanoseconds),
    })
}

fn trips(run: &Run) -> Option<Figure> {
    let bar = |sent: &Sent| {
        let mut bar = bar(sent.way.echo_name(), sent.way.kind, sent.p50, "", nanoseconds);
        bar.text += &format!("; p99 {}", nanoseconds(sent.p99.median));
        bar
    };
    let bars = findings::sent(&run.trips).iter().map(bar).collect();
    Some(Figure {
        name: "trips".into(),
        finding: findings::of_trips(&run.trips)?,
        subtitle: vec![
            "A UDP datagram to an echo and back, one at a time: the median".into(),
            conditions(run),
        ],
        notes: notes(
            run,
            "Median of the passes, with the range. A stack and a socket make each datagram and \
             take it in; only who turns it round differs.",
        ),
        body: body(bars, "there and back", nanoseconds),
    })
}

/// A bar whose colour says where packets are met.
fn bar(label: String, kind: Kind, value: Typical, more: &str, words: fn(f64) -> String) -> Bar {
    let Typical { median, least, most } = value;
    let words_of_range = match least < most {
        true => format!(" ({} to {})", words(least), words(most)),
        false => String::new(),
    };
    Bar {
        label,
        parts: KINDS.map(|(other, _)| if other == kind { median } else { 0.0 }).into(),
        text: format!("{more}{}{words_of_range}", words(median)),
        range: (least < most).then_some((least, most)),
        full: true,
    }
}

fn body(bars: Vec<Bar>, title: &str, words: fn(f64) -> String) -> Body {
    let ends = bars.iter().flat_map(|bar| {
        let (_, most) = bar.range.unwrap_or_default();
        [bar.parts.iter().sum(), most]
    });
    let scale = fitting(ends);
    let mut axis = Axis::round(title, scale, words);
    if let Scale::Log { .. } = scale {
        axis.title += " (logarithmic)";
    }
    let part = |(n, (_, name)): (usize, &(Kind, &'static str))| Part { name, colour: colour(n) };
    Body::Bars(Bars { axis, parts: KINDS.iter().enumerate().map(part).collect(), bars })
}

/// From zero, so that twice the length is twice as much. Where that would leave the shortest bar no
/// length, a logarithmic scale that begins well below it.
fn fitting(ends: impl Iterator<Item = f64>) -> Scale {
    let ends: Vec<f64> = ends.filter(|end| *end > 0.0).collect();
    let least = ends.iter().copied().fold(f64::MAX, f64::min);
    match Scale::fitting(&ends) {
        Scale::Log { .. } => Scale::log_around(ends.into_iter().chain([least / 2.0])),
        from_zero => from_zero,
    }
}

fn colour(kind: usize) -> RGBColor {
    look(kind).colour
}

/// Nanoseconds in the unit that fits.
fn nanoseconds(ns: f64) -> String {
    if ns < 999.5 { format!("{} ns", three(ns)) } else { time(ns / 1e3) }
}

fn conditions(run: &Run) -> String {
    format!("veth pair between two namespaces; {}", run.manifest.conditions())
}

fn loopback(run: &Run) -> String {
    format!("loopback; {}", run.manifest.conditions())
}

fn notes(run: &Run, words: &str) -> Vec<String> {
    let mut notes = vec![words.to_owned()];
    if disturbed(&run.rates) {
        notes.push("Disturbed: other programs used CPUs; README.md says more.".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_one_part_of_its_kind_and_the_range_behind_it() {
        let value = Typical { median: 2e6, least: 1e6, most: 3e6 };
        let bar = bar("x".into(), Kind::Xsk, value, "≥ ", short);
        assert_eq!(bar.parts, [0.0, 2e6, 0.0]);
        assert_eq!(bar.text, "≥ 2 M (1 M to 3 M)");
    }

    #[test]
    fn the_shortest_bar_has_a_length() {
        for shortest in [5e5, 5e3] {
            let scale = fitting([shortest, 5e6].into_iter());
            assert!(scale.place(shortest) > 0.05, "{scale:?}");
        }
        assert!((0.0..=1.0).contains(&fitting(std::iter::empty()).place(1.0)));
    }

    #[test]
    fn lengths_can_be_compared_unless_they_differ_too_much() {
        let scale = fitting([0.0, 8e5, 2.6e6].into_iter());
        assert!((scale.place(2.6e6) / scale.place(8e5) - 3.25).abs() < 1e-9, "{scale:?}");
        assert!(matches!(fitting([2.0, 100.0].into_iter()), Scale::Log { .. }));
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!([nanoseconds(87.0), nanoseconds(20_800.0)], ["87 ns", "20.8 µs"]);
    }
}
