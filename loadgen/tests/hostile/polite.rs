//! What polite clients feel is what the server does to them.

use std::io::{Read, Write};
use std::net::TcpStream;

use loadgen::hostile::PoliteReport;

use crate::stage::{echo, hostile, listen, one_at_a_time, report, server};

fn answer_requests(mut stream: TcpStream, answer: &[u8]) {
    let mut octets = [0; 4096];
    while stream.read(&mut octets).is_ok_and(|count| count > 0) && stream.write_all(answer).is_ok()
    {
    }
}

/// The polite clients of an attack by one silent connection.
fn felt(target: &str, options: &str) -> Vec<PoliteReport> {
    let times = "-c 1 -d 300ms --before 300ms --after 300ms";
    report(&format!("{target} --mode half-open {times} {options}")).polite
}

#[test]
fn whoever_is_served_feels_nothing() {
    let target = format!("tcp://{}", server(echo));
    let polite = felt(&target, "--regulars 3 --newcomers 2 --timeout 20s");
    assert_eq!((polite[0].kind.as_str(), polite[0].clients), ("regular", 3));
    assert_eq!((polite[1].kind.as_str(), polite[1].clients), ("newcomer", 2));
    for phase in [polite[0].before, polite[0].during, polite[0].after] {
        // 300 ms are 30 times 10 ms, for each of the three.
        assert_eq!((phase.due, phase.answered), (90, 90));
        assert!(phase.p50_ns <= phase.p99_ns && phase.p99_ns <= phase.max_ns);
    }
}

#[test]
fn http_answers_are_read_to_their_end() {
    let ok = |stream| answer_requests(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let polite =
        felt(&format!("http://{}/", server(ok)), "--regulars 1 --newcomers 1 --timeout 20s");
    assert!(polite.iter().all(|polite| polite.during.answered == polite.during.due));
}

#[test]
fn a_newcomer_waits_where_one_client_holds_the_server() {
    let target = one_at_a_time(echo);
    let times = "-c 1 -d 2s --before 300ms --after 300ms --timeout 20s";
    let polite = "--regulars 0 --newcomers 1";
    let report = report(&format!("tcp://{target} --mode half-open {times} {polite}"));
    let newcomer = &report.polite[0];
    assert_eq!(newcomer.during.answered, newcomer.during.due, "in the end");
    // Who comes just after the attacker waits for nearly all of two seconds.
    assert!(newcomer.during.max_ns > Some(500_000_000), "{newcomer:?}");
}

#[test]
fn wrong_answers_are_errors_by_class() {
    let none = "--regulars 1 --newcomers 0 --timeout 100ms";
    let wrong = server(|stream| answer_requests(stream, &[b'0'; 32]));
    assert!(felt(&format!("tcp://{wrong}"), none)[0].before.errors.mismatch > 0);
    let missing = server(|stream| {
        answer_requests(stream, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    assert!(felt(&format!("http://{missing}/x"), none)[0].before.errors.status > 0);
    let closing = server(|mut stream| drop(stream.read(&mut [0; 1000])));
    assert!(felt(&format!("tcp://{closing}"), none)[0].before.errors.closed > 0);
}

#[test]
fn no_answer_is_a_timeout_and_slower_than_any_other() {
    let target = format!("tcp://{}", server(listen));
    let during = felt(&target, "--regulars 1 --newcomers 0 --timeout 100ms")[0].during;
    assert_eq!((during.due, during.answered), (30, 0));
    assert!(during.errors.timeout > 0, "{during:?}");
    assert_eq!((during.p50_ns, during.max_ns), (None, None));
}

#[test]
fn the_text_names_what_the_report_has() {
    let watch = std::process::id();
    let target = server(echo);
    let line = format!("tcp://{target} --mode reset-storm -d 300ms --before 0s --after 0s");
    let output = hostile(&format!("{line} --watch {watch}"));
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["mode", "connections", "octets", "polite", "server", "  memory", "  CPUs"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}:\n{text}");
    }
    assert!(text.contains("reset-storm, 100 connections at a time, for 300.00 ms"), "{text}");
}
