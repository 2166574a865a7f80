//! One line a second, for a file or for a terminal that can only write on.

use super::line::{Colour, Line, Tint};
use super::number::{latency, while_of};
use super::sight::{Phase, Sight};

/// A sight in one line of at most `width` columns.
pub(super) fn line(sight: &Sight, width: usize) -> String {
    let pieces = pieces(sight).into_iter();
    pieces
        .fold(Line::default(), |line, piece| line.with(Tint::Plain, piece))
        .render(width, Colour::None)
}

/// The most important ones come first.
fn pieces(sight: &Sight) -> Vec<String> {
    let mut pieces = vec![format!("{:>8}  {:<10}", while_of(sight.elapsed), sight.phase.name())];
    if sight.phase == Phase::Connecting {
        pieces.push(format!("  {} of {}", sight.connected, sight.connections));
        return pieces;
    }
    let (recent, total) = (&sight.recent, &sight.total);
    pieces.push(format!("  {:>9} answers/s", recent.answered));
    pieces.push(format!("  {:>11} answered  {:>7} failed", total.answered, total.failed));
    let left = sight.left.map(|left| format!("  {} left", while_of(left)));
    let queue = sight.queue.map(|queue| format!("  queue {queue}"));
    let [p50, p99, p999] = [recent.p50_ns, recent.p99_ns, recent.p999_ns].map(latency);
    let latencies = recent.p50_ns.map(|_| format!("  p50 {p50}  p99 {p99}  p99.9 {p999}"));
    pieces.extend([left, queue, latencies].into_iter().flatten());
    pieces
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::progress::Moments;

    fn words(sight: &Sight) -> String {
        line(sight, usize::MAX).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_line_has_the_second_the_rate_and_the_sums() {
        let mut sight = Sight {
            elapsed: Duration::from_secs(3),
            recent: Moments { answered: 120, ..Moments::default() },
            total: Moments { answered: 400, failed: 2, ..Moments::default() },
            ..Sight::default()
        };
        assert_eq!(words(&sight), "3 s measuring 120 answers/s 400 answered 2 failed");
        assert!(line(&sight, 42).ends_with(" answers/s"));
        (sight.recent.p50_ns, sight.recent.p99_ns) = (Some(1_500), Some(2_000_000));
        (sight.queue, sight.left) = (Some(5), Some(Duration::from_secs(7)));
        let more = words(&sight);
        assert!(
            more.ends_with("failed 7 s left queue 5 p50 1.50 µs p99 2.00 ms p99.9 –"),
            "{more}"
        );
    }

    #[test]
    fn connecting_is_counted_in_connections() {
        let phase = Phase::Connecting;
        let sight = Sight { phase, connected: 12, connections: 1000, ..Sight::default() };
        assert_eq!(words(&sight), "0 s connecting 12 of 1000");
    }
}
