//! Descriptors: how many a run needs, and whether the host lets it have them.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::failure::Failure;
use crate::plan::Plan;

/// Descriptors besides the connections and one epoll instance a thread: the three standard streams,
/// and what reading /proc and writing the results takes at any one time.
const BESIDES: u64 = 9;

/// Raises the limit on open descriptors as far as the plan needs, and not further.
///
/// # Errors
/// If the hard limit is lower and may not be raised.
pub fn admit(plan: &Plan) -> Result<(), Failure> {
    let need = descriptors(plan);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| Failure::Unfit(format!("the limit on descriptors: {error}")))?;
    if need <= soft {
        return Ok(());
    }
    // Beyond the hard limit this takes CAP_SYS_RESOURCE, and ends at fs.nr_open (getrlimit(2)).
    setrlimit(Resource::RLIMIT_NOFILE, need, hard.max(need))
        .map_err(|error| Failure::Unfit(refusal(plan, need, hard, error)))
}

/// How many descriptors a plan needs.
#[must_use]
pub fn descriptors(plan: &Plan) -> u64 {
    (plan.connections + plan.idle + plan.threads) as u64 + BESIDES
}

fn refusal(plan: &Plan, need: u64, hard: u64, error: Errno) -> String {
    let idle = if plan.idle > 0 { format!(" --idle {}", plan.idle) } else { String::new() };
    format!(
        "--connections {}{idle} needs {need} descriptors; the hard limit is {hard} \
         (raise it with: prlimit --pid $$ --nofile={need}:{need}, as root; {error})",
        plan.connections
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan_of;

    #[test]
    fn counts_connections_threads_and_a_few_more() {
        let line = "--target tcp://127.0.0.1:7 --connections 40000 --idle 5 --threads 2";
        assert_eq!(descriptors(&plan_of(line).expect("a plan")), 40_016);
    }

    #[test]
    fn a_refusal_names_both_numbers_and_the_way_out() {
        let plan = plan_of("--target tcp://127.0.0.1:7 --connections 40000").expect("a plan");
        let text = refusal(&plan, descriptors(&plan), 20_000, Errno::EPERM);
        let start = "--connections 40000 needs 40010 descriptors; the hard limit is 20000 (raise";
        assert!(text.starts_with(start), "{text}");
    }
}
