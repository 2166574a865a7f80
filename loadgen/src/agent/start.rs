//! The time at which all agents begin, and waiting for it.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

use crate::cli::parse_duration;
use crate::failure::Failure;

/// When to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At this time since the Unix epoch: `@1700000000.5`, or `2026-11-21T15:00:00Z`.
    Time(Duration),
    /// That long from now: `+5s`. Agents on one host that were started together can use it.
    In(Duration),
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(wait) = text.strip_prefix('+') {
            return parse_duration(wait).map(Self::In);
        }
        let time = match text.strip_prefix('@') {
            Some(seconds) => decimal(seconds),
            None => rfc3339(text),
        };
        let example = "a time is @1700000000.5, 2026-11-21T15:00:00Z or +5s";
        time.map(Self::Time).ok_or_else(|| example.to_owned())
    }
}

impl StartAt {
    /// The time since the Unix epoch.
    #[must_use]
    pub fn time(self) -> Duration {
        match self {
            Self::Time(time) => time,
            Self::In(wait) => now().saturating_add(wait),
        }
    }
}

/// The wall clock, since the Unix epoch.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Sleeps until the wall clock shows `start`, and says how much later than that it is.
///
/// # Errors
/// [`Failure::Unfit`] if it is more than `bound` later already: the others have begun.
pub fn wait_until(start: Duration, bound: Duration) -> Result<Duration, Failure> {
    let late = now().saturating_sub(start);
    if late > bound {
        return Err(Failure::Unfit(format!(
            "the start was {late:.1?} ago, and nothing has been sent: begin all agents again with a \
             later --start-at"
        )));
    }
    sleep_until(start)?;
    Ok(now().saturating_sub(start))
}

/// An absolute deadline: a step of the clock on the way is followed (clock_nanosleep(2)).
fn sleep_until(start: Duration) -> Result<(), Failure> {
    let deadline = TimeSpec::from_duration(start);
    let flags = ClockNanosleepFlags::TIMER_ABSTIME;
    loop {
        match clock_nanosleep(ClockId::CLOCK_REALTIME, flags, &deadline) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => (),
            Err(error) => return Err(Failure::Failed(format!("waiting for the start: {error}"))),
        }
    }
}

/// Seconds with decimals; those past the ninth are cut off.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    Some(Duration::new(digits(whole)?, nanos(decimals)?))
}

fn nanos(decimals: &str) -> Option<u32> {
    let known = digits(decimals).and(Some(decimals))?;
    u32::try_from(digits(&format!("{known:0<9}")[..9])?).ok()
}

/// A number of ASCII digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `2026-11-21T15:00:00.5+01:00` (RFC 3339, section 5.6), from 1970 on.
fn rfc3339(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (time, offset) = split_offset(time)?;
    let (clock, decimals) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    let seconds = i64::try_from(seconds).ok()?.checked_sub(offset)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanos(decimals)?))
}

/// The time of day, and the seconds that its zone is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let sign = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(&time[sign + 1..], ':')?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = (hours * 3600 + minutes * 60) as i64;
    Some((&time[..sign], if time.as_bytes()[sign] == b'-' { -ahead } else { ahead }))
}

/// Exactly so many numbers with separators between them, two or four digits each.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[u64; N]> {
    let numbers = text.split(separator).map(|number| match number.len() {
        2 | 4 => digits(number),
        _ => None,
    });
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Days of the Gregorian calendar before that date; none for a date that there isn't.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let divides = |divisor: u64, year: u64| year.is_multiple_of(divisor);
    let leap = |year| divides(4, year) && (!divides(100, year) || divides(400, year));
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *lengths.get(months)?;
    if year < 1970 || !(1..=length).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    Some(years + lengths[..months].iter().sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Result<Duration, String> {
        text.parse().map(StartAt::time)
    }

    #[test]
    fn times_of_every_kind_are_read() {
        let cases = [
            ("@1700000000.5", 1_700_000_000, 500_000_000),
            ("@0", 0, 0),
            ("@7.0000000019", 7, 1),
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2023-11-14T22:13:20Z", 1_700_000_000, 0),
            ("2023-11-14t23:13:20.25+01:00", 1_700_000_000, 250_000_000),
            ("2023-11-14 16:43:20-05:30", 1_700_000_000, 0),
            ("2000-02-29T12:00:00Z", 951_825_600, 0),
            ("2026-11-21T15:00:00Z", 1_795_273_200, 0),
        ];
        for (text, seconds, nanos) in cases {
            assert_eq!(time(text), Ok(Duration::new(seconds, nanos)), "{text}");
        }
        assert_eq!("+5s".parse(), Ok(StartAt::In(Duration::from_secs(5))));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = ["", "@", "@-1", "@1.x", "@1e3", "5s", "+5", "1700000000", "2026-11-21"];
        let dates = [
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T15:00:00",
            "2026-11-21T15:00Z",
            "2026-11-21T15:00:00+1:00",
            "1970-01-01T00:00:00+01:00",
            "2026-11-21T15:00:00é",
        ];
        for text in cases.into_iter().chain(dates) {
            assert!(text.parse::<StartAt>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_start_in_the_past_is_refused() {
        let start = now() - Duration::from_secs(10);
        let failure = wait_until(start, Duration::from_secs(1)).expect_err("it is past");
        assert_eq!(failure.status(), 4);
        assert!(failure.to_string().starts_with("the start was 10."), "{failure}");
        assert!(wait_until(start, Duration::from_secs(3600)).is_ok());
    }

    #[test]
    fn the_start_is_not_before_its_time() {
        let start = StartAt::In(Duration::from_millis(50)).time();
        wait_until(start, Duration::ZERO).expect("it is ahead");
        assert!(now() >= start);
    }
}
