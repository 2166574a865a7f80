//! Each mode does to a server what it says, and tells what the server did about it.

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stage::{
    PATIENCE, alone, echo, hostile, impatient, listen, one_at_a_time, rude, server,
};

#[test]
fn a_slow_reader_asks_without_end_and_hardly_reads() {
    let mode = "slow-reader -c 3 -d 2s --interval 200ms";
    let report = alone(server(echo), mode);
    assert_eq!((report.attempted, report.open), (3, 3));
    // An octet each fifth of a second is at most ten in two seconds.
    assert!((1..=30).contains(&report.octets_received), "{report:?}");
    assert!(report.octets_sent > 10_000, "{report:?}");
}

#[test]
fn a_server_without_back_pressure_grows() {
    /// Keeps what it hears, as a server with endless buffers does.
    fn hoard(mut stream: TcpStream) {
        let mut hoard = Vec::new();
        let _ = stream.by_ref().take(32 << 20).read_to_end(&mut hoard);
        listen(stream);
        drop(hoard);
    }
    let mode = format!("slow-reader -c 4 -d 2s --watch {}", std::process::id());
    let watched = alone(server(hoard), &mode).watched.unwrap();
    let growth = watched.resident_octets_peak - watched.resident_octets_before;
    assert!(growth > 32 << 20, "{watched:?}");
}

#[test]
fn a_slow_sender_sends_no_faster_than_it_should() {
    let report = alone(server(listen), "slow-sender -c 5 -d 1s --interval 50ms");
    assert_eq!((report.attempted, report.open), (5, 5));
    assert!((1..=100).contains(&report.octets_sent), "{report:?}");
}

#[test]
fn a_server_that_ends_it_is_timed_and_the_client_comes_back() {
    let report = alone(server(impatient), "slow-sender -c 4 -d 2s");
    assert!(report.finished.count >= 4 && report.attempted > 4, "{report:?}");
    assert!(u128::from(report.finished.min_ns) >= PATIENCE.as_nanos() * 99 / 100, "{report:?}");
    assert!(report.finished.median_ns <= report.finished.max_ns);
    assert_eq!(report.reset.count, 0);
}

#[test]
fn a_reset_is_told_from_an_end_in_good_order() {
    for mode in ["slow-sender", "slow-reader", "half-open"] {
        let report = alone(server(rude), &format!("{mode} -c 2 -d 2s"));
        assert!(report.reset.count >= 2, "{mode}: {report:?}");
        assert_eq!(report.finished.count, 0, "{mode}");
    }
}

#[test]
fn half_open_is_silent_for_good() {
    for (share, octets) in [("nothing", 0), ("half", 6 * 32), ("whole", 6 * 64)] {
        let report = alone(server(listen), &format!("half-open -c 6 -d 1s --send {share}"));
        assert_eq!((report.open, report.octets_sent), (6, octets), "{share}");
        assert_eq!(report.finished.count + report.reset.count, 0);
    }
}

#[test]
fn a_half_close_is_the_end_of_the_input_for_the_server() {
    let report = alone(server(listen), "half-open -c 2 -d 1s --then shutdown");
    assert!(report.finished.count >= 2, "{report:?}");
}

#[test]
fn a_reset_storm_resets_at_its_rate() {
    static RESETS: AtomicU64 = AtomicU64::new(0);
    fn count(mut stream: TcpStream) {
        let error = loop {
            match stream.read(&mut [0; 1000]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        let reset = error.kind() == std::io::ErrorKind::ConnectionReset;
        RESETS.fetch_add(u64::from(reset), Ordering::Relaxed);
    }
    let report = alone(server(count), "reset-storm -c 10 -d 1s --rate 200");
    // Each of the ten places has a connection each 50 ms, and no more.
    assert!((1..=210).contains(&report.attempted), "{report:?}");
    assert_eq!(report.reset_by_us + report.open, report.established);
    assert!(RESETS.load(Ordering::Relaxed) > 0, "the server has seen them as resets");
}

#[test]
fn clients_whom_nobody_accepts_are_connected_all_the_same() {
    let report = alone(one_at_a_time(listen), "half-open -c 20 -d 1s");
    assert_eq!((report.established, report.open), (20, 20));
}

#[test]
fn nobody_listening_is_a_failure_with_a_reason() {
    let output = hostile("tcp://127.0.0.1:1 --mode half-open -d 100ms --before 0s --after 0s");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("none of") && complaint.contains("refused"), "{complaint}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_and_an_unfit_host_have_their_own_status() {
    let usage = hostile("tcp://127.0.0.1:1 --mode half-open --rate 5");
    assert_eq!(usage.status.code(), Some(2));
    let unfit = hostile("tcp://127.0.0.1:1 --mode half-open -c 100000");
    let complaint = String::from_utf8_lossy(&unfit.stderr);
    assert_eq!(unfit.status.code(), Some(4), "{complaint}");
    let gone = hostile("tcp://127.0.0.1:1 --mode half-open --watch 2147483647");
    assert_eq!(gone.status.code(), Some(2));
}
