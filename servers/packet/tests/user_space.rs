//! The sub-commands of user space, as a shell would call them, over loopback.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::net::UdpSocket;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use clap::Parser;
use packet::command::{Packet, run};
use packet::jobs::{balancer, client, server};
use packet::udp::{count, echo, sink};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    packet: Packet,
}

fn line(words: &str) -> Packet {
    Line::try_parse_from(["packet"].into_iter().chain(words.split_whitespace())).unwrap().packet
}

/// A sub-command that runs, and what it prints.
struct Running {
    ends: JoinHandle<()>,
    out: BufReader<PipeReader>,
}

fn start(words: &str) -> Running {
    let (reader, mut writer) = pipe().unwrap();
    let packet = line(words);
    let ends = thread::spawn(move || run(&packet, &mut writer).unwrap());
    Running { ends, out: BufReader::new(reader) }
}

impl Running {
    /// The address in its first line.
    fn address(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().strip_prefix("ready ").unwrap().to_owned()
    }

    /// The lines that are left, and the report in the last one.
    fn end<T: serde::de::DeserializeOwned>(self) -> (Vec<String>, T) {
        let mut lines: Vec<String> = self.out.lines().collect::<io::Result<_>>().unwrap();
        self.ends.join().unwrap();
        let report = serde_json::from_str(&lines.pop().unwrap()).unwrap();
        (lines, report)
    }
}

#[test]
fn half_of_what_the_counter_sends_passes_the_filter() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sink.json");
    let words =
        format!("sink --listen 127.0.0.1:0 --wait epoll --count 10 --counters {}", file.display());
    let mut sink = start(&words);
    let to = sink.address();
    let (printed, counted) =
        start(&format!("count --to {to} --wait 1ms --count 10")).end::<count::Report>();
    assert_eq!(counted, count::Report { sent: 10, unsent: 0 });
    let expected: Vec<String> =
        (0..10).map(|number| format!("Sending [{number}] to {to}")).collect();
    assert_eq!(printed, expected);
    let (_, report) = sink.end::<sink::Report>();
    assert_eq!((report.tally.odd, report.tally.even, report.tally.octets), (5, 5, 40));
    let kept: sink::Report = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(kept, report);
}

#[test]
fn an_echo_ends_when_its_time_is_up() {
    let mut echo = start("echo --listen 127.0.0.1:0 --duration 50ms");
    echo.address();
    let (_, report) = echo.end::<echo::Report>();
    assert_eq!((report.packets, report.socket.as_str()), (0, "udp"));
}

/// Sends what is no message until the balancer has had as much as it wants.
fn fill(to: &str, balancer: &Running) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    while !balancer.ends.is_finished() {
        (0..16).for_each(|_| drop(socket.send_to(b"?", to)));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn client_balancer_and_server_do_jobs_and_say_so() {
    let mut balancer = start("jobs-balancer --listen 127.0.0.1:0 --trace --count 1000");
    let to = balancer.address();
    let mut server =
        start(&format!("jobs-server --balancer {to} --capacity 2 --heartbeat 20ms --count 6"));
    server.address();
    let asked = start(&format!("jobs-client --to {to} 0 0.002 0.002 --count 6"));
    let (jobs, asked) = asked.end::<client::Report>();
    assert_eq!((jobs.len(), asked.jobs, asked.work_microseconds), (6, 6, 12_000));
    let (said, served) = server.end::<server::Report>();
    assert_eq!(said.iter().filter(|line| *line == "I got the job!").count(), 6);
    assert!(said.contains(&"Sleep Complete! Total Sleep Time : 0.012 seconds".to_owned()));
    assert_eq!((served.tally.done, served.tally.over_capacity), (6, 0));
    assert!(served.tally.most_at_once <= 2);
    fill(&to, &balancer);
    let (trace, report) = balancer.end::<balancer::Report>();
    assert!(report.malformed > 900, "{report:?}");
    assert_eq!((report.counts.submitted, report.counts.done, report.counts.registered), (6, 6, 1));
    assert!(trace.iter().any(|line| line.contains("Freed") && line.ends_with("free [2]")));
}

#[test]
fn what_to_receive_on_must_be_named_once() {
    let parse = |words: &str| {
        Line::try_parse_from(["packet"].into_iter().chain(words.split_whitespace())).map(drop)
    };
    assert!(parse("sink").is_err() && parse("echo --wait busy").is_err());
    assert!(parse("sink --listen 127.0.0.1:0 --interface lo").is_err());
    assert!(parse("sink --listen 127.0.0.1:0 --queue 1").is_err());
    parse("sink --interface lo --queue 1 --wait busy").unwrap();
}
