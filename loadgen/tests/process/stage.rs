//! What the tests play on: little servers with one trait each, and loadgen as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use loadgen::report::Summary;

/// A server that treats each connection as `behave` does, in a thread of its own.
pub(crate) fn server(behave: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || behave(stream));
        }
    });
    address
}

/// A server that has one connection at a time.
pub(crate) fn one_at_a_time(behave: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| behave(stream.unwrap())));
    address
}

/// Sends back what comes in.
pub(crate) fn echo(stream: TcpStream) {
    change(stream, |_, _| ());
}

/// Sends back what comes in, after `change` has been at it. The number of the read begins with 0.
pub(crate) fn change(mut stream: TcpStream, change: fn(u64, &mut [u8])) {
    let mut octets = vec![0; 65_536];
    for read in 0.. {
        let count = stream.read(&mut octets).unwrap_or(0);
        change(read, &mut octets[..count]);
        if count == 0 || stream.write_all(&octets[..count]).is_err() {
            return;
        }
    }
}

/// Reads requests without a body and answers the n-th one, from 0, as `answer` does.
pub(crate) fn http(stream: TcpStream, mut answer: impl FnMut(u64, &str, &mut TcpStream)) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    for number in 0.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        answer(number, &head, &mut writer);
    }
}

/// Starts loadgen with this command line.
pub(crate) fn start(line: &str) -> Child {
    launch(line.split_whitespace())
}

/// Runs loadgen with these words, which may have spaces in them.
pub(crate) fn run<'a>(words: impl IntoIterator<Item = &'a str>) -> Output {
    launch(words).wait_with_output().unwrap()
}

fn launch<'a>(words: impl IntoIterator<Item = &'a str>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs loadgen with this command line.
pub(crate) fn loadgen(line: &str) -> Output {
    start(line).wait_with_output().unwrap()
}

/// Runs loadgen, which has to succeed, and checks what must hold for every summary.
pub(crate) fn summary(line: &str) -> Summary {
    let output = loadgen(&format!("{line} --format json"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {complaint}");
    summary_of(&output)
}

/// The summary that loadgen printed, for which must hold what holds for every one.
pub(crate) fn summary_of(output: &Output) -> Summary {
    let summary: Summary = serde_json::from_slice(&output.stdout).unwrap();
    check(&summary);
    summary
}

/// Every request is in exactly one class, and every answer has its latency.
pub(crate) fn check(summary: &Summary) {
    let requests = &summary.requests;
    let accounted = requests.answered + requests.failed + requests.outstanding;
    assert_eq!(requests.sent, accounted, "{requests:?}");
    assert_eq!(summary.latency.count, requests.answered);
    assert!(summary.connections.served <= summary.connections.asked);
    if summary.pace.is_none() {
        // In the open loop it is what was answered in the measuring phase, not of it.
        let rate = requests.answered as f64 / (summary.elapsed_ns as f64 / 1e9);
        assert!((summary.rate - rate).abs() <= rate * 1e-9);
    }
}
