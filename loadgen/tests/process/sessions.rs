//! `--sessions`: what each connection did; and `--once`: who loses a connection is out.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::stage::{echo, loadgen, run, server, summary, summary_of};

const HEAD: &str =
    "requests made,data sent (bytes),average response time (sec),session duration (sec)";

/// Answers three messages of fifteen octets, and has had enough.
fn three(mut stream: TcpStream) {
    let mut message = [0; 15];
    for _ in 0..3 {
        if stream.read_exact(&mut message).is_ok() {
            stream.write_all(&message).unwrap_or(());
        }
    }
}

/// The cells below the head, empty ones as nothing.
fn rows(place: &Path) -> Vec<Vec<Option<f64>>> {
    let table = fs::read_to_string(place).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some(HEAD));
    let cells = |line: &str| line.split(',').map(|cell| cell.parse().ok()).collect();
    lines.map(cells).collect()
}

#[test]
fn a_table_has_a_row_for_each_connection_and_nothing_else_is_written() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("deep/client data - 50.csv");
    let line = format!("tcp://{target} -c 50 -t 2 --count 20 --size 15 --once --sessions");
    let words = line.split_whitespace().chain([place.to_str().unwrap()]);
    let found = run(words.chain(["--format", "json"]));
    let summary = summary_of(&found);
    let rows = rows(&place);
    let sum = |column: usize| rows.iter().filter_map(|row| row[column]).sum::<f64>();
    assert_eq!((rows.len(), sum(0)), (50, summary.requests.answered as f64));
    assert_eq!((sum(0), sum(1)), (1_000.0, summary.octets_sent as f64));
    for row in &rows {
        let (average, session) = (row[2].unwrap(), row[3].unwrap());
        assert!(average > 0.0 && 20.0 * average <= session, "{row:?}");
    }
    assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_connection_that_fails_has_what_it_did_until_then_and_is_not_replaced() {
    let target = server(three);
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("sessions.csv");
    let line = format!("--target tcp://{target} --connections 4 --count 100 --size 15 --once");
    let found = summary(&format!("{line} --sessions {}", place.display()));
    assert_eq!((found.requests.answered, found.requests.failed), (12, 4));
    assert_eq!((found.connections.reconnects, found.connections.abandoned), (0, 4));
    for row in rows(&place) {
        assert_eq!(row[0], Some(3.0));
        assert!(row[2].unwrap() > 0.0 && row[3].unwrap() > 0.0, "{row:?}");
    }
}

#[test]
fn a_table_is_never_overwritten() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("sessions.csv");
    fs::write(&place, "old").unwrap();
    let line = format!("tcp://{target} -c 1 --count 1 --sessions {}", place.display());
    let output = loadgen(&line);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("never overwritten"), "{complaint}");
    assert_eq!(fs::read(place).unwrap(), b"old");
}
