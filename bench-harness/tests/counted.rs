//! Trials with a number of requests for each client: all of them are answered, or it is said, in a
//! word and in words, why not.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod support;

use bench_harness::failure::Failure;
use bench_harness::launch::Counters;
use bench_harness::launch::fake::{Act, Script};
use bench_harness::record::{Outcome, Row};
use bench_harness::runner::{Setting, run_trial};
use loadgen::report::{Errors, Summary};
use loadgen::verdict::Standing;
use support::{setting, summary, trial, verdict};

/// Each client makes a hundred requests.
fn counted() -> Setting {
    let mut setting = setting();
    setting.load.count = 100.try_into().ok();
    setting.load.sessions = true;
    setting
}

fn play(model: &str, clients: u64, act: Act) -> Row {
    run_trial(&trial(model, clients), &counted(), &mut Script::new([act])).row
}

/// A trial in which so many clients had all their answers.
fn served(clients: u64, served: u64) -> Summary {
    let mut found = summary(clients, 100 * served);
    found.connections.served = served;
    found
}

fn refused(summary: Summary, counters: Counters) -> Act {
    Act::Answer(Box::new(summary), Some(counters))
}

fn said(row: &Row) -> (Outcome, Option<Failure>, &str) {
    (row.outcome, row.failure, row.error.as_deref().unwrap_or(""))
}

#[test]
fn it_has_passed_when_every_request_was_answered() {
    let row = play("fast", 50, Act::Answer(Box::new(served(50, 50)), None));
    assert_eq!(said(&row), (Outcome::Ok, None, ""));
    assert_eq!((row.requests_each, row.requests_answered), (Some(100), Some(5_000)));
}

#[test]
fn waiting_for_others_is_no_failure_and_wrong_books_are_invalid() {
    let with = |name| {
        let verdict = verdict(&[(name, Standing::Invalid, "so much; look")]);
        play("fast", 50, Act::Answer(Box::new(Summary { verdict, ..served(50, 50) }), None))
    };
    assert_eq!(said(&with("starvation")), (Outcome::Ok, None, ""));
    assert_eq!(said(&with("client CPU")), (Outcome::Ok, None, ""));
    assert_eq!(said(&with("Little's law")), (Outcome::Invalid, None, "Little's law: so much"));
}

#[test]
fn a_descriptor_that_select_does_not_hold_is_told_by_its_number() {
    let counters = Counters { refused: 986, refused_number: 986, ..Counters::default() };
    let words = "refused by the model: 986 of 2,000 clients have a descriptor number of 1,024 or \
                 more (FD_SETSIZE)";
    let row = play("small", 2_000, refused(served(2_000, 1_014), counters));
    assert_eq!(said(&row), (Outcome::Refused, Some(Failure::FdSetsize), words));
    // A server that does not say why has a model that does.
    let silent = Counters { refused: 986, ..Counters::default() };
    let row = play("small", 2_000, refused(served(2_000, 1_014), silent));
    assert_eq!(said(&row), (Outcome::Refused, Some(Failure::FdSetsize), words));
}

#[test]
fn a_missing_thread_is_told_from_missing_mappings() {
    let no_thread =
        Counters { refused: 3, refused_no_thread: 3, spawn_errno: Some(11), ..Counters::default() };
    let row = play("fast", 9, refused(served(9, 6), no_thread));
    assert_eq!((row.outcome, row.failure), (Outcome::Refused, Some(Failure::Threads)));
    let words = row.error.unwrap();
    assert!(words.starts_with("refused by the model: 3 of 9 clients had no thread"), "{words}");
    assert!(words.contains("EAGAIN") && words.contains("kernel.pid_max"), "{words}");
    let mappings = Counters { refused: 3, refused_no_mappings: 3, ..Counters::default() };
    let row = play("fast", 9, refused(served(9, 6), mappings));
    assert_eq!(row.failure, Some(Failure::Mappings));
    assert!(row.error.unwrap().contains("vm.max_map_count"));
}

#[test]
fn when_nobody_is_served_there_is_no_number() {
    let counters = Counters { refused: 9, refused_no_thread: 9, ..Counters::default() };
    let mut nothing = served(9, 6);
    (nothing.requests.answered, nothing.connections.served) = (0, 0);
    let row = play("fast", 9, refused(nothing, counters));
    assert_eq!((row.outcome, row.failure), (Outcome::Failed, Some(Failure::Threads)));
}

#[test]
fn requests_without_an_answer_are_told_by_their_class() {
    let failed = |errors| {
        let mut short = served(10, 7);
        short.errors = errors;
        short
    };
    let cases = [
        (Errors { timeout: 3, closed: 1, ..Errors::default() }, Failure::TimeOut),
        (Errors { connect: 3, ..Errors::default() }, Failure::Connect),
        (Errors { reset: 2, closed: 1, ..Errors::default() }, Failure::Closed),
    ];
    for (errors, failure) in cases {
        let row = play("fast", 10, Act::Answer(Box::new(failed(errors)), None));
        assert_eq!((row.outcome, row.failure), (Outcome::Errors, Some(failure)));
        let words = row.error.unwrap();
        assert!(words.starts_with("700 of 1,000 requests were answered, and 7 of 10"), "{words}");
    }
    let full = Counters { accepts_without_room: 5, ..Counters::default() };
    let waited = failed(Errors { timeout: 3, ..Errors::default() });
    assert_eq!(play("fast", 10, refused(waited, full)).failure, Some(Failure::Descriptors));
}

#[test]
fn a_server_or_a_load_generator_that_fails_is_told_apart() {
    let act = Act::NoStart("no room for 35000 threads".into());
    let row = play("fast", 10, act);
    assert_eq!(row.failure, Some(Failure::Start));
    assert!(row.error.unwrap().contains("35000 threads"));
    let row = play("fast", 10, Act::Died(Box::new(served(10, 10)), "signal 6".into()));
    assert_eq!((row.outcome, row.failure), (Outcome::Failed, Some(Failure::Died)));
    let row = play("fast", 10, Act::NoLoad("took too long".into()));
    assert_eq!((row.outcome, row.failure), (Outcome::Failed, Some(Failure::Load)));
}

#[test]
fn a_wrong_answer_is_a_failure_whatever_else_there_is() {
    let errors = Errors { mismatch: 1, ..Errors::default() };
    let row = play("fast", 10, Act::Answer(Box::new(Summary { errors, ..served(10, 10) }), None));
    assert_eq!((row.outcome, row.failure), (Outcome::Failed, Some(Failure::WrongAnswer)));
}

#[test]
fn the_sessions_of_the_first_repeat_are_kept_in_a_folder_of_the_model() {
    let answer = || Act::Answer(Box::new(served(50, 50)), None);
    let mut script = Script::new([answer(), answer()]);
    let first = trial("fast", 50);
    let second = bench_harness::experiment::Trial { block: 2, ..first.clone() };
    for trial in [first, second] {
        run_trial(&trial, &counted(), &mut script);
    }
    let sessions: Vec<_> =
        script.loaded.into_iter().map(|plan| plan.count.unwrap().sessions).collect();
    assert_eq!(sessions, [Some("sessions/fast/client data - 50.csv".into()), None]);
}

#[test]
fn tables_are_asked_for_only_where_one_is_too_small() {
    let plans = |model, clients| {
        let answer = Act::Answer(Box::new(served(clients, clients)), None);
        let mut script = Script::new([answer]);
        run_trial(&trial(model, clients), &counted(), &mut script);
        script.served.remove(0).options
    };
    assert!(plans("fast", 10_000).is_empty());
    assert_eq!(plans("fast", 100_000), ["--tables", "7"]);
    assert!(plans("small", 100_000).is_empty(), "it is to show its own bound");
}
