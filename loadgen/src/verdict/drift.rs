//! Whether the run was the same all along.
//!
//! Percentiles of a run that gets slower and slower depend on when it was stopped. And a run that
//! begins otherwise than it goes on was measured before it was warm. Both are looked for in the
//! medians of at most [`SLICES`] slices of the phase. A schedule whose rate changes with time may
//! have response times that do: there it says nothing.

use super::words::{chance, percent, time};
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Load, Plan};
use crate::schedule::Pattern;
use crate::statistics::{self, Trend};

/// Enough slices to see a trend, and few enough that neighbours hardly depend on each other.
const SLICES: usize = 64;

/// A trend, or a beginning, that is less probable than this is no chance,
const IMPROBABLE: f64 = 0.01;

/// and a change by more than this factor, up or down, matters
const LARGE: f64 = 1.25;

/// if it is by more than a host may change its mind about how to wake up an idle CPU.
const WAKE_UP_NS: f64 = 100_000.0;

pub(super) fn trend(plan: &Plan, found: &Found) -> Option<Check> {
    let medians = medians(plan, found)?;
    let found = statistics::trend(&medians)?;
    let off = drifts(Some(found), &medians);
    let reason = format!(
        "in the last third, the median response time is {:.2} times that of the first third ({} by \
         the test of Mann and Kendall; bounds {LARGE} and {IMPROBABLE})",
        found.ratio,
        chance(found.p)
    );
    let hint = "the percentiles depend on when the run was stopped: look at them second by second; \
                if the server was overloaded, lower the rate, otherwise run for longer";
    Some(Check::new("drift", Standing::suspect_if(off), reason).hint(hint))
}

pub(super) fn warm_up(plan: &Plan, found: &Found) -> Option<Check> {
    let medians = medians(plan, found)?;
    let length = found.slices.at_most(SLICES).length_ns() as f64;
    let name = "warm-up";
    let Some(beginning) = statistics::settling(&medians) else {
        let reason = "the beginning is like the rest".to_owned();
        return Some(Check::new(name, Standing::Valid, reason));
    };
    // What still drifts after the cut has not settled there: that is not about the beginning.
    let settles = !drifts(statistics::trend(&medians[beginning.cut..]), &medians);
    let cold = settles && beginning.fit.p < IMPROBABLE && is_large(beginning.ratio, &medians);
    let reason = format!(
        "the first {} ({} of the phase) began with {:.2} times the median response time of the \
         rest ({} by the test of Kolmogorov and Smirnov; bounds {LARGE} and {IMPROBABLE})",
        time(beginning.cut as f64 * length),
        percent(beginning.cut as f64 / medians.len() as f64),
        beginning.ratio,
        chance(beginning.fit.p)
    );
    let hint = "measuring began before the server was warm: use a longer --warm-up";
    Some(Check::new(name, Standing::suspect_if(cold), reason).hint(hint))
}

fn drifts(trend: Option<Trend>, medians: &[f64]) -> bool {
    trend.is_some_and(|trend| trend.p < IMPROBABLE && is_large(trend.ratio, medians))
}

/// Whether times that are usually like `medians` have changed a lot, by this factor.
fn is_large(ratio: f64, medians: &[f64]) -> bool {
    let usual = statistics::median(medians.to_vec()).unwrap_or(0.0);
    let changed_ns = (ratio - 1.0).abs() * usual;
    !(1.0 / LARGE..=LARGE).contains(&ratio) && changed_ns > WAKE_UP_NS
}

/// The medians of the response times, slice by slice; none if they may change. What is answered
/// while draining is answered under less and less load, and left out.
fn medians(plan: &Plan, found: &Found) -> Option<Vec<f64>> {
    if let Load::Open(schedule) = &plan.load
        && matches!(schedule.pattern, Pattern::Ramp(_) | Pattern::Trace(_))
    {
        return None;
    }
    let slices = found.slices.at_most(SLICES);
    let whole = found.elapsed_ns.div_ceil(slices.length_ns()) as usize;
    Some(slices.quantiles(0.5).into_iter().take(whole).flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Slices;
    use crate::statistics::chance::Chance;
    use crate::verdict::scene::{MILLISECOND, Scene};

    /// What both checks say of ten seconds in which the mean response time is so many milliseconds.
    fn standings(seed: u64, mean_ms: impl Fn(f64) -> f64) -> [Standing; 2] {
        let mut scene = Scene::open();
        let mut chance = Chance::new(seed);
        scene.found.slices = Slices::new(Some(10_000 * MILLISECOND));
        for at in 0..10_000 {
            let mean = mean_ms(at as f64 / 1000.0) * MILLISECOND as f64;
            scene.found.slices.record(at * MILLISECOND, chance.exponential(mean) as u64);
        }
        [trend, warm_up].map(|check| check(&scene.plan, &scene.found).expect("a check").standing)
    }

    #[test]
    fn a_steady_run_hardly_ever_drifts() {
        let flagged = (0..50).filter(|&seed| standings(seed, |_| 2.0) != [Standing::Valid; 2]);
        assert!(flagged.count() <= 2);
    }

    #[test]
    fn a_queue_that_grows_is_seen_each_time() {
        for seed in 0..20 {
            let both = standings(seed, |second| 2.0 + second);
            assert_eq!(both, [Standing::Suspect, Standing::Valid], "and it is no warm-up");
        }
    }

    #[test]
    fn a_cold_beginning_is_seen_each_time() {
        for seed in 0..20 {
            let [_, beginning] = standings(seed, |second| if second < 2.0 { 4.0 } else { 2.0 });
            assert_eq!(beginning, Standing::Suspect);
        }
    }

    #[test]
    fn a_change_of_some_microseconds_does_not_matter() {
        for seed in 0..20 {
            let both = standings(seed, |second| if second < 2.0 { 0.08 } else { 0.05 });
            assert_eq!(both, [Standing::Valid; 2]);
        }
    }

    #[test]
    fn a_small_change_does_not_matter() {
        for seed in 0..20 {
            assert_eq!(standings(seed, |second| 2.0 + 0.02 * second), [Standing::Valid; 2]);
        }
    }

    #[test]
    fn what_is_answered_while_draining_is_no_drift() {
        let mut scene = Scene::closed();
        for at in 10_500..30_000 {
            scene.found.slices.record(at * MILLISECOND, 20 * MILLISECOND);
        }
        let standings = [trend, warm_up]
            .map(|check| check(&scene.plan, &scene.found).expect("a check").standing);
        assert_eq!(standings, [Standing::Valid; 2]);
    }

    #[test]
    fn a_ramp_may_change() {
        let scene = Scene::open_as("-R 1000 --arrivals ramp:10");
        assert_eq!(trend(&scene.plan, &scene.found), None);
        assert_eq!(warm_up(&scene.plan, &scene.found), None);
    }
}
