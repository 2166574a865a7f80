//! A trial of `rates.csv`: a receiver on one host, a generator on the other, and counters around.

use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

use super::cpu::Used;
use super::rate::{Outcome, Rate};
use super::site::{self, PORT, Site, ended, ready};
use super::way::{Generator, Way};

/// The host that generates, and the one that is measured.
const NEAR: usize = 0;
/// See [`NEAR`].
const FAR: usize = 1;

/// What `servers packet generate` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Generated {
    /// Packets that were to be sent.
    pub offered: u64,
    /// Packets that went out.
    pub sent: u64,
    /// How long that took.
    pub seconds: f64,
    user_s: f64,
    system_s: f64,
}

/// What a receiver counts: a socket's, or a program's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counted {
    /// Even counters, which are dropped.
    #[serde(alias = "even_dropped")]
    pub even: u64,
    /// Odd counters, which pass.
    #[serde(alias = "odd_passed")]
    pub odd: u64,
    /// Odd counters that came before.
    #[serde(default)]
    pub duplicates: u64,
}

impl Counted {
    /// Both.
    #[must_use]
    pub fn all(self) -> u64 {
        self.even + self.odd
    }
}

/// Makes a trial; what goes wrong is a row, too.
#[must_use]
pub fn rate(site: &Site, way: &Way, generator: Generator, pass: u32) -> Rate {
    let (name, source) = (way.name.to_owned(), generator.name().to_owned());
    let blank = Rate { way: name, generator: source, pass, ..Rate::default() };
    measure(site, way, generator, blank.clone()).unwrap_or_else(|error| Rate {
        outcome: Outcome::Failed,
        reason: format!("{error:#}"),
        ..blank
    })
}

fn measure(site: &Site, way: &Way, generator: Generator, blank: Rate) -> Result<Rate> {
    let stage = site.pair()?;
    let address = stage.host(FAR)?.address;
    let receiver = ready(&stage, FAR, &way.line(way.sink, address))?;
    let before = Used::by(receiver.pid())?;
    let line = generator.line(&format!("{address}:{PORT}"), site.effort.rate);
    let made: Generated = site::run(&stage, NEAR, &line, site.effort.rate)?;
    let used = Used::by(receiver.pid())?.since(before);
    let counted: Counted = ended(receiver)?;
    Ok(row(blank, &made, counted, used))
}

/// All counters of a rate are even: a filter drops every packet, a socket takes every packet in.
fn row(blank: Rate, made: &Generated, counted: Counted, used: Used) -> Rate {
    let handled = counted.even;
    let each = |seconds: f64| seconds * 1e9 / handled.max(1) as f64;
    let per_s = |packets: u64| packets as f64 / made.seconds.max(f64::MIN_POSITIVE);
    Rate {
        outcome: Outcome::Ok,
        offered: made.offered,
        sent: made.sent,
        handled,
        seconds: made.seconds,
        offered_per_s: per_s(made.offered),
        handled_per_s: per_s(handled),
        receiver_ns_each: each(used.process),
        generator_ns_each: each(made.user_s + made.system_s),
        host_ns_each: each(used.host),
        ..blank
    }
}

impl Generator {
    /// The line of the generator: counters are even, so that a filter of even ones drops all.
    #[must_use]
    pub fn line(self, to: &str, duration: Duration) -> String {
        let (name, ms) = (self.name(), duration.as_millis());
        format!("packet generate {name} --to {to} --step 2 --duration {ms}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read_from_either_kind_of_program() {
        let read = |text| serde_json::from_str::<Counted>(text).unwrap();
        let socket = read(r#"{"packets":5,"odd":3,"even":2,"short":0,"duplicates":1,"seconds":1}"#);
        assert_eq!(socket, Counted { even: 2, odd: 3, duplicates: 1 });
        let program = read(r#"{"even_dropped":7,"odd_passed":8,"not_ours":0,"malformed":0}"#);
        assert_eq!(program, Counted { even: 7, odd: 8, duplicates: 0 });
    }

    #[test]
    fn rates_and_costs_are_of_what_was_taken_in() {
        let made =
            Generated { offered: 400, sent: 300, seconds: 2.0, user_s: 0.1e-6, system_s: 0.1e-6 };
        let counted = Counted { even: 200, odd: 0, duplicates: 0 };
        let used = Used { process: 1e-6, host: 4e-6 };
        let rate = row(Rate::default(), &made, counted, used);
        assert_eq!((rate.offered_per_s, rate.handled_per_s), (200.0, 100.0));
        assert!((rate.receiver_ns_each - 5.0).abs() < 1e-9, "{}", rate.receiver_ns_each);
        assert!((rate.host_ns_each - 20.0).abs() < 1e-9, "{}", rate.host_ns_each);
        assert!((rate.generator_ns_each - 1.0).abs() < 1e-9, "{}", rate.generator_ns_each);
    }
}
