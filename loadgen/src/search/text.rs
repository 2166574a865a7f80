//! What a search found, for people.

use std::fmt::Write;

use super::answer::{Agreement, Ceiling, Direction, Found, Range, Step};
use super::{Certainty, Finding};

/// The answer, and each step with what it rests on.
#[must_use]
pub fn text(found: &Found) -> String {
    let mut page = String::new();
    let mut put = |name: &str, value: &str| {
        // Writing to a string can't fail.
        let _ = writeln!(page, "{name:<20}{value}");
    };
    put("objective", &found.objective);
    put("going up", &range(&found.up));
    if let Some(down) = &found.down {
        put("coming down", &range(down));
    }
    put("together", agreement(found.agreement));
    let (steps, seconds) = (found.steps.len(), found.elapsed_ns as f64 / 1e9);
    put("tried", &format!("{steps} rates in {seconds:.1} s, {}", certainty(found)));
    for step in &found.steps {
        put("", &line(step));
    }
    page
}

/// One step.
#[must_use]
pub fn line(step: &Step) -> String {
    let way = match step.direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    let finding = match (step.finding, step.certainty) {
        (Finding::Holds, Certainty::Clear) => "holds",
        (Finding::Holds, Certainty::Unclear) => "holds?",
        (Finding::Fails, Certainty::Clear) => "fails",
        (Finding::Fails, Certainty::Unclear) => "fails?",
        (Finding::GeneratorLimited, _) => "limit",
    };
    format!("{way:<5}{:>12} {finding:<7}{}", rate(step.rate), evidence(step))
}

fn evidence(step: &Step) -> String {
    let evidence = &step.evidence;
    let missed: Vec<_> = evidence.missed.iter().map(u64::to_string).collect();
    let missed = if missed.is_empty() { "0".to_owned() } else { missed.join(" and ") };
    let mut text = format!(
        "{missed} of {} missed it (worth {:.0}), {:.1} s",
        evidence.requests,
        evidence.effective,
        evidence.elapsed_ns as f64 / 1e9
    );
    let odd = [
        (evidence.discarded, "discarded: the load generator was late"),
        (evidence.short, "with fewer requests than planned"),
        (evidence.broken, "not carried out"),
    ];
    for (trials, what) in odd.into_iter().filter(|(trials, _)| *trials > 0) {
        let _ = write!(text, "; {trials} {what}");
    }
    if let Some(error) = &evidence.error {
        let _ = write!(text, ": {error}");
    }
    text
}

fn range(range: &Range) -> String {
    match *range {
        Range::Between { low, high } => {
            format!("it holds at {} and fails at {} requests/s", rate(low), rate(high))
        }
        Range::AtLeast { low, because: Ceiling::Generator } => {
            format!("at least {} requests/s; the load generator is the limit", rate(low))
        }
        Range::AtLeast { low, because: Ceiling::Highest } => {
            format!("at least {} requests/s, the highest rate allowed", rate(low))
        }
        Range::Below { high } => {
            format!("it fails even at {} requests/s, the lowest rate allowed", rate(high))
        }
        Range::Unknown => "unknown: the load generator was the limit at every rate".to_owned(),
    }
}

fn agreement(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Overlap => "the ways up and down agree",
        Agreement::Unclear => "the ways up and down differ, but not clearly",
        Agreement::Hysteresis => "hysteresis: it depends on the load before",
        Agreement::OneWay => "nothing to compare: there was no way down",
    }
}

fn certainty(found: &Found) -> String {
    let unclear = found.steps.iter().filter(|step| step.certainty == Certainty::Unclear).count();
    format!("{unclear} of them undecided (?) at {} % confidence", 100.0 * found.confidence)
}

/// Four digits are more than a search can know.
fn rate(rate: f64) -> String {
    match rate {
        ..100.0 => format!("{rate:.2}"),
        ..1000.0 => format!("{rate:.1}"),
        _ => format!("{rate:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Evidence;

    fn found() -> Found {
        let evidence = Evidence {
            trials: 2,
            broken: 1,
            requests: 2000,
            effective: 150.4,
            missed: vec![40, 7],
            elapsed_ns: 2_000_000_000,
            error: Some("no connection".to_owned()),
            ..Evidence::default()
        };
        let (direction, rate, finding) = (Direction::Down, 931.25, Finding::Fails);
        let step = Step { direction, rate, finding, certainty: Certainty::Unclear, evidence };
        Found {
            objective: "p99<5ms".to_owned(),
            confidence: 0.99,
            tolerance: 0.03,
            up: Range::Between { low: 910.5, high: 931.25 },
            down: Some(Range::AtLeast { low: 99.0, because: Ceiling::Generator }),
            agreement: Agreement::Unclear,
            steps: vec![step],
            elapsed_ns: 2_500_000_000,
        }
    }

    #[test]
    fn the_answer_comes_with_its_evidence() {
        let expected = "\
objective           p99<5ms
going up            it holds at 910.5 and fails at 931.2 requests/s
coming down         at least 99.00 requests/s; the load generator is the limit
together            the ways up and down differ, but not clearly
tried               1 rates in 2.5 s, 1 of them undecided (?) at 99 % confidence
                    down        931.2 fails? 40 and 7 of 2000 missed it (worth 150), 2.0 s; \
                    1 not carried out: no connection
";
        assert_eq!(text(&found()), expected);
    }

    #[test]
    fn programs_can_read_it() {
        let json = serde_json::to_value(found()).unwrap();
        assert_eq!(json["up"]["between"]["high"], 931.25);
        assert_eq!(json["down"]["at-least"]["because"], "generator");
        assert_eq!(json["agreement"], "unclear");
        assert_eq!(json["steps"][0]["evidence"]["missed"][1], 7);
    }
}
