//! What the tests play on: little servers with one trait each, and the attack as a process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use loadgen::hostile::{Bearing, Report};

/// A server that treats each connection as `behave` does, in a thread of its own.
pub(crate) fn server(behave: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
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

/// Sends back what comes in, and takes no more while it can't: that is back-pressure.
pub(crate) fn echo(mut stream: TcpStream) {
    let mut octets = [0; 16_384];
    while let Ok(count) = stream.read(&mut octets)
        && count > 0
        && stream.write_all(&octets[..count]).is_ok()
    {}
}

/// Hears whatever comes and says nothing, until the other side ends it.
pub(crate) fn listen(mut stream: TcpStream) {
    while stream.read(&mut [0; 1000]).is_ok_and(|count| count > 0) {}
}

/// How long [`impatient`] and [`rude`] servers bear a client.
pub(crate) const PATIENCE: Duration = Duration::from_millis(200);

/// Closes every connection after a while, in good order.
pub(crate) fn impatient(mut stream: TcpStream) {
    thread::sleep(PATIENCE);
    // Unread octets would turn the end into a reset (RFC 9293, section 3.6.1).
    stream.set_nonblocking(true).unwrap();
    let _ = stream.read(&mut [0; 65_536]);
}

/// Resets every connection after a while.
pub(crate) fn rude(stream: TcpStream) {
    thread::sleep(PATIENCE);
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Runs an attack. What its polite clients need is in the line too.
pub(crate) fn hostile(line: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_loadgen");
    Command::new(program).arg("hostile").args(line.split_whitespace()).output().unwrap()
}

/// Runs an attack, which has to succeed, and checks what must hold for every report.
pub(crate) fn report(line: &str) -> Report {
    let output = hostile(&format!("{line} --format json"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {complaint}");
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    check(&report);
    report
}

/// An attack of `mode` on an echo server, without polite clients.
pub(crate) fn alone(target: SocketAddr, mode: &str) -> Report {
    let alone = "--before 0s --after 0s --regulars 0 --newcomers 0";
    report(&format!("tcp://{target} --mode {mode} {alone}"))
}

/// Every connection and every polite request is in exactly one class.
fn check(report: &Report) {
    let Report { attempted, established, refused, dialling, .. } = *report;
    assert_eq!(attempted, established + refused + dialling, "{report:?}");
    let over = report.finished.count + report.reset.count + report.reset_by_us;
    assert_eq!(established, over + report.open, "{report:?}");
    for polite in &report.polite {
        for Bearing { due, answered, errors, unsent, .. } in
            [polite.before, polite.during, polite.after]
        {
            assert_eq!(due, answered + errors.total() + unsent, "{polite:?}");
        }
    }
}
