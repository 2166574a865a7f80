//! Lengths of time as people write them: `300ms`, `1.5s`, `2m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

const UNITS: [(&str, f64); 4] = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)];

/// Reads a length of time.
///
/// # Errors
/// A sentence that shows how to write one.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time; write 300ms, 1.5s or 2m");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// For `#[serde(deserialize_with)]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(source)?).map_err(de::Error::custom)
}

/// As a flag of loadgen takes it: whole milliseconds where they say it all.
#[must_use]
pub fn flag(span: Duration) -> String {
    if span.subsec_nanos().is_multiple_of(1_000_000) {
        format!("{}ms", span.as_millis())
    } else {
        format!("{}us", span.as_micros())
    }
}

/// For people: `48 s`, `2 min 10 s`.
#[must_use]
pub fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {:02} s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn refuses_the_rest_in_one_sentence() {
        for wrong in ["", "3", "s", "-1s", "3 parsecs", "1e400s", "NaNs"] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("write 300ms"), "{wrong}: {error}");
        }
    }

    #[test]
    fn writes_flags_that_can_be_read_back() {
        for span in [Duration::from_millis(300), Duration::from_micros(1_500)] {
            assert_eq!(parse(&flag(span)), Ok(span));
        }
    }
}
