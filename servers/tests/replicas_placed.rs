//! Which replica answers what, as operators see it.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;

use std::process::Command;

use balancer::{Balancer, SERVERS, eventually, lives};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

const THREE: [&str; 3] = ["Server-1", "Server-2", "Server-3"];

#[test]
fn operators_see_what_has_happened_to_each_replica() {
    let flags = ["--admin", "127.0.0.1:0", "--heartbeat-interval", "100ms", "--failures", "100000"];
    let balancer = Balancer::start(&flags);
    let first = balancer.stats_of("Server-2");
    let pid = balancer.pid_of("Server-2");
    assert_eq!((&first["server_id"], &first["pid"]), (&json!(2), &json!(pid.as_raw())));
    assert_eq!((&first["in_service"], &first["respawns"]), (&json!(true), &json!(0)));
    assert_eq!(first["out_of_service_ms"], 0);

    kill(pid, Signal::SIGKILL).unwrap();
    eventually("it is back", || balancer.stats_of("Server-2")["respawns"] == 1);
    let second = balancer.stats_of("Server-2");
    assert_eq!((&second["server_id"], &second["in_service"]), (&json!(4), &json!(true)));
    assert_eq!(second["pid"], balancer.pid_of("Server-2").as_raw());

    let frozen = balancer.pid_of("Server-1");
    kill(frozen, Signal::SIGSTOP).unwrap();
    eventually("it misses", || balancer.stats_of("Server-1")["missed_heartbeats"] != 0);
    kill(frozen, Signal::SIGCONT).unwrap();

    let metrics = balancer.figures("/metrics");
    for line in [
        "servers_replica_up{replica=\"Server-2\"} 1",
        "servers_replica_respawns_total{replica=\"Server-2\"} 1",
        "servers_replica_missed_heartbeats_total{replica=\"Server-3\"} 0",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line}\n{metrics}");
    }
}

/// Paths that replicas answer, with the replicas in the order in which `servers place` says that
/// they take each one over.
fn successors(flags: &[&str]) -> Vec<(String, Vec<String>)> {
    let paths = (0..40).map(|number| format!("/bytes/{number}")).collect::<Vec<_>>();
    let output = Command::new(SERVERS)
        .args(["place", "--show", "successors", "--nodes", "3", "--format", "json"])
        .args(["--methods", "ring-modified", "--of", &paths.join(",")])
        .args(flags)
        .output()
        .unwrap();
    let rows = serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap();
    let order =
        |row: &Value| row["successors"].as_str().unwrap().split(' ').map(String::from).collect();
    paths.into_iter().zip(rows.iter().map(order)).collect()
}

/// The replica that answers a request for `path`.
fn answerer(balancer: &Balancer, path: &str) -> String {
    let answered = || {
        let answered = |name| balancer.stats_of(name)["backend"]["outcomes"]["answered"].as_u64();
        THREE.map(|name| answered(name).unwrap_or(0))
    };
    let before = answered();
    assert_eq!(balancer.get(path).0, 200, "{path}");
    let after = answered();
    let by = (0..3).filter(|place| after[*place] > before[*place]).collect::<Vec<_>>();
    assert_eq!(by.len(), 1, "{path}: {before:?}, {after:?}");
    THREE[by[0]].to_owned()
}

const BY_PATH: [&str; 6] = ["--admin", "127.0.0.1:0", "--key", "path", "--path", "/bytes/"];

#[test]
fn a_path_keeps_its_replica_and_its_successor_answers_while_that_is_out() {
    let eager = ["--pause", "1ms", "--pause-max", "50ms", "--starts", "60000"];
    let balancer = Balancer::start_moody(&[&BY_PATH[..], &eager].concat());
    let orders = successors(&[]);
    for (path, order) in orders.iter().chain(&orders) {
        assert_eq!(&answerer(&balancer, path), &order[0], "{path}");
    }
    let victim = balancer.pid_of("Server-2");
    balancer.set_mood("broken");
    kill(victim, Signal::SIGKILL).unwrap();
    eventually("it is dead", || !lives(victim));
    // At once: whoever finds it dead goes on to the next.
    for (path, order) in &orders {
        let expected = order.iter().find(|name| *name != "Server-2").unwrap();
        assert_eq!(&answerer(&balancer, path), expected, "{path}");
    }
    assert!(orders.iter().any(|(_, order)| order[0] == "Server-2"), "some were its own");
    balancer.clear_mood("broken");
    eventually("it is back", || balancer.count("RESPAWN", "Server-2") == 1);
    for (path, order) in &orders {
        assert_eq!(&answerer(&balancer, path), &order[0], "{path}");
    }
}

#[test]
fn where_probing_is_quadratic_paths_go_where_that_says() {
    // Of 64 slots 27 are taken: some copies have to look for another one than their own.
    let small = ["--slots", "64", "--probing", "quadratic"];
    let (orders, linear) = (successors(&small), successors(&small[..2]));
    let homes = |orders: &[(String, Vec<String>)]| {
        orders.iter().map(|(_, order)| order[0].clone()).collect::<Vec<_>>()
    };
    assert_ne!(homes(&orders), homes(&linear), "or this would show nothing");
    let balancer = Balancer::start(&[&BY_PATH[..], &small, &["--replicas", "3"]].concat());
    for (path, order) in &orders {
        assert_eq!(&answerer(&balancer, path), &order[0], "{path}");
    }
}

#[test]
fn every_method_places_requests() {
    for method in servers::placement::names() {
        let balancer = Balancer::start(&["--replicas", "2", "--method", method]);
        for _ in 0..20 {
            assert_eq!(balancer.get("/home").0, 200, "{method}");
        }
    }
}
