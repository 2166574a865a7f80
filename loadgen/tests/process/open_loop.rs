//! The open loop: what a schedule asks for is sent, or accounted for, whatever the server does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::stage::{change, echo, http, server, start, summary, summary_of};
use loadgen::report::Summary;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers one request in 20 ms: 50 a second.
fn slow(stream: TcpStream) {
    change(stream, |_, _| thread::sleep(Duration::from_millis(20)));
}

/// The requests that the schedule planned for the measuring phase: sent or not.
fn planned(found: &Summary) -> u64 {
    found.requests.sent + found.requests.unsent
}

#[test]
fn a_constant_rate_plans_exactly_that_many_and_a_fast_server_answers_them() {
    let target = server(echo);
    let line = format!("tcp://{target} -c 20 -R 1000 --warm-up 100ms -d 1s --timeout 20s");
    let found = summary(&line);
    assert_eq!((planned(&found), found.requests.answered), (1000, 1000));
    assert_eq!((found.errors.total(), found.requests.unsent), (0, 0));
    let service = found.service.unwrap();
    assert_eq!(service.count, 1000);
    assert!(service.mean_ns <= found.latency.mean_ns, "waiting is part of a response time");
}

#[test]
fn the_same_seed_plans_the_same_requests() {
    let target = server(echo);
    let line = format!("tcp://{target} -c 20 -R 1000 --arrivals poisson --warm-up 0s -d 500ms");
    let of = |seed| planned(&summary(&format!("{line} --timeout 20s --seed {seed}")));
    assert_eq!(of(3), of(3));
    assert!((400..600).contains(&of(3)), "500 on average, with a deviation of 22");
}

#[test]
fn a_slow_server_leaves_a_queue_and_requests_that_were_never_sent() {
    let target = server(slow);
    let line = format!("tcp://{target} -c 1 -R 500 --warm-up 0s -d 500ms --timeout 300ms");
    let found = summary(&line);
    // In 0.8 s, the drain included, it answers at most forty.
    assert_eq!(planned(&found), 250);
    assert!((1..=41).contains(&found.requests.sent), "{:?}", found.requests);
    let pace = found.pace.unwrap();
    assert!(pace.queue_longest >= 200, "{pace:?}");
    assert!(pace.queue.count > 0 && pace.queue.max_ns >= 100_000_000, "{pace:?}");
    let service = found.service.unwrap();
    assert!(service.min_ns >= 20_000_000);
    // The n-th of them was due after 2n ms, and answered after 20n ms.
    assert!(found.latency.mean_ns > 2.0 * service.mean_ns, "{:?} {service:?}", found.latency);
}

#[test]
fn a_freeze_is_in_the_response_times_of_all_who_waited() {
    static FROZEN: AtomicU64 = AtomicU64::new(0);
    let target = server(|stream| {
        change(stream, |_, _| {
            if FROZEN.fetch_add(1, Ordering::Relaxed) == 100 {
                thread::sleep(Duration::from_secs(1));
            }
        });
    });
    let line = format!("tcp://{target} -c 1 -R 200 --warm-up 0s -d 2s --timeout 20s");
    let found = summary(&line);
    assert_eq!((planned(&found), found.requests.answered), (400, 400));
    assert!(found.latency.max_ns >= 1_000_000_000);
    let service = found.service.unwrap();
    assert!(service.max_ns >= 1_000_000_000, "{service:?}");
    // During that second 200 become due, which wait for half a second on average.
    assert!(found.latency.mean_ns * 400.0 >= 90e9, "{:?}", found.latency);
    assert!(found.latency.mean_ns > 10.0 * service.mean_ns, "one waited, 199 queued");
}

#[test]
fn a_pipeline_keeps_the_order_of_varied_messages() {
    let target = server(slow);
    let line = format!("tcp://{target} -c 2 -R 400 --pipeline 8 --message-size 100");
    let found = summary(&format!("{line} --warm-up 0s -d 500ms --timeout 20s"));
    // All that wait in the socket come back with one read.
    assert_eq!((planned(&found), found.requests.answered), (200, 200));
    assert_eq!(found.errors.total(), 0);
}

#[test]
fn a_pipeline_that_is_answered_out_of_order_is_found_out() {
    let target = server(|mut stream| {
        let mut two = [0; 200];
        while stream.read_exact(&mut two).is_ok() {
            two.rotate_left(100);
            let _ = stream.write_all(&two);
        }
    });
    let line = format!("--target tcp://{target} -c 1 --pipeline 8 --message-size 100");
    let found = summary(&format!("{line} --count 16 --timeout 1s"));
    assert!(found.errors.mismatch > 0, "{:?}", found.errors);
    assert_eq!(found.requests.answered, 0);
}

#[test]
fn a_think_time_bounds_the_rate() {
    let target = server(echo);
    let line = format!("tcp://{target} -c 4 --think 50ms --warm-up 0s -d 500ms");
    let found = summary(&line);
    // Each has its first at once or after one pause, and at most one in 50 ms then.
    assert!((4..=44).contains(&found.requests.answered), "{:?}", found.requests);
}

#[test]
fn connections_are_renewed_under_a_rate_too() {
    let target = server(echo);
    let line = format!("tcp://{target} -c 5 -R 300 --reconnect-every 10 --warm-up 0s -d 1s");
    let found = summary(&format!("{line} --timeout 20s"));
    assert_eq!((planned(&found), found.requests.answered), (300, 300));
    assert_eq!(found.errors.total(), 0);
    assert!((20..=30).contains(&found.connections.reconnects), "{:?}", found.connections);
}

#[test]
fn bursts_are_sent_whole() {
    let target = server(echo);
    let line = format!("tcp://{target} -c 50 -R 1000 --arrivals bursts:50 --warm-up 0s -d 1s");
    let found = summary(&format!("{line} --timeout 20s"));
    assert_eq!((planned(&found), found.requests.answered), (1000, 1000));
    assert_eq!(found.pace.unwrap().arrivals, "bursts:50");
}

#[test]
fn a_trace_is_sent_line_by_line() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("trace.csv");
    let times = (0..137_u32).map(|index| format!("{:.6}\n", f64::from(index * index) * 2e-5));
    fs::write(&trace, times.collect::<String>()).unwrap();
    let line = format!("tcp://{target} -c 3 --arrivals trace:{} --warm-up 0s", trace.display());
    let found = summary(&format!("{line} -d 1s --timeout 20s"));
    assert_eq!((planned(&found), found.requests.answered), (137, 137));
    let half = summary(&format!("{line} -d 200ms --timeout 20s"));
    assert_eq!(planned(&half), 100, "100² × 20 µs = 200 ms");
}

#[test]
fn an_interrupted_run_reports_what_was_found() {
    let target = server(echo);
    let line = format!("tcp://{target} -c 5 -R 500 --warm-up 0s -d 60s --format json");
    let run = start(&line);
    thread::sleep(Duration::from_millis(1500));
    let pid = nix::unistd::Pid::from_raw(run.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let found = summary_of(&output);
    assert!(found.interrupted);
    assert!(found.requests.answered > 0 && found.elapsed_ns < 30_000_000_000);
    // What was planned for later is neither sent nor given up, so it isn't counted.
    assert!(planned(&found) < 15_000, "{} of 30,000", planned(&found));
}

#[test]
fn the_log_of_every_request_has_the_same_figures() {
    let target = server(slow);
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let line = format!("tcp://{target} -c 8 -t 2 -R 1000 --arrivals poisson --warm-up 100ms");
    let line = format!("{line} -d 500ms --timeout 300ms --log --out {}", out.display());
    let found = summary(&line);
    let output = start(&format!("figures {}/requests.log --format json", out.display()));
    let output = output.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| figures["requests"][name].as_u64().unwrap();
    assert_eq!(of("sent"), found.requests.sent);
    assert_eq!(of("answered"), found.requests.answered);
    assert_eq!(of("unsent"), found.requests.unsent);
    assert!(of("unsent") > 0 && of("answered") > 0);
    assert_eq!(figures["service"]["histogram"], found.service.unwrap().histogram);
    assert_eq!(figures["response"]["histogram"], found.latency.histogram);
}

#[test]
fn agents_share_a_schedule_and_their_logs_add_up() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let line = format!("tcp://{target} -c 8 -R 1000 --arrivals poisson --seed 5 --warm-up 100ms");
    let line = format!("{line} -d 1s --timeout 20s --format json");
    let alone = planned(&summary_of(&start(&line).wait_with_output().unwrap()));
    let begin = std::time::SystemTime::now() + Duration::from_secs(2);
    let begin = begin.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let agents = [0, 1].map(|rank| {
        let out = root.path().join(rank.to_string());
        let seat = format!("--rank {rank} --size 2 --start-at @{begin:.3} --trust-clock");
        start(&format!("{line} {seat} --out {}", out.display()))
    });
    let found = agents.map(|agent| summary_of(&agent.wait_with_output().unwrap()));
    assert_eq!(found.iter().map(planned).sum::<u64>(), alone);

    let output = start(&format!("merge --format json {}", root.path().display()));
    let output = output.wait_with_output().unwrap();
    let merged: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let answered = found.iter().map(|agent| agent.requests.answered).sum::<u64>();
    assert_eq!(merged["requests"]["answered"].as_u64(), Some(answered), "{merged:#}");
}

#[test]
fn the_shortest_command_line_is_that_of_wrk2() {
    let target = server(|stream| {
        http(stream, |_, _, writer| writer.write_all(OK).unwrap_or(()));
    });
    let found = summary(&format!("http://{target}/ -c 100 -R 2000 -d 1s -t 2"));
    assert_eq!((planned(&found), found.threads.len()), (2000, 2));
    assert_eq!(found.connections.established, 100);
}
