//! A proxy with its backends as real processes: started in order, told apart, stopped, and counted.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod support;

use bench_harness::experiment::proxy::Proxy;
use bench_harness::experiment::{App, Trial};
use bench_harness::launch::pinning::Pinning;
use bench_harness::launch::process::{Binaries, Processes};
use bench_harness::record::Outcome;
use bench_harness::results::Scratch;
use bench_harness::runner::{Measurement, Setting, run_trial};
use support::{setting, trial};

/// One real trial of a proxy on epoll before three backends.
fn measured(app: App, policy: &str, seconds: u64) -> Measurement {
    let test = std::env::current_exe().unwrap();
    let binaries = Binaries::find(Some(test.ancestors().nth(2).unwrap())).unwrap();
    let mut setting = Setting {
        pinning: Pinning::of_this_host().unwrap().with_backends(),
        models: binaries.models().unwrap(),
        proxy: Proxy { backends: 3.try_into().unwrap(), ..Proxy::default() },
        ..setting()
    };
    setting.load.measure = std::time::Duration::from_secs(seconds);
    setting.load.cpu_samples = true;
    let mut trial: Trial = trial("epoll-level", 6);
    trial.cell.app = app;
    trial.cell.policy = Some(policy.into());
    trial.cell.rate = Some(300);
    let scratch = Scratch::new().unwrap();
    let mut launcher = Processes::new(binaries, setting.pinning.clone(), scratch.path());
    run_trial(&trial, &setting, &mut launcher)
}

#[test]
fn round_robin_over_requests_is_even_and_every_process_has_its_samples() {
    let found = measured(App::Proxy, "round-robin", 3);
    let row = &found.row;
    assert_ne!(row.outcome, Outcome::Failed, "{:?}", row.error);
    let answered = row.answered_by_backend();
    let (least, most) = (answered.iter().min().unwrap(), answered.iter().max().unwrap());
    assert_eq!(answered.len(), 3);
    assert!(*least > 100 && most - least <= 1, "{answered:?}");
    // The proxy answered what its backends did, over its life.
    assert_eq!(row.server_answered, Some(answered.iter().sum()));
    assert!(row.backend_us_per_request.unwrap() > 0.0);
    for process in ["server", "loadgen", "host", "backend-1", "backend-2", "backend-3"] {
        assert!(found.samples.iter().any(|one| one.process == process), "no sample of {process}");
    }
}

#[test]
fn a_hash_of_the_address_sends_one_client_to_one_backend() {
    let answered = measured(App::Proxy, "ip-hash", 1).row.answered_by_backend();
    assert_eq!(answered.iter().filter(|count| **count > 0).count(), 1, "{answered:?}");
}

#[test]
fn a_relay_chooses_for_each_connection() {
    let row = measured(App::Relay, "round-robin", 1).row;
    assert_ne!(row.outcome, Outcome::Failed, "{:?}", row.error);
    assert_eq!(row.backend_accepted.as_deref(), Some("2; 2; 2"));
    assert!(row.answered_by_backend().iter().all(|count| *count > 0), "{row:?}");
}
