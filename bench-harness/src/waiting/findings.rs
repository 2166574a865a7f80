//! What the numbers say, in sentences that are computed from them.

use super::fit::{Fit, Formula};
use super::knee::{Step, steps};
use super::row::{Row, points, pollers};
use crate::report::number::{grouped, three};
use crate::stats::median;

/// Nanoseconds below this are told as less than it.
const LEAST_NS: f64 = 0.001;

/// What many idle descriptors cost may differ so much from what the formula says, as a share,
/// before both are told.
const CURVED: f64 = 0.25;

/// All fits of a run, and all steps.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Of each poller, each formula that the rows determine.
    pub fits: Vec<Fit>,
    /// Of each poller, each knee that is known.
    pub steps: Vec<Step>,
    /// Of each poller that needs it, nanoseconds of asking for a descriptor again.
    pub rearms: Vec<(String, f64)>,
    /// Of each poller, what each idle descriptor costs among the most of them.
    pub crowds: Vec<Crowd>,
}

/// What was measured with as many idle descriptors as a poller had, and nothing fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Crowd {
    /// The poller.
    pub poller: String,
    /// How many idle descriptors.
    pub idle: usize,
    /// Nanoseconds that each of them adds to a wait.
    pub each_ns: f64,
}

impl Crowd {
    /// Beside the fewest active ones. None where only one number of idle descriptors was measured.
    fn of(rows: &[Row], poller: &str) -> Option<Self> {
        let mut points = points(rows, poller);
        let fewest = points.iter().map(|point| point.active).min()?;
        points.retain(|point| point.active == fewest);
        let (first, last) = (points.first()?, points.last().filter(|_| points.len() > 1)?);
        let more = (last.idle - first.idle) as f64;
        let each_ns = (last.typical()? - first.typical()?) / more;
        Some(Self { poller: poller.into(), idle: last.idle, each_ns })
    }
}

impl Findings {
    /// Fits what was measured.
    #[must_use]
    pub fn of(rows: &[Row], seed: u64) -> Self {
        let names = pollers(rows);
        let fit = |formula| {
            let fit = move |poller: &&str| Fit::of(rows, poller, formula, seed);
            names.iter().filter_map(fit)
        };
        let rearm = |poller: &&str| Some((String::from(*poller), rearm(rows, poller)?));
        Self {
            fits: Formula::ALL.into_iter().flat_map(fit).collect(),
            steps: steps(rows, &names, seed),
            rearms: names.iter().filter_map(rearm).collect(),
            crowds: names.iter().filter_map(|poller| Crowd::of(rows, poller)).collect(),
        }
    }

    /// The fits of one formula.
    pub fn with(&self, formula: Formula) -> impl Iterator<Item = &Fit> {
        self.fits.iter().filter(move |fit| fit.formula == formula)
    }

    /// The fit of a poller that is nearest to its points: it is drawn.
    #[must_use]
    pub fn nearest(&self, poller: &str) -> Option<&Fit> {
        let fits = self.fits.iter().filter(|fit| fit.poller == poller);
        fits.min_by(|one, other| one.worst.relative.abs().total_cmp(&other.worst.relative.abs()))
    }

    /// What idle descriptors cost.
    #[must_use]
    pub fn idle(&self) -> Option<String> {
        let mut slopes: Vec<_> = self
            .with(Formula::Plain)
            .map(|plain| {
                let nearest = self.nearest(&plain.poller).unwrap_or(plain);
                (plain.poller.as_str(), nearest.slope(1.0), plain.coefficients[1].may_be(0.0))
            })
            .collect();
        slopes.sort_by(|(_, one, _), (_, other, _)| one.total_cmp(other));
        let (dearest, most, nothing) = *slopes.last()?;
        if nothing {
            return Some(
                "No poller's wait costs more for idle descriptors, as far as shows".into(),
            );
        }
        let (cheapest, least, none) = *slopes.first()?;
        let first = format!(
            "One wait of {dearest} costs {} more for each idle descriptor{}",
            ns(most),
            self.among_most(dearest, most)
        );
        let second = match (cheapest == dearest, none) {
            (true, _) => return Some(first),
            (_, true) => format!("{cheapest}'s costs nothing that shows"),
            (_, false) => format!("{cheapest}'s costs {}", ns(least.max(0.0))),
        };
        Some(format!("{first}; {second}"))
    }

    /// What each costs where there are most of them, if that is not what the formula says.
    fn among_most(&self, poller: &str, slope: f64) -> String {
        let crowd = self.crowds.iter().find(|crowd| crowd.poller == poller);
        let curved = |crowd: &&Crowd| (crowd.each_ns / slope - 1.0).abs() > CURVED;
        crowd.filter(curved).map_or_else(String::new, |Crowd { idle, each_ns, .. }| {
            format!(", and {} among {} of them", ns(*each_ns), grouped(*idle as f64))
        })
    }

    /// What active descriptors cost.
    #[must_use]
    pub fn active(&self) -> Option<String> {
        let mut prices: Vec<_> = self
            .with(Formula::Plain)
            .filter_map(|plain| self.nearest(&plain.poller))
            .map(|fit| (fit.poller.as_str(), fit.coefficients[2].value))
            .collect();
        prices.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        let ((cheapest, least), (dearest, most)) = (*prices.first()?, *prices.last()?);
        let ends = if cheapest == dearest {
            format!("{} to a wait of {dearest}", ns(most))
        } else {
            format!("{} to a wait of {cheapest} and {} to one of {dearest}", ns(least), ns(most))
        };
        let rearm = self.rearms.first().map_or_else(String::new, |(poller, price)| {
            format!("; {poller} spends {} besides to ask again", ns(*price))
        });
        Some(format!("Each active descriptor adds {ends}{rearm}"))
    }

    /// Of each poller of the epoll family, whether idle descriptors cost anything.
    #[must_use]
    pub fn epoll(&self) -> Vec<String> {
        let epoll = self.with(Formula::Plain).filter(|fit| fit.poller.starts_with("epoll"));
        let sentence = |fit: &Fit| {
            let b = fit.coefficients[1];
            let Some((low, high)) = b.interval else {
                return format!("{}: a single pass gives b no interval.", fit.poller);
            };
            let verdict = if b.may_be(0.0) { "contains 0" } else { "does not contain 0" };
            let picoseconds = |ns: f64| three(1e3 * ns);
            format!(
                "{}: the 95 % interval of b, {} to {} ps for each idle descriptor, {verdict}.",
                fit.poller,
                picoseconds(low),
                picoseconds(high)
            )
        };
        epoll.map(sentence).collect()
    }
}

/// Nanoseconds for people.
#[must_use]
pub fn ns(value: f64) -> String {
    match value {
        v if v >= 9_999.5 => format!("{} ns", grouped(v)),
        v if v.abs() < LEAST_NS => format!("less than {LEAST_NS} ns"),
        v => format!("{} ns", three(v)),
    }
}

/// The median over all conditions and passes.
fn rearm(rows: &[Row], poller: &str) -> Option<f64> {
    let points = points(rows, poller);
    let all = points.iter().flat_map(|point| point.rows.iter().filter_map(|r| r.rearm_median_ns));
    median(&all.collect::<Vec<_>>())
}

/// What was left out, with its reason: a sentence a poller and reason.
#[must_use]
pub fn skipped(rows: &[Row]) -> Vec<String> {
    let mut sentences = Vec::new();
    let left_out = |row: &&Row| row.skipped.is_some();
    let rows: Vec<_> = rows.iter().filter(left_out).collect();
    for same in rows.chunk_by(|one, other| one.poller == other.poller && one.note == other.note) {
        let least = same.iter().map(|row| row.idle + row.active).min().unwrap_or(0);
        let (poller, note, count) = (&same[0].poller, &same[0].note, same.len());
        let least = grouped(least as f64);
        sentences.push(match same[0].is_failed() {
            true => format!("{poller} could not be timed: {note}."),
            false => format!(
                "{poller} has no number for {count} conditions, of {least} connections and more: \
                 {note}."
            ),
        });
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made-up waits of a poller, without noise but for a small difference between passes.
    fn made_up(poller: &str, cost: impl Fn(f64, f64) -> f64) -> Vec<Row> {
        let mut rows = Vec::new();
        for pass in 1..=4 {
            for idle in [0, 10, 20, 28, 33, 50, 80, 200, 1_000, 10_000] {
                for active in [1, 4, 16] {
                    let exact = cost(idle as f64, active as f64);
                    let off = [1.001, 0.999, 1.002, 0.998][(pass as usize + idle + active) % 4];
                    rows.push(Row {
                        poller: poller.into(),
                        pass,
                        idle,
                        active,
                        highest_fd: Some(idle + active + 6),
                        wait_middle_mean_ns: Some(exact * off),
                        ..Row::default()
                    });
                }
            }
        }
        rows
    }

    #[test]
    fn the_sentences_say_what_was_planted() {
        let mut rows = made_up("poll", |idle, active| 300.0 + 9.0 * idle + 40.0 * active);
        rows.extend(made_up("epoll-edge", |_, active| 400.0 + 90.0 * active));
        let findings = Findings::of(&rows, 1);
        let idle = findings.idle().unwrap();
        assert!(idle.starts_with("One wait of poll costs 9"), "{idle}");
        assert!(idle.ends_with("epoll-edge's costs nothing that shows"), "{idle}");
        let active = findings.active().unwrap();
        assert!(active.contains("to a wait of poll and 9"), "{active}");
        assert!(findings.epoll()[0].contains("contains 0"), "{:?}", findings.epoll());
    }

    #[test]
    fn a_line_that_is_not_straight_is_not_told_as_one() {
        // Each of more than a thousand costs three times as much.
        let cost = |idle: f64, active: f64| {
            300.0 + 9.0 * idle + 18.0 * (idle - 1_000.0).max(0.0) + 40.0 * active
        };
        let findings = Findings::of(&made_up("poll", cost), 1);
        let crowd = &findings.crowds[0];
        assert_eq!((crowd.idle, (crowd.each_ns / 25.2 * 20.0).round()), (10_000, 20.0));
        let idle = findings.idle().unwrap();
        assert!(idle.ends_with(" ns among 10,000 of them"), "{idle}");
        let straight = Findings::of(&made_up("poll", |idle, _| 300.0 + 9.0 * idle), 1);
        assert!(!straight.idle().unwrap().contains("among"));
    }

    #[test]
    fn descriptors_that_are_asked_to_call_back_need_a_term_of_their_own() {
        let rows = made_up("select", |idle, active| {
            200.0 + 5.0 * idle + 30.0 * active + 60.0 * idle / (active + 1.0)
        });
        let findings = Findings::of(&rows, 1);
        let nearest = findings.nearest("select").unwrap();
        assert_eq!(nearest.formula, Formula::Queued);
        let found: Vec<_> = nearest.coefficients.iter().map(|e| e.value.round()).collect();
        assert_eq!(found, [200.0, 5.0, 30.0, 60.0]);
        let plain = findings.with(Formula::Plain).next().unwrap();
        assert!(plain.worst.relative.abs() > 0.2, "{plain:?}");
    }

    #[test]
    fn a_step_is_found_where_there_is_one_and_only_there() {
        let step = |height: f64| {
            let rows = made_up("poll", |idle, active| {
                let beyond = f64::from(idle + active > 30.0);
                300.0 + 2.0 * idle + 40.0 * active + height * beyond
            });
            Findings::of(&rows, 1).steps[0].clone()
        };
        let there = step(100.0).height.unwrap();
        assert!((there.value - 100.0).abs() < 10.0 && !there.may_be(0.0), "{there:?}");
        assert!(step(100.0).sentence().contains("a step, "));
        assert!(step(0.0).sentence().contains("no step that shows"), "{}", step(0.0).sentence());
    }

    #[test]
    fn a_knee_with_too_few_conditions_around_it_is_not_judged() {
        let rows = made_up("poll", |idle, active| 300.0 + idle + active);
        let findings = Findings::of(&rows, 1);
        assert!(findings.steps[1].sentence().contains("too few conditions"));
    }

    #[test]
    fn a_poller_that_failed_is_said_to_have() {
        let error = anyhow::anyhow!("it ended\nwith status 7").context("timing");
        let sentences = skipped(&[Row::failed("poll", &error)]);
        assert_eq!(sentences, ["poll could not be timed: timing: it ended with status 7."]);
    }

    #[test]
    fn what_is_left_out_is_said_once_with_its_reason() {
        let row = |idle| Row {
            poller: "select".into(),
            idle,
            active: 1,
            skipped: Some("ceiling".into()),
            note: "descriptors must be below 1024".into(),
            ..Row::default()
        };
        let sentences = skipped(&[row(5_000), row(2_000)]);
        assert_eq!(sentences.len(), 1);
        assert!(
            sentences[0].contains("2 conditions, of 2,001 connections")
                && sentences[0].contains("1024")
        );
    }
}
