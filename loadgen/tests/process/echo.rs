//! loadgen as a process against echo servers, good and bad ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::stage::{change, echo, loadgen, one_at_a_time, server, summary};

/// Closes with unread octets in the queue, which makes the kernel send a reset (RFC 2525, 2.17).
fn reset(stream: TcpStream) {
    let mut first = [0];
    let _ = stream.peek(&mut first);
}

#[test]
fn each_connection_makes_exactly_the_requests_it_was_asked_for() {
    let target = server(echo);
    let found =
        summary(&format!("--target tcp://{target} --connections 7 --threads 2 --count 100"));
    assert_eq!((found.requests.sent, found.requests.answered), (700, 700));
    assert_eq!((found.octets_sent, found.octets_received), (700 * 64, 700 * 64));
    assert_eq!((found.connections.established, found.connections.served), (7, 7));
    assert_eq!((found.errors.total(), found.connect.count), (0, 7));
    assert!(found.latency.min_ns > 0 && found.latency.min_ns <= found.latency.max_ns);
}

#[test]
fn a_time_is_measured_and_what_is_out_at_its_end_is_outstanding() {
    let target = server(echo);
    let line = format!("--target tcp://{target} --connections 5 --duration 300ms --warm-up 50ms");
    let found = summary(&line);
    assert_eq!((found.elapsed_ns, found.requests.outstanding), (300_000_000, 5));
    assert!(found.requests.answered > 0);
    assert!(found.client.user_ns + found.client.system_ns > 0);
}

#[test]
fn a_message_of_many_megabytes_does_not_lock_up() {
    let target = server(echo);
    let size = 20_000_000;
    let found =
        summary(&format!("--target tcp://{target} --connections 2 --count 2 --size {size}"));
    assert_eq!((found.requests.answered, found.octets_received), (4, 4 * size));
}

#[test]
fn a_reply_in_slow_pieces_is_one_reply() {
    let target = server(|mut stream| {
        let mut octets = [0; 10];
        while stream.read_exact(&mut octets).is_ok() {
            for piece in octets.chunks(3) {
                stream.write_all(piece).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let found = summary(&format!("--target tcp://{target} --connections 2 --count 5 --size 10"));
    assert_eq!(found.requests.answered, 10);
    assert!(found.latency.min_ns >= 6_000_000, "three pauses of 2 ms lie within each reply");
}

#[test]
fn one_wrong_octet_is_a_mismatch() {
    let target = server(|stream| {
        change(stream, |read, octets| {
            if read == 3 {
                octets[octets.len() - 1] ^= 1;
            }
        });
    });
    let found = summary(&format!("--target tcp://{target} --connections 2 --count 10"));
    // Each connection fails its fourth request, and so does each that takes its place.
    assert_eq!((found.errors.mismatch, found.errors.total()), (4, 4));
    assert_eq!((found.requests.answered, found.requests.failed), (16, 4));
    assert_eq!(found.connections.reconnects, 4);
}

#[test]
fn the_reply_to_the_request_before_is_a_mismatch() {
    let target = server(|mut stream| {
        let (mut octets, mut before) = ([0; 64], [0; 64]);
        while stream.read_exact(&mut octets).is_ok() && stream.write_all(&before).is_ok() {
            before = octets;
        }
    });
    let found = summary(&format!("--target tcp://{target} --connections 1 --count 5"));
    assert_eq!((found.requests.failed, found.errors.mismatch), (5, 5));
}

#[test]
fn a_server_that_closes_is_not_hammered() {
    let target = server(|mut stream| drop(stream.read(&mut [0; 1000])));
    let line = format!("--target tcp://{target} --connections 2 --duration 500ms --warm-up 0s");
    let found = summary(&line);
    assert_eq!(found.requests.answered, 0);
    assert_eq!(found.errors.closed, found.errors.total());
    // 10 + 20 + 40 + … ms: the eighth connection comes after more than a second, if at all.
    assert!((2..=16).contains(&found.errors.closed), "{:?}", found.errors);
}

#[test]
fn the_run_goes_on_with_those_that_a_full_server_keeps() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let target = server(|stream| {
        if SEEN.fetch_add(1, Ordering::SeqCst) < 2 {
            echo(stream);
        }
    });
    let line = format!("--target tcp://{target} --connections 6 --duration 400ms --warm-up 0s");
    let found = summary(&line);
    assert_eq!(found.connections.served, 2);
    assert!(found.requests.answered > 2 && found.requests.outstanding >= 2);
    assert!(found.errors.total() + found.errors_before.total() >= 4, "four were turned away");
}

#[test]
fn a_slot_without_any_answer_is_given_up_so_that_a_count_ends() {
    let target = server(|mut stream| drop(stream.read(&mut [0; 1000])));
    let found = summary(&format!("--target tcp://{target} --connections 3 --count 1000"));
    assert_eq!((found.connections.abandoned, found.connections.served), (3, 0));
    assert_eq!((found.requests.sent, found.errors.closed), (24, 24));
    assert!(found.elapsed_ns >= 1_270_000_000, "pauses of 10 + 20 + … + 640 ms");
}

#[test]
fn a_reset_is_a_class_of_its_own() {
    let target = server(reset);
    let found = summary(&format!("--target tcp://{target} --connections 2 --count 3"));
    assert_eq!((found.errors.reset, found.requests.failed), (6, 6));
}

#[test]
fn no_answer_is_a_timeout_once_nobody_has_one() {
    let target = server(|mut stream| while stream.read(&mut [0; 1000]).is_ok_and(|n| n > 0) {});
    let found =
        summary(&format!("--target tcp://{target} --connections 2 --count 2 --timeout 50ms"));
    assert_eq!((found.errors.timeout, found.errors.total()), (4, 4));
}

#[test]
fn whom_the_server_has_not_come_to_is_starved_and_not_in_error() {
    let target = one_at_a_time(echo);
    let line = format!("--target tcp://{target} --connections 4 --duration 2500ms --warm-up 0s");
    let found = summary(&format!("{line} --timeout 1s"));
    assert_eq!((found.connections.established, found.connections.served), (4, 1));
    assert_eq!((found.requests.outstanding, found.errors.total()), (4, 0));
}

#[test]
fn with_a_count_everyone_is_served_in_the_end() {
    let target = one_at_a_time(echo);
    let found = summary(&format!("--target tcp://{target} --connections 9 --count 50"));
    assert_eq!((found.requests.answered, found.connections.served), (450, 9));
}

#[test]
fn a_new_connection_after_every_third_request() {
    let target = server(echo);
    let line = format!("--target tcp://{target} --connections 2 --count 10 --reconnect-every 3");
    let found = summary(&line);
    assert_eq!((found.requests.answered, found.errors.total()), (20, 0));
    assert_eq!((found.connections.reconnects, found.connect.count), (6, 8));
}

#[test]
fn silent_connections_stay_open_beside_the_others() {
    let target = server(echo);
    let line = format!("--target tcp://{target} --connections 2 --idle 30 --threads 2 --count 20");
    let found = summary(&line);
    assert_eq!((found.connections.idle, found.connections.asked), (30, 2));
    assert_eq!((found.requests.answered, found.connect.count), (40, 32));
}

#[test]
fn a_watched_process_is_in_the_summary() {
    let target = server(echo);
    let watch = std::process::id();
    let line = format!("--target tcp://{target} --connections 2 --count 500 --watch {watch}");
    let server = summary(&line).server.unwrap();
    assert!(server.user_ns + server.system_ns > 0 && server.resident_octets > 0);
}

#[test]
fn nobody_listening_is_a_failure_with_a_reason() {
    let output = loadgen("--target tcp://127.0.0.1:1 --connections 3 --duration 1s");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("none of 3") && complaint.contains("refused"), "{complaint}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_and_an_unfit_host_have_their_own_status() {
    let usage = loadgen("--target tcp://127.0.0.1:1 --connections 0");
    assert_eq!(usage.status.code(), Some(2));
    let unfit = loadgen("--target tcp://127.0.0.1:1 --connections 3000000000 --threads 1");
    let complaint = String::from_utf8_lossy(&unfit.stderr);
    assert_eq!(unfit.status.code(), Some(4), "{complaint}");
    assert!(complaint.contains("needs 3000000010 descriptors"), "{complaint}");
}
