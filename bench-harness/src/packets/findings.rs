//! What the rows say: numbers to be shown, and statements that can be wrong.

use super::rate::{Limit, Outcome, Rate};
use super::trip::Trip;
use super::typical::Typical;
use super::way::{self, Generator, Kind, WAYS, Way};
use crate::report::number::{short, three, times};

/// How many times as many packets as a UDP socket the two are expected to take in.
const EXPECTED: [(Kind, f64); 2] = [(Kind::Hook, 8.0), (Kind::Xsk, 5.0)];

/// How much of the time of a CPU others may use before a pass is called disturbed.
pub const DISTURBANCE: f64 = 0.15;

/// What was measured of one way under one generator.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The way.
    pub way: &'static Way,
    /// Packets per second.
    pub per_s: Typical,
    /// Which side was the limit in the pass in the middle.
    pub limit: Option<Limit>,
}

impl Taken {
    /// Whether it might take in more than this: something else was the limit.
    #[must_use]
    pub fn at_least(&self) -> bool {
        self.limit != Some(Limit::Receiver)
    }

    /// The median rate in words.
    fn amount(&self) -> String {
        let bound = if self.at_least() { "at least " } else { "" };
        format!("{bound}{}", short(self.per_s.median))
    }
}

/// The ways that were measured, in the order of [`WAYS`].
#[must_use]
pub fn taken(rates: &[Rate], generator: Generator) -> Vec<Taken> {
    let of = |way: &'static Way| {
        let rows = || made(rates, way, generator);
        let per_s = Typical::of(rows().map(|rate| rate.handled_per_s))?;
        let far = |rate: &&Rate| (rate.handled_per_s - per_s.median).abs();
        let middle = rows().min_by(|one, other| far(one).total_cmp(&far(other)))?;
        Some(Taken { way, per_s, limit: middle.limit })
    };
    WAYS.iter().filter_map(of).collect()
}

/// The rows of a way that have numbers.
pub fn made<'a>(
    rates: &'a [Rate],
    way: &'static Way,
    generator: Generator,
) -> impl Iterator<Item = &'a Rate> {
    let fits = move |rate: &&Rate| rate.way == way.name && rate.generator == generator.name();
    rates.iter().filter(fits).filter(|rate| rate.outcome == Outcome::Ok)
}

/// What the generator can offer in a second: measured where a packet costs the receiver least.
#[must_use]
pub fn ceiling(rates: &[Rate], generator: Generator) -> Option<f64> {
    let fastest = WAYS.iter().find(|way| way.name == way::CHEAPEST)?;
    Some(Typical::of(made(rates, fastest, generator).map(|rate| rate.offered_per_s))?.median)
}

/// Says of each row which side was the limit.
pub fn judge(rates: &mut [Rate]) {
    for generator in Generator::ALL {
        let Some(ceiling) = ceiling(rates, generator) else { continue };
        let own = rates.iter_mut().filter(|rate| rate.generator == generator.name());
        own.for_each(|rate| rate.judge(ceiling));
    }
}

/// The fastest of a kind.
fn best(taken: &[Taken], kind: Kind) -> Option<Taken> {
    let own = taken.iter().filter(|taken| taken.way.kind == kind).copied();
    own.max_by(|one, other| one.per_s.median.total_cmp(&other.per_s.median))
}

/// One sentence about the rates under a generator, with the ratios to a UDP socket. A ratio to a
/// rate that may be higher says nothing, and is not told.
#[must_use]
pub fn of_rates(rates: &[Rate], generator: Generator) -> Option<String> {
    let taken = taken(rates, generator);
    let socket = best(&taken, Kind::Socket)?;
    let (hook, xsk) = (best(&taken, Kind::Hook)?, best(&taken, Kind::Xsk)?);
    if socket.at_least() {
        return Some(format!(
            "What is sent is the limit, so the ways can't be ranked: {} takes in {} packets/s, {} \
             {}, and a UDP socket {}",
            hook.way.name,
            hook.amount(),
            xsk.way.name,
            xsk.amount(),
            socket.amount()
        ));
    }
    let against = |taken: Taken| times(taken.per_s.median / socket.per_s.median);
    Some(format!(
        "{} takes in {} packets/s, {} a UDP socket's {}; {} takes in {}, {}",
        capital(hook.way.name),
        hook.amount(),
        against(hook),
        short(socket.per_s.median),
        xsk.way.name,
        xsk.amount(),
        against(xsk)
    ))
}

/// With a capital, for the beginning of a sentence.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string())
        + letters.as_str()
}

/// What was expected of the earlier hooks, and what came out.
#[must_use]
pub fn expectations(rates: &[Rate]) -> Vec<String> {
    let taken = taken(rates, Generator::Live);
    let Some(socket) = best(&taken, Kind::Socket) else { return Vec::new() };
    let of = |(kind, least): (Kind, f64)| {
        let found = best(&taken, kind)?;
        let ratio = found.per_s.median / socket.per_s.median;
        let verdict = if ratio >= least { "Held" } else { "Not held" };
        let why = if ratio >= least { String::new() } else { differs(rates, found, socket) };
        Some(format!(
            "{verdict}: {} was expected to take in at least {} as many packets as a UDP socket, \
             and took in {}.{why}",
            found.way.name,
            times(least),
            times(ratio)
        ))
    };
    EXPECTED.into_iter().filter_map(of).collect()
}

/// What the rows know of why an expectation did not come true.
fn differs(rates: &[Rate], found: Taken, socket: Taken) -> String {
    let mut words = String::new();
    match found.limit {
        Some(Limit::Generator) => {
            words += " The generator was the limit: it can take in more than is offered here.";
        }
        Some(Limit::SharedCpu) => {
            words += " It lost nothing: the CPU that sends frames also receives them for it, and \
                      had no time for more.";
        }
        _ => {}
    }
    let cost = |taken: Taken| {
        let rows = made(rates, taken.way, Generator::Live);
        Typical::of(rows.map(|rate| rate.host_ns_each))
            .map_or_else(|| "an unknown time".into(), |cost| format!("{} ns", three(cost.median)))
    };
    words += &format!(
        " A packet took {} of all CPUs there, and {} in {}.",
        cost(found),
        cost(socket),
        socket.way.name
    );
    if disturbed(rates) {
        words += " Other programs used the CPUs meanwhile; measure again on a quiet machine.";
    }
    words
}

/// Whether others used the CPUs before any of the passes.
#[must_use]
pub fn disturbed(rates: &[Rate]) -> bool {
    rates.iter().filter_map(|rate| rate.others_cpus).any(|cpus| cpus >= DISTURBANCE)
}

/// What was measured of one way of sending datagrams back.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The way.
    pub way: &'static Way,
    /// The median of a pass, in nanoseconds, over the passes.
    pub p50: Typical,
    /// Likewise: 99 of 100 are not longer.
    pub p99: Typical,
}

/// The ways that were measured, in the order of [`WAYS`].
#[must_use]
pub fn sent(trips: &[Trip]) -> Vec<Sent> {
    let of = |way: &'static Way| {
        let fits = |trip: &&Trip| trip.way == way.name && trip.outcome == Outcome::Ok;
        let over = |column: fn(&Trip) -> u64| {
            Typical::of(trips.iter().filter(fits).map(|trip| column(trip) as f64))
        };
        Some(Sent { way, p50: over(|trip| trip.p50_ns)?, p99: over(|trip| trip.p99_ns)? })
    };
    WAYS.iter().filter_map(of).collect()
}

/// One sentence about round trips.
#[must_use]
pub fn of_trips(trips: &[Trip]) -> Option<String> {
    let sent = sent(trips);
    let best = |kind| {
        let own = sent.iter().filter(|sent| sent.way.kind == kind);
        own.min_by(|one, other| one.p50.median.total_cmp(&other.p50.median))
    };
    let (socket, hook) = (best(Kind::Socket)?, best(Kind::Hook)?);
    let micro = |ns: f64| format!("{} µs", three(ns / 1e3));
    let beside = best(Kind::Xsk).map_or_else(String::new, |xsk| {
        format!(", one from {} after {}", xsk.way.name, micro(xsk.p50.median))
    });
    Some(format!(
        "A datagram is back from {} after {}{beside}, and one from a UDP socket after {}",
        hook.way.echo_name(),
        micro(hook.p50.median),
        micro(socket.p50.median)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(way: &str, per_s: f64) -> Rate {
        Rate {
            way: way.into(),
            generator: Generator::Live.name().into(),
            outcome: Outcome::Ok,
            offered: 1_000,
            handled: if per_s > 1e6 { 1_000 } else { 500 },
            offered_per_s: per_s.max(1e6),
            handled_per_s: per_s,
            host_ns_each: 1e9 / per_s,
            ..Rate::default()
        }
    }

    fn rates(hook: f64, xsk: f64) -> Vec<Rate> {
        let mut rates = vec![
            rate(way::CHEAPEST, hook),
            rate("native AF_XDP (busy)", xsk),
            rate("UDP recvmmsg", 5e5),
        ];
        judge(&mut rates);
        rates
    }

    #[test]
    fn the_sentence_has_the_ratios() {
        let words = of_rates(&rates(5e6, 4e6), Generator::Live).unwrap();
        assert!(words.contains("5 M packets/s, 10 × a UDP socket's 500 k"), "{words}");
        assert!(words.ends_with("native AF_XDP (busy) takes in at least 4 M, 8.0 ×"), "{words}");
    }

    #[test]
    fn nothing_is_so_many_times_a_rate_that_may_be_higher() {
        let mut rates = rates(5e6, 4e6);
        rates.iter_mut().for_each(|rate| rate.limit = Some(Limit::Generator));
        let words = of_rates(&rates, Generator::Live).unwrap();
        assert!(
            words.contains("can't be ranked: native XDP drop takes in at least 5 M"),
            "{words}"
        );
        assert!(words.ends_with("a UDP socket at least 500 k") && !words.contains('×'), "{words}");
    }

    #[test]
    fn an_expectation_that_is_not_met_says_what_is_known() {
        let words = expectations(&rates(3e6, 4e6));
        assert!(words[0].starts_with("Not held: native XDP drop"), "{}", words[0]);
        assert!(words[0].contains("took in 6.0 ×"), "{}", words[0]);
        assert!(words[0].contains("The generator was the limit"), "{}", words[0]);
        assert!(words[1].starts_with("Held: native AF_XDP (busy)"), "{}", words[1]);
    }

    #[test]
    fn nothing_measured_is_nothing_said() {
        assert_eq!(of_rates(&[], Generator::Live), None);
        assert_eq!((expectations(&[]).len(), of_trips(&[])), (0, None));
    }

    #[test]
    fn a_row_without_numbers_does_not_count() {
        let mut rows = rates(5e6, 4e6);
        rows.push(Rate { outcome: Outcome::Skipped, ..rate("UDP recvmmsg", 0.0) });
        assert_eq!(taken(&rows, Generator::Live)[0].per_s.least, 5e5);
    }
}
