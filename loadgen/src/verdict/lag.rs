//! How late requests were sent: in the open loop, or after a think time.
//!
//! A response time counts from when its request was to be sent, so whatever the generator is late
//! is charged to the server. That does no harm as long as it is little of the response time. There
//! are two ways for it to be too much: most requests are late, and the median is wrong; or a few
//! are very late, and are the tail. What is less than [`PUNCTUAL_NS`] is a timer's doing and
//! passes.

use super::words::time;
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Load, Plan};
use crate::recorder::Times;

/// A sleeping thread on an idle CPU is woken up within this time nearly always.
const PUNCTUAL_NS: f64 = 100_000.0;

/// The part of the median response time that the median lag may be.
const OF_MEDIAN: f64 = 0.1;

/// From this part on, the median is as much the generator's as the server's.
const MOST_OF_MEDIAN: f64 = 0.5;

/// The part of the p99 of the response times that the p99 of the lag may be. The two need not fall
/// on the same requests, so more is allowed than for the median.
const OF_TAIL: f64 = 0.25;

pub(super) fn check(plan: &Plan, found: &Found) -> Option<Check> {
    let (lag, response) = (quantiles(&found.recorder.lag)?, quantiles(&found.recorder.latency)?);
    let standing = median(lag.0, response.0).max(tail(lag.1, response.1));
    let reason = format!(
        "requests left {} late at p50 and {} at p99, where response times are {} and {}{}; bounds \
         are {} and 10 % of the p50, 25 % of the p99",
        time(lag.0),
        time(lag.1),
        time(response.0),
        time(response.1),
        pace(plan),
        time(PUNCTUAL_NS)
    );
    let hint = "response times contain that lag: read the service times, and give the generator a \
                CPU of its own (--cpus), --spin, or more --threads";
    Some(Check::new("send lag", standing, reason).hint(hint))
}

/// How often a request is due, if a schedule says it.
fn pace(plan: &Plan) -> String {
    match &plan.load {
        Load::Open(schedule) => format!(" and one is due every {}", time(1e9 / schedule.rate)),
        Load::Closed(_) => String::new(),
    }
}

fn median(lag: f64, response: f64) -> Standing {
    let part = |part: f64| (part * response).max(PUNCTUAL_NS);
    Standing::of(lag, part(OF_MEDIAN), part(MOST_OF_MEDIAN))
}

fn tail(lag: f64, response: f64) -> Standing {
    Standing::suspect_if(lag > (OF_TAIL * response).max(PUNCTUAL_NS))
}

/// The median and the p99 in nanoseconds, if there are any.
fn quantiles(times: &Times) -> Option<(f64, f64)> {
    let histogram = times.histogram();
    let at = |quantile| histogram.value_at_quantile(quantile) as f64;
    (!histogram.is_empty()).then(|| (at(0.5), at(0.99)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::{MILLISECOND, Scene};

    /// Responses of 1 ms to 3 ms, to which a lag was added.
    fn standing(lag_ns: impl Fn(u64) -> u64) -> Standing {
        let mut scene = Scene::open();
        scene.found.recorder.lag.reset();
        scene.found.recorder.latency.reset();
        for index in 0..1000 {
            let lag = lag_ns(index);
            scene.found.recorder.lag.record(lag);
            scene.found.recorder.latency.record((1 + index % 3) * MILLISECOND + lag);
        }
        check(&scene.plan, &scene.found).expect("a lag").standing
    }

    #[test]
    fn a_timers_lag_passes() {
        assert_eq!(standing(|index| 10_000 + index * 80), Standing::Valid);
    }

    #[test]
    fn a_lag_that_shows_in_the_median_is_flagged_and_one_that_makes_it_is_worse() {
        assert_eq!(standing(|_| 300_000), Standing::Suspect);
        assert_eq!(standing(|_| 5 * MILLISECOND), Standing::Invalid);
    }

    #[test]
    fn a_lag_that_makes_the_tail_is_flagged() {
        let tail = |lag| standing(move |index| if index % 50 == 0 { lag } else { 10_000 });
        assert_eq!(tail(4 * MILLISECOND), Standing::Suspect);
        assert_eq!(tail(200_000), Standing::Valid);
    }

    #[test]
    fn there_is_none_where_nothing_is_planned_or_sent() {
        let mut scene = Scene::closed();
        assert_eq!(check(&scene.plan, &scene.found), None);
        scene.found.recorder.lag.record(5 * MILLISECOND);
        let check_of_think = check(&scene.plan, &scene.found).expect("a lag");
        assert_eq!(check_of_think.standing, Standing::Invalid, "after a think time");
        assert_eq!(check(&Scene::open().plan, &Scene::nothing()), None);
    }
}
