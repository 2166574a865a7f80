//! The live screen: a few calm lines, made from what there is to see.
//!
//! ```text
//! measuring      ━━━━━━━━━━━━━━━━╸─────────────────────────  12 s, 18 s left
//!                    rate/s      failed         p50         p99       p99.9
//! last second        20,013           0     1.21 ms     4.80 ms     12.1 ms
//! so far             19,998           3     1.19 ms     5.02 ms     14.8 ms
//! asked              20,000   queue 12   connected 1,000 of 1,000
//! p99            ▄▄▅▄▄▅▄▄█▅▄▄  at most 9.10 ms
//! ```

use super::bar::bar;
use super::line::{Colour, Line, Tint};
use super::number::{count, latency, while_of};
use super::sight::{Moments, Phase, Sight};
use super::spark::{Curve, Trail, blocks};

/// Columns of the names on the left, and of a figure.
const NAME: usize = 13;
const FIGURE: usize = 12;

/// The longest and the shortest bar.
const BAR: usize = 42;
const BAR_SHORTEST: usize = 8;

/// Columns of what the curve is measured by.
const SCALE: usize = 21;

/// A rate below this share of the one asked for stands out.
const NEARLY: f64 = 0.98;

/// The lines to show, none of them longer than `width` columns.
#[must_use]
pub fn lines(sight: &Sight, trail: &Trail, width: usize, colour: Colour) -> Vec<String> {
    let mut lines = vec![course(sight, width)];
    if sight.phase != Phase::Connecting {
        let mean = sight.mean_rate().round() as u64;
        lines.push(headings());
        lines.push(figures("last second", sight, sight.recent.answered, &sight.recent));
        lines.push(figures("so far", sight, mean, &sight.total));
        lines.push(circumstances(sight));
        lines.push(curve(trail, width));
    }
    lines.iter().map(|line| line.render(width, colour)).collect()
}

fn named(name: &str) -> Line {
    Line::default().with(Tint::Faint, format!("{name:<NAME$}"))
}

/// The phase, how far it is, and how long that takes.
fn course(sight: &Sight, width: usize) -> Line {
    let name = Line::default().with(Tint::Strong, format!("{:<NAME$}  ", sight.phase.name()));
    let times = times(sight);
    let room = width.saturating_sub(name.width() + 2 + times.chars().count()).min(BAR);
    match sight.done().filter(|_| room >= BAR_SHORTEST) {
        Some(done) => {
            let (filled, empty) = bar(done, room);
            let bar = name.with(Tint::Drawn, filled).with(Tint::Faint, empty);
            bar.with(Tint::Plain, format!("  {times}"))
        }
        None => name.with(Tint::Plain, times),
    }
}

fn times(sight: &Sight) -> String {
    let elapsed = while_of(sight.elapsed);
    match (sight.phase, sight.left, sight.asked_requests) {
        (Phase::Connecting, ..) => {
            format!("{} of {}", count(sight.connected), count(sight.connections))
        }
        (_, Some(left), _) => format!("{elapsed}, {} left", while_of(left)),
        (_, None, Some(asked)) => {
            let made = sight.total.answered + sight.total.failed;
            format!("{elapsed}, {} of {}", count(made), count(asked))
        }
        (_, None, None) => elapsed,
    }
}

/// The most important figures come first: a narrow screen has no room for the others.
fn headings() -> Line {
    let names = ["rate/s", "failed", "p50", "p99", "p99.9"];
    names.iter().fold(named(""), |line, name| line.with(Tint::Faint, format!("{name:>FIGURE$}")))
}

fn figures(name: &str, sight: &Sight, rate: u64, moments: &Moments) -> Line {
    let slow = sight.asked_rate.is_some_and(|asked| (rate as f64) < asked * NEARLY);
    let figures = [
        (if slow { Tint::Warning } else { Tint::Plain }, count(rate)),
        (if moments.failed > 0 { Tint::Alarm } else { Tint::Plain }, count(moments.failed)),
        (Tint::Plain, latency(moments.p50_ns)),
        (Tint::Plain, latency(moments.p99_ns)),
        (Tint::Plain, latency(moments.p999_ns)),
    ];
    figures
        .into_iter()
        .fold(named(name), |line, (tint, figure)| line.with(tint, format!("{figure:>FIGURE$}")))
}

/// What was asked for, who waits, and who is there.
fn circumstances(sight: &Sight) -> Line {
    let mut line = match sight.asked_rate {
        Some(rate) => {
            let rate = count(rate.round() as u64);
            named("asked").with(Tint::Plain, format!("{rate:>FIGURE$}   "))
        }
        None => named("").with(Tint::Plain, "  "),
    };
    if let Some(queue) = sight.queue {
        let tint = if queue > 0 { Tint::Warning } else { Tint::Plain };
        line = line.with(Tint::Faint, "queue ").with(tint, format!("{}   ", count(queue)));
    }
    let all = sight.connected >= sight.connections;
    line.with(Tint::Faint, "connected ")
        .with(if all { Tint::Plain } else { Tint::Warning }, count(sight.connected))
        .with(Tint::Plain, format!(" of {}", count(sight.connections)))
}

/// The last minute, or as much of it as there is room for.
fn curve(trail: &Trail, width: usize) -> Line {
    let room = width.saturating_sub(NAME + 2 + SCALE);
    let (name, mut values) = match trail.curve() {
        Curve::P99(values) => ("p99", values),
        Curve::Rate(values) => ("rate/s", values),
    };
    let shown = values.split_off(values.len().saturating_sub(room));
    let largest = shown.iter().flatten().max().copied();
    let scale = match name {
        "p99" => latency(largest),
        _ => count(largest.unwrap_or(0)),
    };
    let line = named(name).with(Tint::Plain, "  ").with(Tint::Drawn, blocks(&shown));
    line.with(Tint::Faint, format!("  at most {scale}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sight() -> Sight {
        Sight {
            elapsed: Duration::from_secs(12),
            left: Some(Duration::from_secs(18)),
            asked_rate: Some(20_000.0),
            recent: Moments {
                answered: 20_013,
                p50_ns: Some(1_210_000),
                p99_ns: Some(4_800_000),
                p999_ns: Some(12_100_000),
                ..Moments::default()
            },
            total: Moments { answered: 239_976, failed: 3, ..Moments::default() },
            queue: Some(12),
            connected: 1000,
            connections: 1000,
            ..Sight::default()
        }
    }

    fn trail() -> Trail {
        let mut trail = Trail::default();
        for second in 1..=60 {
            let recent = Moments { p99_ns: Some(second * 1_000_000), ..Moments::default() };
            trail.push(&Sight { recent, ..Sight::default() });
        }
        trail
    }

    #[test]
    fn shows_a_run_in_six_lines() {
        let lines = lines(&sight(), &trail(), 80, Colour::None);
        let expected = [
            "measuring      ━━━━━━━━━━━━━━━━╸─────────────────────────  12 s, 18 s left",
            "                   rate/s      failed         p50         p99       p99.9",
            "last second        20,013           0     1.21 ms     4.80 ms     12.1 ms",
            "so far             19,998           3           –           –           –",
            "asked              20,000   queue 12   connected 1,000 of 1,000",
        ];
        assert_eq!(lines[..5], expected);
        assert!(
            lines[5].starts_with("p99            ▃▃▃") && lines[5].ends_with("█  at most 60.0 ms")
        );
    }

    #[test]
    fn no_line_is_longer_than_the_screen_is_wide() {
        for width in 0..=200 {
            for line in lines(&sight(), &trail(), width, Colour::None) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn connecting_is_one_line() {
        let phase = Phase::Connecting;
        let sight = Sight { phase, connected: 1234, connections: 10_000, ..sight() };
        let lines = lines(&sight, &Trail::default(), 80, Colour::None);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("connecting ") && lines[0].ends_with("1,234 of 10,000"));
    }

    #[test]
    fn what_went_wrong_stands_out_and_nothing_else() {
        let bad = lines(&sight(), &trail(), 80, Colour::Some).join("\n");
        assert!(bad.contains("\x1b[31m           3\x1b[0m"), "{bad}");
        let total = Moments { answered: 240_000, ..Moments::default() };
        let fine = Sight { total, queue: Some(0), ..sight() };
        let fine = lines(&fine, &trail(), 80, Colour::Some).join("\n");
        assert!(!fine.contains("\x1b[31m") && !fine.contains("\x1b[33m"), "{fine}");
    }

    #[test]
    fn without_a_schedule_nothing_is_asked_and_nothing_waits() {
        let sight = Sight { asked_rate: None, queue: None, left: None, ..sight() };
        let lines = lines(&sight, &Trail::default(), 80, Colour::None);
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["measuring", "12", "s"]);
        assert_eq!(lines[4].trim(), "connected 1,000 of 1,000");
        assert_eq!(lines[5].trim(), "rate/s           at most 0");
    }
}
