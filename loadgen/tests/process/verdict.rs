//! Servers with one fault each: the verdict names it. And a server without has none of these.
//!
//! Nothing is said about the other checks here, for some of them find that this machine is busy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::faults::{Fault, Faulty, Speech};
use crate::stage::{server, summary};
use loadgen::report::Summary;
use loadgen::verdict::{Check, Standing};

/// Checks that look at what servers do, whenever they do it.
const ABOUT_SERVERS: [&str; 6] =
    ["connections", "conservation", "wrong replies", "failures", "lost responses", "starvation"];

const CLOSED: &str = "--closed";

/// In the open loop, each of the ten connections is idle for most of the time.
const OPEN: &str = "-R 2000 --arrivals poisson";

fn faulty(fault: Fault, speech: Speech) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || Faulty::new(fault, speech, 100).serve(&listener));
    address
}

fn run(fault: Fault, speech: Speech, load: &str) -> Summary {
    let address = faulty(fault, speech);
    let target = match speech {
        Speech::Echo => format!("tcp://{address}"),
        Speech::Http => format!("http://{address}/"),
    };
    summary(&format!("{target} -c 10 {load} --warm-up 10ms -d 600ms --timeout 2s"))
}

fn flagged(summary: &Summary) -> Vec<&Check> {
    let checks = summary.verdict.checks.iter();
    checks.filter(|check| check.standing > Standing::Valid).collect()
}

/// The check is flagged in both loops, and with both protocols.
fn is_named(fault: Fault, name: &str) {
    for speech in [Speech::Echo, Speech::Http] {
        for load in [CLOSED, OPEN] {
            let found = run(fault, speech, load);
            let flagged = flagged(&found);
            let is_named = flagged.iter().any(|check| check.name == name);
            assert!(is_named, "{fault:?} {speech:?} {load}: {:#?}", found.verdict);
        }
    }
}

#[test]
fn a_server_without_a_fault_is_not_accused_of_any() {
    for speech in [Speech::Echo, Speech::Http] {
        for load in [CLOSED, OPEN] {
            let found = run(Fault::None, speech, load);
            let mut accused = flagged(&found).into_iter();
            let accused = accused.find(|check| ABOUT_SERVERS.contains(&check.name.as_str()));
            assert_eq!(accused, None, "{speech:?} {load}");
            let checked = found.verdict.checks.iter().map(|check| check.name.as_str());
            let about_servers = checked.filter(|name| ABOUT_SERVERS.contains(name));
            assert_eq!(about_servers.collect::<Vec<_>>(), ABOUT_SERVERS);
        }
    }
}

#[test]
fn a_lost_response_is_named() {
    is_named(Fault::Loses, "lost responses");
}

#[test]
fn a_response_is_lost_too_if_patience_ends_after_measuring() {
    let target = server(|mut stream| {
        let mut octets = [0; 64];
        for _ in 0..10 {
            drop(stream.read_exact(&mut octets).and_then(|()| stream.write_all(&octets)));
        }
        while stream.read(&mut octets).is_ok_and(|count| count > 0) {}
    });
    let found = summary(&format!("tcp://{target} -c 3 --warm-up 0s -d 400ms --timeout 600ms"));
    let of = found.requests;
    assert_eq!((of.answered, of.outstanding, of.lost), (30, 3, 3), "{of:?}");
}

#[test]
fn a_single_second_answer_is_named() {
    is_named(Fault::RepeatsOnce, "wrong replies");
}

#[test]
fn a_single_second_answer_that_comes_later_is_named() {
    is_named(Fault::RepeatsOnceLater, "wrong replies");
}

#[test]
fn second_answers_are_named() {
    is_named(Fault::Repeats, "wrong replies");
}

#[test]
fn second_answers_that_come_later_are_named() {
    is_named(Fault::RepeatsLater, "wrong replies");
}

#[test]
fn a_starved_connection_is_named() {
    is_named(Fault::Starves, "starvation");
}

#[test]
fn a_neglected_connection_is_named() {
    is_named(Fault::Neglects, "starvation");
}

#[test]
fn a_connection_that_ends_in_place_of_an_answer_is_named() {
    is_named(Fault::Closes, "failures");
}

#[test]
fn a_reply_to_another_request_is_named() {
    for load in [CLOSED, OPEN] {
        let found = run(Fault::MixesUp, Speech::Echo, load);
        let wrong = flagged(&found).into_iter().find(|check| check.name == "wrong replies");
        assert!(wrong.is_some(), "{load}: {:#?}", found.verdict);
    }
}
