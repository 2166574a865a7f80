//! Real clients: curl, wrk, h2load and ab talk to every model, with no more connections than it
//! serves at once. One that is not installed is skipped, and that is said.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::process::Command;

use process::{Server, models};
use servers::models::{AtOnce, Model};

/// Whether `program` is there; says so if not.
fn installed(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: {program} is not installed");
    }
    there
}

/// Runs a client against every model, and hands over what it prints.
fn against_every_model(program: &str, arguments: fn(&str, &str) -> Vec<String>, check: fn(&str)) {
    if !installed(program) {
        return;
    }
    for model in models() {
        let server = Server::start(model.name, "http", &[]);
        let url = format!("http://{}/", server.address);
        let output =
            Command::new(program).args(arguments(&url, connections(model))).output().unwrap();
        let words =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} with {}: {words}", model.name);
        check(&words);
    }
}

fn connections(model: &Model) -> &'static str {
    match model.at_once {
        AtOnce::One => "1",
        AtOnce::Workers => "10",
        AtOnce::Descriptors(_) | AtOnce::Unlimited => "32",
    }
}

fn words(line: String) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The number after `label`.
fn number(words: &str, label: &str) -> u64 {
    let rest = words.split_once(label).unwrap_or_else(|| panic!("no {label} in {words}")).1;
    let digits = rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
    digits.parse().unwrap_or_else(|_| panic!("no number after {label} in {words}"))
}

#[test]
fn wrk() {
    let arguments = |url: &str, n: &str| words(format!("-t1 -c{n} -d1s {url}"));
    against_every_model("wrk", arguments, |words| {
        assert!(!words.contains("Socket errors") && !words.contains("Non-2xx"), "{words}");
        assert!(words.contains("requests in"), "{words}");
    });
}

#[test]
fn h2load() {
    let arguments = |url: &str, n: &str| words(format!("--h1 -c{n} -n2000 {url}"));
    against_every_model("h2load", arguments, |words| {
        assert_eq!(number(words, "status codes:"), 2_000, "{words}");
        assert!(words.contains(" 0 failed, 0 errored, 0 timeout"), "{words}");
    });
}

#[test]
fn ab_with_keep_alive() {
    let arguments = |url: &str, n: &str| words(format!("-q -k -c{n} -n2000 {url}"));
    against_every_model("ab", arguments, |words| {
        assert_eq!(number(words, "Complete requests:"), 2_000);
        assert_eq!(number(words, "Failed requests:"), 0);
        assert_eq!(number(words, "Keep-Alive requests:"), 2_000, "{words}");
    });
}

#[test]
fn ab_with_a_connection_a_request() {
    let arguments = |url: &str, n: &str| words(format!("-q -c{n} -n2000 {url}"));
    against_every_model("ab", arguments, |words| {
        assert_eq!(number(words, "Complete requests:"), 2_000);
        assert_eq!(number(words, "Failed requests:"), 0);
    });
}

#[test]
fn curl() {
    let arguments = |url: &str, _: &str| {
        let body = "x".repeat(100_000);
        let mut all =
            words(format!("-sS --fail {url} -I {url} --next -sS --fail {url}bytes/10 --next"));
        all.extend(words(format!(
            "-sS --fail -H Transfer-Encoding:chunked {url} -d {body} --next"
        )));
        all.extend(words(format!("-sS --fail -H Expect:100-continue -0 {url}heartbeat")));
        all
    };
    against_every_model("curl", arguments, |words| {
        assert!(words.contains("Content-Length: 14") && words.contains("xxxxxxxxxx"), "{words}");
    });
}
