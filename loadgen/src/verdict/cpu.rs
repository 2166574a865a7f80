//! Whether the load generator had CPU enough.
//!
//! A thread that is always busy has answers waiting in its sockets while it deals with others: what
//! is measured then is the generator. Spinning on purpose is not work. Time for which it was ready
//! to run but had no CPU, because another program had it, counts like work: the thread could not
//! have done more in it.

use std::num::NonZeroUsize;
use std::thread;

use super::words::{percent, time};
use super::{Check, Standing};
use crate::engine::Found;
use crate::plan::{Load, Plan};
use crate::report::ThreadUse;

/// Busy for more than this part of the time: queues at the generator begin to show.
const BUSY: f64 = 0.90;

/// Busy for more than this part: nothing but waiting for others is left, and the rate of a closed
/// loop is what the generator can do. In the open loop it isn't worse than [`BUSY`], for there the
/// send lag measures the effect itself.
const FULL: f64 = 0.97;

/// Without a CPU for more than this part of the time.
const DELAYED: f64 = 0.05;

/// Without a CPU for so long that little of what was measured is not about that.
const STARVED: f64 = 0.20;

/// Or, where a request is rare: without one for this part of the mean response time per answer,
const OF_RESPONSE: f64 = 0.1;

/// if that is more than waking up takes on an idle CPU.
const WAKE_UP_NS: f64 = 50_000.0;

pub(super) fn busy(plan: &Plan, found: &Found) -> Option<Check> {
    let work = |used: &ThreadUse| used.cpu_ns.saturating_sub(used.spun_ns) + used.delayed_ns;
    let (thread, share) = worst(found, work)?;
    let invalid = if matches!(plan.load, Load::Open(_)) { f64::INFINITY } else { FULL };
    let reason = format!(
        "thread {thread} was busy, or waited for a CPU, {} of the time, more than any other (bound \
         {})",
        percent(share),
        percent(BUSY)
    );
    let hint = "the server may be able to do more, and answers waited to be read: use more \
                --threads, or CPUs that the server doesn't use (--cpus)";
    Some(Check::new("client CPU", Standing::of(share, BUSY, invalid), reason).hint(hint))
}

pub(super) fn delayed(plan: &Plan, found: &Found) -> Option<Check> {
    let (thread, share) = worst(found, |used| used.delayed_ns)?;
    let all = found.threads.iter().map(|used| used.delayed_ns).sum::<u64>() as f64;
    let each = all / found.answers.max(1) as f64;
    let mean = found.recorder.latency.histogram().mean();
    let rare = Standing::suspect_if(each > WAKE_UP_NS && each > OF_RESPONSE * mean);
    let reason = format!(
        "thread {thread} was ready to run but had no CPU for {} of the time (bound {}), and all \
         threads for {} an answer",
        percent(share),
        percent(DELAYED),
        time(each)
    );
    let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let hint = if plan.threads > cpus {
        "there are more threads than CPUs, so they waited for each other, and that is in the \
         response times: use fewer, or read only what does not depend on time"
    } else {
        "another program took the generator's CPU, and its turns are in the response times: stop \
         it, or keep it apart (--cpus)"
    };
    let standing = Standing::of(share, DELAYED, STARVED).max(rare);
    Some(Check::new("CPU delay", standing, reason).hint(hint))
}

/// The thread for which that is the largest part of the measuring phase, and the part.
fn worst(found: &Found, part: impl Fn(&ThreadUse) -> u64) -> Option<(usize, f64)> {
    let parts = found.threads.iter().map(part).enumerate();
    let (thread, worst) = parts.max_by_key(|&(_, nanos)| nanos)?;
    (found.elapsed_ns > 0).then(|| (thread, worst as f64 / found.elapsed_ns as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::scene::{MILLISECOND, Scene};

    /// The standings of both checks, for parts of the time in percent.
    fn standings(mut scene: Scene, [cpu, spun, delayed]: [u64; 3]) -> [Standing; 2] {
        let part = |percent| scene.found.elapsed_ns / 100 * percent;
        let used = ThreadUse { cpu_ns: part(cpu), spun_ns: part(spun), delayed_ns: part(delayed) };
        let idle = ThreadUse { cpu_ns: part(1), ..ThreadUse::default() };
        scene.found.threads = vec![idle, used, idle];
        [busy, delayed_check].map(|check| check(&scene.plan, &scene.found).expect("one").standing)
    }

    use super::delayed as delayed_check;

    #[test]
    fn a_thread_with_time_left_passes_and_spinning_is_no_work() {
        use Standing::Valid;
        assert_eq!(standings(Scene::closed(), [85, 0, 2]), [Valid, Valid]);
        assert_eq!(standings(Scene::closed(), [99, 60, 1]), [Valid, Valid]);
    }

    #[test]
    fn one_busy_thread_is_enough() {
        use Standing::{Invalid, Suspect, Valid};
        assert_eq!(standings(Scene::closed(), [93, 0, 0]), [Suspect, Valid]);
        assert_eq!(standings(Scene::closed(), [99, 0, 0]), [Invalid, Valid]);
        assert_eq!(standings(Scene::open(), [99, 0, 0]), [Suspect, Valid]);
    }

    #[test]
    fn a_program_that_spins_on_the_same_cpu_is_seen() {
        use Standing::{Invalid, Suspect, Valid};
        assert_eq!(standings(Scene::closed(), [50, 0, 50]), [Invalid, Invalid]);
        assert_eq!(standings(Scene::open(), [30, 0, 10]), [Valid, Suspect]);
    }

    #[test]
    fn a_delay_counts_where_requests_are_rare_too() {
        let mut scene = Scene::open();
        // 200 µs an answer, where a response takes 2 ms: 0.2 % of the time, at ten a second.
        scene.found.answers = scene.found.elapsed_ns / (100 * MILLISECOND);
        let delayed_ns = scene.found.answers * 250_000;
        scene.found.threads = vec![ThreadUse { delayed_ns, ..ThreadUse::default() }];
        let check = delayed(&scene.plan, &scene.found).expect("one");
        assert_eq!(check.standing, Standing::Suspect, "{}", check.reason);
        scene.found.threads[0].delayed_ns /= 10;
        let check = delayed(&scene.plan, &scene.found).expect("one");
        assert_eq!(check.standing, Standing::Valid, "{}", check.reason);
    }

    #[test]
    fn nothing_is_said_without_threads_or_time() {
        let plan = Scene::closed().plan;
        assert_eq!(busy(&plan, &Scene::nothing()), None);
        assert_eq!(delayed(&plan, &Scene::nothing()), None);
    }
}
