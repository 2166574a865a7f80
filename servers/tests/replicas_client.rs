//! `servers control`, against a real balancer.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use balancer::{Balancer, SERVERS};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn control(balancer: &Balancer, words: &[&str]) -> Output {
    let at = balancer.address.to_string();
    Command::new(SERVERS).args(["control", "--at", &at]).args(words).output().unwrap()
}

#[test]
fn the_client_asks_once_and_its_status_is_the_answers() {
    let balancer = Balancer::start(&[]);
    let said = |words: &[&str], status| {
        let output = control(&balancer, words);
        assert_eq!(output.status.code(), Some(status), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said(&["rep"], 0).starts_with("200 {\"message\":{\"N\":3,"));
    assert!(said(&["add", "2", "S4"], 0).contains("S4"));
    assert!(said(&["del", "1", "S4"], 0).starts_with("200 {\"message\":{\"N\":4,"));
    assert!(said(&["home"], 0).contains("Hello from Server: "));
    assert!(said(&["rm", "99"], 1).starts_with("400 {\"message\":\"<Error> Number of"));
    assert!(said(&["nonsense"], 1).contains("`/nonsense` endpoint"));
    assert!(said(&["add"], 2).is_empty());
    assert!(said(&["rep", "now"], 2).is_empty());
}

fn control_by_lines(balancer: &Balancer) -> Child {
    Command::new(SERVERS)
        .args(["control", "--at", &balancer.address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn the_client_asks_line_by_line_and_goes_on_after_a_wrong_one() {
    let balancer = Balancer::start(&[]);
    let mut child = control_by_lines(&balancer);
    let lines = b"add 1 S4\n\nadd x\nrm 9\nhome\n\xff\xfe\nrep";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "Ctrl-D is a good end");
    let text = String::from_utf8(output.stdout).unwrap();
    let statuses = text.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(statuses, ["200", "400", "200", "200"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("`x` is no number") && words.contains("can't be a path"), "{words}");
}

#[test]
fn the_client_does_not_panic_where_nobody_can_be_told() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (words, lines, status) in [(&["rep"][..], "", 1), (&[], "rep\n", 0)] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut control = Command::new(SERVERS);
        control.args(["control", "--at", &gone]).args(words).stdin(Stdio::piped()).stderr(full);
        let mut child = control.spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status), "{words:?}");
    }
}

#[test]
fn the_client_has_words_for_itself() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    for last in ["quit", "exit"] {
        let mut child = control_by_lines(&balancer);
        let lines = format!("help\n{last}\nrep\n");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{last}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("Words:\n") && text.contains("\n  add N [NAME]..."), "{text}");
        assert!(!text.contains("200"), "after {last} nothing is asked: {text}");
    }
    let help = control(&balancer, &["help"]);
    assert!(help.status.success() && help.stdout.starts_with(b"Words:\n"));
    assert!(String::from_utf8(control(&balancer, &["/help"]).stdout).unwrap().starts_with("400 "));
}

#[test]
fn the_client_ends_with_a_word_at_ctrl_c() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    let mut child = control_by_lines(&balancer);
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    child.stdin.as_mut().unwrap().write_all(b"rep\n").unwrap();
    answers.read_line(&mut String::new()).unwrap();
    // It has been answered, and reads the next line, which does not come.
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((child.wait().unwrap().code(), words.trim()), (Some(0), "Exiting."));
}

#[test]
fn a_client_without_a_balancer_says_whom_it_has_not_reached() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = Command::new(SERVERS).args(["control", "--at", &gone.to_string(), "rep"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&gone.to_string()));
}
