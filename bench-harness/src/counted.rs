//! How a trial ended in which each client had a number of requests to make, on one connection:
//! either all clients were served beside each other and had all their answers, or the trial has
//! failed.
//!
//! Nobody connects again, so a client that the server turned away is one that it had no place for,
//! and the count of them is exact. Waiting is no failure here: the clients of a server that serves
//! one after the other have all their answers in the end, and the mean response time says what it
//! cost.

use loadgen::report::{Errors, Summary};
use loadgen::verdict::{Check, Standing};
use nix::errno::Errno;

use crate::experiment::model::AtOnce;
use crate::failure::Failure;
use crate::judge::{self, Judgement, check};
use crate::launch::Counters;
use crate::record::Outcome;
use crate::report::number::grouped;

/// Judges a trial in which each client was to make `each` requests.
pub(crate) fn judge(
    summary: &Summary,
    counters: Option<Counters>,
    at_once: AtOnce,
    each: u64,
) -> Judgement {
    let counters = counters.unwrap_or_default();
    if let Some(why) = judge::wrong(summary) {
        return Judgement::failed(Failure::WrongAnswer, why);
    }
    if counters.refused > 0 {
        return refused(summary, &counters, at_once);
    }
    let asked = summary.connections.asked;
    if summary.requests.answered < asked.saturating_mul(each) {
        return incomplete(summary, &counters, each);
    }
    match summary.verdict.checks.iter().find(|check| speaks_against(check)) {
        None => Judgement::fine(),
        Some(check) => Judgement {
            outcome: Outcome::Invalid,
            failure: None,
            error: Some(format!("{}: {}", check.name, judge::words(check))),
        },
    }
}

/// Whether a check says that the numbers are wrong. A busy load generator makes a rate a lower
/// bound, and that some clients waited for others is what was measured.
fn speaks_against(check: &Check) -> bool {
    check.standing == Standing::Invalid && ![check::BUSY, check::STARVATION].contains(&&*check.name)
}

/// The server turned clients away: for the reason that most of them were given.
fn refused(summary: &Summary, counters: &Counters, at_once: AtOnce) -> Judgement {
    let told = [
        (counters.refused_number, Failure::FdSetsize),
        (counters.refused_no_mappings, Failure::Mappings),
        (counters.refused_no_thread, Failure::Threads),
        (counters.refused_no_watch, Failure::Watches),
    ];
    let most = told.into_iter().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > 0);
    let untold = if at_once.refuses() { Failure::FdSetsize } else { Failure::Refused };
    let (count, failure) = most.unwrap_or((counters.refused, untold));
    let [count, asked] = [count, summary.connections.asked].map(|n| grouped(n as f64));
    let reason = reason(failure, counters, at_once);
    Judgement {
        outcome: outcome(summary, Outcome::Refused),
        failure: Some(failure),
        error: Some(format!("refused by the model: {count} of {asked} clients {reason}")),
    }
}

/// Without any answer there are no numbers.
fn outcome(summary: &Summary, flaw: Outcome) -> Outcome {
    if summary.requests.answered == 0 { Outcome::Failed } else { flaw }
}

/// What was wrong with those clients.
fn reason(failure: Failure, counters: &Counters, at_once: AtOnce) -> String {
    match (failure, at_once) {
        (Failure::FdSetsize, AtOnce::Descriptors { limit: Some(limit) }) => {
            let limit = grouped(limit as f64);
            format!("have a descriptor number of {limit} or more (FD_SETSIZE)")
        }
        (Failure::FdSetsize, _) => "have a descriptor number that it does not hold".into(),
        (Failure::Mappings, _) => {
            "found no room for the mappings of one more thread (vm.max_map_count)".into()
        }
        (Failure::Threads, _) => {
            let errno = counters.spawn_errno.map_or(Errno::EAGAIN, Errno::from_raw);
            format!(
                "had no thread made for them ({errno}): kernel.pid_max, kernel.threads-max, \
                 RLIMIT_NPROC, pids.max or memory"
            )
        }
        (Failure::Watches, _) => {
            "were not taken by the kernel for what is waited for (fs.epoll.max_user_watches)".into()
        }
        _ => "were turned away".into(),
    }
}

/// Not every request was answered: the class of error that most of them had.
fn incomplete(summary: &Summary, counters: &Counters, each: u64) -> Judgement {
    let (asked, answered) = (summary.connections.asked, summary.requests.answered);
    let mut errors = summary.errors;
    errors.merge(&summary.errors_before);
    let failure = match kind(&errors) {
        Failure::TimeOut if counters.accepts_without_room > 0 => Failure::Descriptors,
        failure => failure,
    };
    let share = format!(
        "{} of {} requests were answered, and {} of {} clients served",
        grouped(answered as f64),
        grouped((asked * each) as f64),
        grouped(summary.connections.served as f64),
        grouped(asked as f64),
    );
    Judgement {
        outcome: outcome(summary, Outcome::Errors),
        failure: Some(failure),
        error: Some(format!("{share}; {}", judge::classes(summary))),
    }
}

fn kind(errors: &Errors) -> Failure {
    let kinds = [
        (errors.connect, Failure::Connect),
        (errors.timeout, Failure::TimeOut),
        (errors.closed + errors.reset + errors.read + errors.write, Failure::Closed),
    ];
    let most = kinds.into_iter().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > 0);
    most.map_or(Failure::Load, |(_, failure)| failure)
}
