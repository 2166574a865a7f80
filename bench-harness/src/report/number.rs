//! Numbers as people read them.

/// `118,204`.
#[must_use]
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that count: `118 k`, `9.21 k`, `87`.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 999_500.0 => format!("{} M", three(value / 1e6)),
        v if v >= 999.5 => format!("{} k", three(value / 1e3)),
        _ => three(value),
    }
}

/// Three digits that count.
#[must_use]
pub fn three(value: f64) -> String {
    let text = match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.1 || v == 0.0 => format!("{value:.2}"),
        _ => return format!("{value:.3}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// A time in microseconds, in the unit that fits: `85 µs`, `612 µs`, `1.5 s`.
#[must_use]
pub fn time(microseconds: f64) -> String {
    match microseconds {
        us if us >= 999_500.0 => format!("{} s", three(us / 1e6)),
        us if us >= 999.5 => format!("{} ms", three(us / 1e3)),
        us => format!("{} µs", three(us)),
    }
}

/// A time in milliseconds, always in that unit, for a column to be compared from top to bottom:
/// `0.185 ms`, `9.42 ms`, `1,461 ms`.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms >= 999.5 => format!("{} ms", grouped(ms)),
        ms if ms < 1.0 => format!("{ms:.3} ms"),
        ms => format!("{} ms", three(ms)),
    }
}

/// Octets in binary units: `64 B`, `16 KiB`, `1 MiB`.
#[must_use]
pub fn octets(value: f64) -> String {
    match value {
        v if v >= 1_073_741_824.0 => format!("{} GiB", three(v / 1_073_741_824.0)),
        v if v >= 1_048_576.0 => format!("{} MiB", three(v / 1_048_576.0)),
        v if v >= 1_024.0 => format!("{} KiB", three(v / 1_024.0)),
        v => format!("{} B", three(v)),
    }
}

/// A ratio: `1.06 ×`, `4.1 ×`, `32 ×`.
#[must_use]
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r >= 9.95 => format!("{r:.0} ×"),
        r if r < 0.1 => format!("{r:.3} ×"),
        r if r >= 1.95 => format!("{r:.1} ×"),
        r => format!("{r:.2} ×"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0.0, 999.4, 1_000.0, 1_234_567.0].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn three_digits_and_the_unit_that_fits() {
        assert_eq!([87.0, 118_204.0, 9_213.0, 1e6].map(short), ["87", "118 k", "9.21 k", "1 M"]);
        let units = [85.0, 612.4, 1_234.0, 1_500_000.0].map(time);
        assert_eq!(units, ["85 µs", "612 µs", "1.23 ms", "1.5 s"]);
        let column = [0.185_034, 9.416, 1_461.3].map(milliseconds);
        assert_eq!(column, ["0.185 ms", "9.42 ms", "1,461 ms"]);
        assert_eq!([64.0, 16_384.0, 1_048_576.0].map(octets), ["64 B", "16 KiB", "1 MiB"]);
        assert_eq!([1.06, 4.12, 32.4].map(times), ["1.06 ×", "4.1 ×", "32 ×"]);
    }
}
