//! Whether requests were sent with the gaps that were asked for, in the open loop.
//!
//! Poisson arrivals that leave in clumps are not Poisson arrivals: the server sees bursts, and its
//! queues are longer than those of the schedule. Where the gaps have a law, those found are
//! compared with it. A test on a hundred thousand of them sees deviations that matter to nobody, so
//! it has to be both: improbable, and large.
//!
//! Where they have none (equal gaps, bursts, a ramp, a trace), the found and the planned ones are
//! paired by size, the shortest with the shortest, and most of the time has to be in pairs that are
//! alike. Time and not number, since nearly all gaps of bursts are 0 and are met by any clump.

use super::words::{chance, percent, time};
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Load, Plan};
use crate::schedule::{GapLaw, Lane, Schedule};
use crate::statistics::kolmogorov_smirnov;

/// Fewer gaps than this say little about their law.
const ENOUGH: usize = 100;

/// A distance to the law that is less probable than this is no chance,
const IMPROBABLE: f64 = 0.01;

/// and one that is larger than this matters: in some range of lengths there are a tenth of all gaps
/// too many or too few.
const FAR: f64 = 0.1;

/// A gap is like the planned one if it differs by no more than this part of it,
const ALIKE: f64 = 0.5;

/// or by what two sends of a sleeping thread may be late.
const WAKE_UP_NS: f64 = 50_000.0;

/// The part of the time between sends that has to be in such gaps.
const MOST: f64 = 0.9;

const HINT: &str = "requests leave in clumps: the bursts are the generator's and not the \
                    schedule's, as one thread can't send faster than it can send; use more \
                    --threads or --spin, or a lower rate";

pub(super) fn check(plan: &Plan, found: &Found) -> Option<Check> {
    let Load::Open(schedule) = &plan.load else { return None };
    // One agent among several sends a part of the schedule, and only all of them together its gaps.
    if plan.seat.size > 1 {
        return None;
    }
    let gaps: Vec<_> =
        found.sends.windows(2).map(|two| two[1].saturating_sub(two[0]) as f64).collect();
    if gaps.len() < ENOUGH {
        return None;
    }
    let check = match schedule.gaps() {
        Some(law) => with_law(&gaps, law),
        None => with_plan(gaps, schedule)?,
    };
    Some(check.hint(HINT))
}

fn with_law(gaps: &[f64], law: GapLaw) -> Check {
    let fit = kolmogorov_smirnov(gaps, |gap| law.cdf(gap));
    let off = fit.p < IMPROBABLE && fit.distance > FAR;
    let reason = format!(
        "{} gaps between sends are D = {:.3} from the law of the schedule ({} by the test of \
         Kolmogorov and Smirnov; bounds {FAR} and {IMPROBABLE}); the mean is {}",
        gaps.len(),
        fit.distance,
        chance(fit.p),
        time(gaps.iter().sum::<f64>() / gaps.len() as f64)
    );
    Check::new("gaps", Standing::suspect_if(off), reason)
}

fn with_plan(mut gaps: Vec<f64>, schedule: &Schedule) -> Option<Check> {
    let mut planned = planned(schedule, gaps.len());
    planned.sort_unstable_by(f64::total_cmp);
    gaps.sort_unstable_by(f64::total_cmp);
    let pairs = gaps.iter().zip(&planned);
    let alike = pairs.filter(|&(gap, plan)| (gap - plan).abs() <= (ALIKE * plan).max(WAKE_UP_NS));
    let share = alike.map(|(_, plan)| plan).sum::<f64>() / planned.iter().sum::<f64>().max(1.0);
    let reason = format!(
        "of {} gaps between sends, those that are as planned, to within half of it or {}, make up \
         {} of the time (bound {})",
        gaps.len(),
        time(WAKE_UP_NS),
        percent(share),
        percent(MOST)
    );
    let check = Check::new("gaps", Standing::suspect_if(share < MOST), reason);
    (planned.len() == gaps.len()).then_some(check)
}

/// The first gaps of the measuring phase, as the schedule has them.
fn planned(schedule: &Schedule, count: usize) -> Vec<f64> {
    let lead = u64::try_from(schedule.lead.as_nanos()).unwrap_or(u64::MAX);
    let all = schedule.arrivals(Lane { index: 0, of: 1 });
    let measured = all.skip_while(|&at| at < lead).take(count + 1);
    let times: Vec<_> = measured.collect();
    times.windows(2).map(|two| two[1].saturating_sub(two[0]) as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;
    use crate::verdict::scene::{MILLISECOND, Scene};

    /// The sends of a schedule of 1,000 requests a second, each at the time that is given for it.
    fn checked(arrivals: &str, mut send: impl FnMut(u64) -> u64) -> Check {
        let mut scene = Scene::open_as(&format!("-R 1000 --arrivals {arrivals} --warm-up 0s"));
        let Load::Open(schedule) = &scene.plan.load else { panic!("an open loop") };
        let planned = schedule.arrivals(Lane { index: 0, of: 1 }).take(5000);
        scene.found.sends = planned.map(&mut send).collect();
        scene.found.sends.sort_unstable();
        check(&scene.plan, &scene.found).expect("enough gaps")
    }

    /// A timer of this grain, which is what makes clumps.
    fn grained(grain: u64) -> impl FnMut(u64) -> u64 {
        move |at| at.next_multiple_of(grain)
    }

    const PATTERNS: [&str; 5] = ["poisson", "pareto:2.5", "constant", "bursts:10", "ramp:100"];

    #[test]
    fn sends_that_are_a_few_microseconds_late_pass() {
        for pattern in PATTERNS {
            let mut chance = Chance::new(9);
            let late = checked(pattern, |at| at + chance.exponential(20_000.0) as u64);
            assert_eq!(late.standing, Standing::Valid, "{pattern}: {}", late.reason);
        }
    }

    #[test]
    fn a_coarse_timer_is_seen() {
        for pattern in PATTERNS {
            let clumps = checked(pattern, grained(40 * MILLISECOND));
            assert_eq!(clumps.standing, Standing::Suspect, "{pattern}: {}", clumps.reason);
            assert!(clumps.reason.contains("--threads"), "{}", clumps.reason);
        }
    }

    /// A third of the gaps of a Poisson process are shorter than 0.4 of the mean: a thread that
    /// needs so long for a send can't make them.
    #[test]
    fn a_thread_that_sends_too_slowly_for_the_rate_is_seen() {
        let mut last = 0;
        let slow = checked("poisson", |at| {
            last = at.max(last + MILLISECOND * 2 / 5);
            last
        });
        assert_eq!(slow.standing, Standing::Suspect, "{}", slow.reason);
    }

    #[test]
    fn another_law_is_seen() {
        let mut clock = 0;
        let even = checked("poisson", |_| {
            clock += MILLISECOND;
            clock
        });
        assert_eq!(even.standing, Standing::Suspect, "{}", even.reason);
    }

    #[test]
    fn a_few_gaps_and_a_closed_loop_say_nothing() {
        let mut scene = Scene::open();
        scene.found.sends.truncate(ENOUGH);
        assert_eq!(check(&scene.plan, &scene.found), None);
        assert_eq!(check(&Scene::closed().plan, &Scene::open().found), None);
    }
}
