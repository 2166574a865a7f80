//! A trial never fails: whatever goes wrong becomes a row.

mod support;

use bench_harness::experiment::{App, Trial};
use bench_harness::launch::fake::{Act, Script};
use bench_harness::launch::pinning::Pinning;
use bench_harness::launch::{Backend, Counters};
use bench_harness::record::{Limit, Outcome, Row};
use bench_harness::runner::{Setting, run_trial};
use loadgen::report::{Errors, Summary};
use loadgen::verdict::Standing;
use support::{open_loop, setting, summary, trial, usage, verdict};

/// Plays one act against one model, and makes sure that the server was stopped.
fn play(model: &str, clients: u64, act: Act) -> Row {
    let started = !matches!(act, Act::NoStart(_));
    let mut script = Script::new([act]);
    let row = run_trial(&trial(model, clients), &setting(), &mut script).row;
    assert_eq!(*script.stopped.borrow(), usize::from(started), "a server was left behind");
    assert_eq!((row.model.as_str(), row.connections), (model, clients));
    row
}

fn answer(summary: Summary) -> Act {
    Act::Answer(Box::new(summary), None)
}

fn failure(row: &Row) -> &str {
    assert_eq!(row.outcome, Outcome::Failed);
    row.error.as_deref().expect("a reason")
}

#[test]
fn all_goes_well() {
    let row = play("fast", 10, answer(summary(10, 40_000)));
    assert_eq!((row.outcome, row.error.as_deref()), (Outcome::Ok, None));
    assert_eq!((row.rate_per_s, row.little_ratio), (Some(40_000.0), Some(1.0)));
    assert_eq!(row.latency_p99_us, Some(750.0));
    assert_eq!(row.latency_p99_9_us, None, "a percentile that the sample is too small for");
    let cpu = row.server_user_us_per_request.unwrap() + row.server_system_us_per_request.unwrap();
    assert!((cpu - 23.75).abs() < 0.01, "0.95 s over 40,000 requests is 23.75 µs, not {cpu}");
}

#[test]
fn a_server_that_does_not_start_is_a_row() {
    let row = play("fast", 10, Act::NoStart("port taken".into()));
    assert_eq!(failure(&row), "the server did not start: port taken");
    assert_eq!(row.rate_per_s, None);
}

#[test]
fn a_server_that_dies_is_a_row_even_when_it_had_answered() {
    let row = play("fast", 10, Act::Died(Box::new(summary(10, 40_000)), "signal 11".into()));
    assert_eq!(failure(&row), "the server failed: signal 11");
}

#[test]
fn a_load_generator_that_fails_is_a_row() {
    let row = play("fast", 10, Act::NoLoad("too few descriptors".into()));
    assert_eq!(failure(&row), "the load generator failed: too few descriptors");
}

#[test]
fn output_that_is_no_summary_is_a_row() {
    for garbage in ["", "{", "[1, 2]", "Segmentation fault"] {
        let row = play("fast", 10, Act::Print(garbage.into()));
        assert!(failure(&row).starts_with("no summary from loadgen"), "{row:?}");
    }
}

#[test]
fn wrong_answers_are_no_rate() {
    let errors = Errors { mismatch: 3, ..Errors::default() };
    let row = play("fast", 10, answer(Summary { errors, ..summary(10, 40_000) }));
    assert_eq!(failure(&row), "wrong answers: mismatch 3");
}

#[test]
fn failed_requests_are_counted_and_marked() {
    let errors = Errors { timeout: 2, reset: 1, ..Errors::default() };
    let row = play("fast", 10, answer(Summary { errors, ..summary(10, 40_000) }));
    assert_eq!(row.outcome, Outcome::Errors);
    assert_eq!(row.error.as_deref(), Some("10 of 10 clients served; reset 1, timeout 2"));
}

#[test]
fn unserved_clients_are_starved_only_where_the_model_says_so() {
    let mut unserved = summary(10, 40_000);
    unserved.connections.served = 1;
    let row = play("starving", 10, answer(unserved.clone()));
    assert_eq!(
        (row.outcome, row.error.as_deref()),
        (Outcome::Starved, Some("1 of 10 clients served"))
    );
    unserved.verdict = verdict(&[("starvation", Standing::Invalid, "9 of 10 starved; look")]);
    let row = play("fast", 10, answer(unserved));
    assert_eq!(row.outcome, Outcome::Unfair);
    assert_eq!(row.error.as_deref(), Some("1 of 10 clients served; 9 of 10 starved"));
}

#[test]
fn clients_turned_away_are_refused_only_where_the_model_says_so() {
    let mut fewer = summary(10, 40_000);
    fewer.connections.served = 7;
    fewer.errors.closed = 3;
    let counters = Some(Counters { refused: 3, ..Counters::default() });
    let row = play("small", 10, Act::Answer(Box::new(fewer.clone()), counters));
    assert_eq!(row.outcome, Outcome::Refused);
    assert_eq!(row.error.as_deref(), Some("7 of 10 clients served; 3 turned away"));
    let row = play("fast", 10, Act::Answer(Box::new(fewer), counters));
    assert_eq!(row.outcome, Outcome::Errors);
}

#[test]
fn the_limit_is_the_side_whose_cpu_was_used_up() {
    let limit = |client, server| {
        let server = Some(usage(server));
        let verdict = verdict(&[("client CPU", client, "busy")]);
        let row = play("fast", 10, answer(Summary { server, verdict, ..summary(10, 40_000) }));
        assert_eq!(row.outcome, Outcome::Ok, "the rate is worth something");
        (row.limited_by, row.times_hold())
    };
    assert_eq!(limit(Standing::Valid, 950), (Some(Limit::Server), true));
    assert_eq!(limit(Standing::Suspect, 600), (Some(Limit::Client), true));
    assert_eq!(limit(Standing::Invalid, 950), (Some(Limit::Both), false));
    assert_eq!(limit(Standing::Valid, 600), (Some(Limit::Neither), true));
}

#[test]
fn what_the_load_generator_calls_invalid_is_not_ok() {
    let checks = [
        ("drift", Standing::Suspect, "1.4 times"),
        ("Little's law", Standing::Invalid, "3 where 5; report it"),
        ("sample", Standing::Valid, "enough"),
    ];
    let row = play("fast", 10, answer(Summary { verdict: verdict(&checks), ..summary(10, 9) }));
    assert_eq!((row.outcome, row.verdict), (Outcome::Invalid, Some(Standing::Invalid)));
    assert_eq!(row.error.as_deref(), Some("Little's law: 3 where 5"));
    assert_eq!(row.reasons().collect::<Vec<_>>(), ["Little's law", "drift"], "the worst first");
    let row =
        play("fast", 10, answer(Summary { verdict: verdict(&checks[..1]), ..summary(10, 9) }));
    assert_eq!((row.outcome, row.verdict), (Outcome::Ok, Some(Standing::Suspect)));
}

#[test]
fn answers_that_nobody_asked_for_are_wrong_ones() {
    let mut twice = summary(10, 40_000);
    twice.requests.unasked = 2;
    let row = play("fast", 10, answer(twice));
    assert_eq!(failure(&row), "wrong answers: 2 that nobody had asked for");
}

#[test]
fn an_overload_is_told_from_other_invalid_trials() {
    let verdict = verdict(&[("offered load", Standing::Invalid, "9 of 40; overloaded")]);
    let row = play("fast", 10, answer(Summary { verdict, ..open_loop() }));
    assert_eq!((row.outcome, row.error.as_deref()), (Outcome::Overloaded, Some("9 of 40")));
}

#[test]
fn an_open_loop_has_service_times_and_lags_and_no_law_of_a_closed_one() {
    let row = play("fast", 10, answer(open_loop()));
    assert_eq!((row.service_p50_us, row.service_p99_us), (Some(2.0), Some(6.0)));
    assert_eq!((row.lag_p99_us, row.queue_longest), (Some(9.0), Some(5)));
    assert_eq!((row.requests_unsent, row.little_ratio), (Some(7), None));
    assert_eq!(row.arrivals.as_deref(), Some("poisson"));
    assert_eq!((row.latency_p99_low_us, row.latency_p99_high_us), (Some(600.0), None));
}

#[test]
fn each_model_gets_the_same_schedule_in_a_block_and_another_in_the_next() {
    let mut script = Script::new((0..3).map(|_| answer(open_loop())));
    let mut setting = setting();
    setting.load.stamps = true;
    for (model, block) in [("fast", 1), ("slow", 1), ("fast", 2)] {
        let mut trial = Trial { block, ..trial(model, 10) };
        trial.cell.rate = Some(2_000);
        let row = run_trial(&trial, &setting, &mut script).row;
        assert_eq!(row.rate_asked_per_s, Some(2_000));
    }
    let schedules: Vec<_> = script.loaded.iter().map(|plan| plan.schedule.clone()).collect();
    assert_eq!(schedules[0], schedules[1]);
    assert_ne!(schedules[0], schedules[2]);
    assert!(script.loaded.iter().all(|plan| plan.stamps));
}

#[test]
fn a_summary_of_another_layout_is_a_row_that_says_so() {
    let row = play("fast", 10, answer(Summary { schema: 1, ..summary(10, 40_000) }));
    assert!(failure(&row).contains("a summary of schema 1"), "{row:?}");
}

#[test]
fn system_calls_are_those_the_server_counted() {
    let counters =
        Counters { answered: 100, wait_calls: 20, reads: 100, writes: 100, ..Counters::default() };
    let row = play("fast", 10, Act::Answer(Box::new(summary(10, 40_000)), Some(counters)));
    assert_eq!(row.server_calls_per_request, Some(2.2));
}

#[test]
fn workers_are_the_cpus_of_the_server_unless_a_worker_is_a_clients() {
    let mut script = Script::new([answer(summary(10, 1)), answer(summary(10, 1))]);
    for model in ["fast", "pooled"] {
        run_trial(&trial(model, 10), &setting(), &mut script);
    }
    let workers: Vec<_> = script.served.iter().map(|plan| plan.workers).collect();
    assert_eq!(workers, [Some(2), None]);
}

/// A trial of a proxy before these backends, with a summary of ten clients and that rate.
fn proxied(backends: &[Backend], rate: u64, busy_ms: u64) -> (Row, Script) {
    let mut trial = trial("fast", 10);
    trial.cell.app = App::Proxy;
    trial.cell.policy = Some("ring".into());
    let found = Summary { server: Some(usage(busy_ms)), ..summary(10, rate) };
    let mut script = Script::new([answer(found)]);
    script.backends = backends.to_vec();
    let setting = Setting { pinning: Pinning::halves(&[0, 1]), ..setting() };
    (run_trial(&trial, &setting, &mut script).row, script)
}

fn backend(answered: u64, cpu_ms: u64) -> Backend {
    Backend { answered, accepted: 3, cpu_ns: cpu_ms * 1_000_000 }
}

#[test]
fn a_proxy_is_started_before_its_backends_with_its_policy_and_its_row_says_so() {
    let (row, script) = proxied(&[backend(30_000, 150), backend(10_000, 50)], 20_000, 500);
    let behind = script.served[0].behind.as_ref().unwrap();
    assert_eq!((behind.backends, behind.policy.as_deref()), (2, Some("ring")));
    assert_eq!((behind.backend.app, behind.backend.workers), (App::Http, Some(1)));
    assert_eq!(
        (row.app.as_str(), row.policy.as_deref(), row.backends),
        ("proxy", Some("ring"), Some(2))
    );
    assert_eq!(row.answered_by_backend(), [30_000, 10_000]);
    assert_eq!(row.backend_accepted.as_deref(), Some("3; 3"));
    // 200 ms for 40,000 answers; of 20,000 a second the busier one has three quarters, at 5 µs
    // each.
    assert_eq!(row.backend_us_per_request, Some(5.0));
    assert_eq!(row.backend_busiest_cpu_share, Some(0.075));
    assert_eq!((row.outcome, row.limited_by), (Outcome::Ok, Some(Limit::Neither)));
}

#[test]
fn a_rate_that_the_backends_limit_is_not_the_proxys() {
    let (row, _) = proxied(&[backend(1_000, 95), backend(1_000, 1)], 20_000, 500);
    assert_eq!((row.outcome, row.limited_by), (Outcome::Invalid, Some(Limit::Backends)));
    assert_eq!(row.error.as_deref(), Some("the busiest backend used 95 % of the CPU it can use"));
    // Half a CPU for the load generator, on the one that the backends use too.
    let (row, _) = proxied(&[backend(1_000, 25), backend(1_000, 25)], 20_000, 500);
    let shared = "backends and load generator used 1.00 of their 1 CPUs";
    assert_eq!((row.outcome, row.error.as_deref()), (Outcome::Invalid, Some(shared)));
    let (row, _) = proxied(&[backend(1_000, 95), backend(1_000, 1)], 20_000, 950);
    assert_eq!((row.outcome, row.limited_by), (Outcome::Ok, Some(Limit::Server)));
}

#[test]
fn the_reply_to_another_request_is_a_wrong_answer() {
    let errors = Errors { mispaired: 1, ..Errors::default() };
    let row = play("fast", 10, answer(Summary { errors, ..summary(10, 40_000) }));
    assert_eq!(failure(&row), "wrong answers: mispaired 1");
}
