//! Dates of the proleptic Gregorian calendar in UTC, without a time-zone data base.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// `2026-11-21`.
#[must_use]
pub fn day(time: SystemTime) -> String {
    let (year, month, day) = civil(since_epoch(time) / DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-21T12:03:16Z`, RFC 3339.
#[must_use]
pub fn instant(time: SystemTime) -> String {
    let second = since_epoch(time) % DAY;
    format!("{}T{:02}:{:02}:{:02}Z", day(time), second / 3_600, second / 60 % 60, second % 60)
}

/// The day of an [`instant`].
#[must_use]
pub fn day_of(instant: &str) -> &str {
    instant.split('T').next().unwrap_or_default()
}

fn since_epoch(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |span| span.as_secs())
}

/// Year, month and day of the n-th day after 1970-01-01. Years are counted from March, so that the
/// leap day is the last of a year, and in eras of 400 years, which all have 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) =
        (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn knows_leap_days_and_year_ends() {
        let at = |seconds| instant(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(day_of(&at(951_782_400)), "2000-02-29");
        assert_eq!(at(1_704_067_199), "2023-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
