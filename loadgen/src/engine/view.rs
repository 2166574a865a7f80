//! What the main thread can see of a run while it lasts.

use std::time::Duration;

use super::Second;
use super::ledger::Ledger;
use super::shared::{Signals, Vitals};
use crate::clock::Moment;
use crate::plan::{Load, Plan, Stop};
use crate::progress::{Moments, Phase, Sight};
use crate::recorder::Times;

/// Remembers what the last sight was, and since when the present phase lasts.
#[derive(Debug)]
pub(super) struct View {
    phase: Phase,
    since: Moment,
    until: Moment,
    before: Vitals,
    at_start: Vitals,
}

impl View {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Connecting,
            since: Moment::now(),
            until: Moment::NEVER,
            before: Vitals::default(),
            at_start: Vitals::default(),
        }
    }

    /// A new phase begins, which lasts until that moment.
    pub(super) fn turn(&mut self, phase: Phase, until: Moment, signals: &Signals) {
        *self = Self {
            phase,
            since: Moment::now(),
            until,
            before: self.before,
            at_start: signals.sum(),
        };
    }

    pub(super) fn sight(&mut self, plan: &Plan, signals: &Signals, ledger: &Ledger<'_>) -> Sight {
        let now = Moment::now();
        let vitals = signals.sum();
        let (before, begin) = (self.before, self.at_start);
        self.before = vitals;
        let left = (self.until != Moment::NEVER)
            .then(|| Duration::from_nanos(self.until.nanos_since(now)));
        let elapsed = Duration::from_nanos(now.nanos_since(self.since));
        Sight {
            phase: self.phase,
            elapsed,
            left,
            asked_requests: asked(plan),
            asked_rate: rate(plan),
            recent: recent(&vitals.since(&before), ledger.seconds.last()),
            total: total(&vitals.since(&begin), &ledger.totals.latency),
            queue: rate(plan).map(|_| vitals.queue),
            connected: vitals.connected,
            connections: (plan.connections + plan.idle) as u64,
        }
    }
}

fn asked(plan: &Plan) -> Option<u64> {
    match plan.stop {
        Stop::Each(count) => Some(count.get().saturating_mul(plan.connections as u64)),
        Stop::After(_) => None,
    }
}

fn rate(plan: &Plan) -> Option<f64> {
    match &plan.load {
        Load::Open(schedule) => Some(schedule.rate),
        Load::Closed(_) => None,
    }
}

fn recent(more: &Vitals, second: Option<&Second>) -> Moments {
    let second = second.filter(|second| second.answered > 0);
    Moments {
        answered: more.answered,
        failed: more.failed,
        p50_ns: second.map(|second| second.p50_ns),
        p99_ns: second.map(|second| second.p99_ns),
        p999_ns: second.map(|second| second.p999_ns),
    }
}

fn total(all: &Vitals, latency: &Times) -> Moments {
    let times = latency.histogram();
    let quantile = |quantile| (!times.is_empty()).then(|| times.value_at_quantile(quantile));
    Moments {
        answered: all.answered,
        failed: all.failed,
        p50_ns: quantile(0.5),
        p99_ns: quantile(0.99),
        p999_ns: quantile(0.999),
    }
}
