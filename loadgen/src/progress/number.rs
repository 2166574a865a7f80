//! Numbers as people read them, in few and steady columns.

use std::time::Duration;

/// A count with its thousands apart: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A latency to three digits: `1.23 ms`; a dash where there is none.
pub(super) fn latency(nanos: Option<u64>) -> String {
    let Some(nanos) = nanos else { return "–".to_owned() };
    let nanos = nanos as f64;
    // Where rounding to three digits would give a thousand, the next unit begins.
    let (value, unit) = match nanos {
        ..999.5 => return format!("{nanos:.0} ns"),
        ..999.5e3 => (nanos / 1e3, "µs"),
        ..999.5e6 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A while in whole seconds: `42 s`, `2:05 min`, `1:02:05 h`.
pub(super) fn while_of(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{rest:02} h")
    } else if minutes > 0 {
        format!("{minutes}:{rest:02} min")
    } else {
        format!("{rest} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_latency_has_three_digits_and_never_more_than_seven_columns() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (999_600_000, "1.00 s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(latency(Some(nanos)), text);
            assert!(text.chars().count() <= 7, "{text}");
        }
        assert_eq!(latency(None), "–");
    }

    #[test]
    fn a_while_has_the_unit_that_suits_it() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (125, "2:05 min"), (3_725, "1:02:05 h")] {
            assert_eq!(while_of(Duration::from_secs(seconds)), text);
        }
    }
}
