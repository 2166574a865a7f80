//! The API of the balancer, over real sockets and with real replicas.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use balancer::{Balancer, SERVERS, ask, ask_for_text, change, names};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use servers::models::MODELS;

const THREE: [&str; 3] = ["Server-1", "Server-2", "Server-3"];

fn failure(words: &str) -> Value {
    json!({ "message": format!("<Error> {words}"), "status": "failure" })
}

#[test]
fn says_which_replicas_there_are() {
    let balancer = Balancer::start(&[]);
    let expected = json!({ "message": { "N": 3, "replicas": THREE }, "status": "successful" });
    assert_eq!(balancer.get("/rep"), (200, expected));
}

#[test]
fn a_registered_path_is_answered_by_replicas_and_each_says_who_it_is() {
    let balancer = Balancer::start(&["--path", "/home", "--path", "/bytes/"]);
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let (status, answer) = balancer.get("/home");
        assert_eq!((status, &answer["status"]), (200, &"successful".into()), "{answer}");
        seen.insert(answer["message"].as_str().unwrap().to_owned());
    }
    let expected = (1..=3).map(|id| format!("Hello from Server: {id}")).collect::<HashSet<_>>();
    assert_eq!(seen, expected, "of 200 each gets some");
    assert_eq!(balancer.get("/bytes/7").0, 200);
}

#[test]
fn a_server_says_who_it_is_and_that_it_is_alive() {
    for (flags, variable, id) in [
        (&["--server-id", "7"][..], "8", "7"),
        (&[], "8", "8"),
        (&["--server-id", "x\"y"], "8", "x\"y"),
    ] {
        let mut child = Command::new(SERVERS)
            .args(["run", "--model", "epoll-level", "--app", "http", "--listen", "127.0.0.1:0"])
            .args(flags)
            .env("SERVER_ID", variable)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").unwrap().parse().unwrap();
        let get = |path| format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let home = ask(address, &get("/home"));
        let (head, body) = ask_for_text(address, &get("/heartbeat"));
        child.kill().unwrap();
        child.wait().unwrap();
        let message = format!("Hello from Server: {id}");
        assert_eq!(home, (200, json!({ "message": message, "status": "successful" })));
        assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}");
    }
}

#[test]
fn on_every_model_the_front_leads_to_replicas_and_to_the_api() {
    for model in MODELS.iter().filter(|model| model.refusal().is_none()) {
        let mut balancer = Balancer::start(&["--replicas", "2", "--model", model.name]);
        for _ in 0..5 {
            assert_eq!(balancer.get("/home").0, 200, "{}", model.name);
            assert_eq!(balancer.replicas().len(), 2, "{}", model.name);
        }
        assert_eq!(balancer.add(r#"{"n": 1}"#).0, 200, "{}", model.name);
        balancer.signal(Signal::SIGTERM);
        assert!(balancer.wait().success(), "{}", model.name);
    }
}

/// An answer comes from where its request has gone, whatever went over the same connection before.
#[test]
fn requests_of_one_connection_part_by_their_paths() {
    let balancer = Balancer::start(&["--path", "/home", "--path", "/echo"]);
    let mut stream = std::net::TcpStream::connect(balancer.address).unwrap();
    for round in 0..50 {
        let (path, words) =
            [("/rep", "\"N\":3"), ("/home", "Hello from"), ("/x", "`/x`")][round % 3];
        write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut answer = [0; 1024];
        let mut text = String::new();
        while !text.trim_end().ends_with("\"}") {
            let count = stream.read(&mut answer).unwrap();
            assert!(count > 0, "{text}");
            text.push_str(std::str::from_utf8(&answer[..count]).unwrap());
        }
        assert!(text.contains(words), "{path}: {text}");
    }
}

#[test]
fn any_other_path_does_not_exist() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    for path in ["/other", "/heartbeat", "/home/x", "/add", "/rm"].map(str::to_owned) {
        let expected = match path.as_str() {
            "/add" | "/rm" => (405, failure("The endpoint has no such method")),
            _ => (400, failure(&format!("`{path}` endpoint does not exist in server replicas"))),
        };
        assert_eq!(balancer.get(&path), expected);
    }
    assert_eq!(balancer.get("/"), (404, failure("`/` is no endpoint")));
}

#[test]
fn a_wrong_method_is_told_which_are_right() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    for (line, allow) in [
        ("PUT /rep", "GET, HEAD"),
        ("PUT /add", "POST"),
        ("POST /rm", "DELETE"),
        ("DELETE /other", "GET, HEAD"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let (head, body) = ask_for_text(balancer.address, &request);
        assert!(head.starts_with("HTTP/1.1 405 "), "{line}: {head}");
        assert!(head.contains(&format!("\r\nAllow: {allow}\r\n")), "{line}: {head}");
        let answer = serde_json::from_str::<Value>(&body).unwrap();
        assert_eq!(answer, failure("The endpoint has no such method"), "{line}");
    }
}

#[test]
fn new_replicas_are_in_service_when_the_answer_comes() {
    let balancer = Balancer::start(&[]);
    let (status, answer) = balancer.add(r#"{"n": 3, "hostnames": ["S5", "S4"]}"#);
    assert_eq!((status, &answer["status"]), (200, &"successful".into()), "{answer}");
    let names = names(&answer);
    assert_eq!(
        (names.len(), &names[..5]),
        (6, &["Server-1", "Server-2", "Server-3", "S5", "S4"].map(String::from)[..])
    );
    let parts = names[5].strip_prefix("Server-").unwrap().split('-').collect::<Vec<_>>();
    assert!(parts.len() == 2 && parts.iter().all(|part| part.len() == 3), "{names:?}");
    for name in &names {
        assert_eq!(balancer.count("SPAWN", name), 1, "{name}");
    }
    assert_eq!(balancer.children().len(), 6);
}

#[test]
fn replicas_that_leave_are_stopped_when_the_answer_comes() {
    let balancer = Balancer::start(&["--replicas", "5"]);
    let (status, answer) = balancer.remove(r#"{"n": 3, "hostnames": ["Server-2"]}"#);
    assert_eq!((status, &answer["status"]), (200, &"successful".into()), "{answer}");
    let names = names(&answer);
    assert!(names.len() == 2 && !names.contains(&"Server-2".into()), "{names:?}");
    assert_eq!(balancer.children().len(), 2);
    assert_eq!(balancer.count("REMOVE", "Server-2"), 1);
}

#[test]
fn all_may_leave_and_others_come() {
    let balancer = Balancer::start(&[]);
    assert_eq!(names(&balancer.remove(r#"{"n": 3}"#).1), [""; 0]);
    assert_eq!(balancer.get("/home"), (400, failure("No servers alive")));
    let posted = change(balancer.address, "POST /home", "{}");
    assert_eq!(posted, (400, failure("No servers alive")), "whatever the method");
    assert_eq!(names(&balancer.add(r#"{"n": 1, "hostnames": ["Server-1"]}"#).1), ["Server-1"]);
    assert_eq!(balancer.get("/home").0, 200);
}

/// The words of all others are in the unit tests of the payload; here it is that nothing changes.
#[test]
fn a_refusal_changes_nothing() {
    let balancer = Balancer::start(&[]);
    let pids = balancer.children();
    let taken = "Hostnames `Server-2` are already in replicas";
    let duplicates = failure("Hostname list contains duplicates");
    for (line, payload, words) in [
        ("POST /add", "", failure("Payload is empty")),
        ("POST /add", r#"{"n": 54}"#, failure("Insufficient slots. Only 53 slots left")),
        ("POST /add", r#"{"n": 2, "hostnames": ["S4", "Server-2"]}"#, failure(taken)),
        ("DELETE /rm", r#"{"n": 2, "hostnames": ["Server-1", "Server-1"]}"#, duplicates),
        (
            "DELETE /rm",
            r#"{"n": 2, "hostnames": ["Server-1", "S9"]}"#,
            failure("Hostnames `S9` are not in replicas"),
        ),
    ] {
        assert_eq!(change(balancer.address, line, payload), (400, words), "{line} {payload}");
    }
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(balancer.children().len(), pids.len());
}

#[test]
fn slots_and_copies_say_how_many_replicas_there_is_room_for() {
    let balancer = Balancer::start(&["--slots", "20", "--copies", "4"]);
    let slots = |free| (400, failure(&format!("Insufficient slots. Only {free} slots left")));
    assert_eq!(balancer.add(r#"{"n": 3}"#), slots(2));
    assert_eq!(balancer.add(r#"{"n": 2}"#).0, 200);
    assert_eq!(balancer.add(r#"{"n": 1}"#), slots(0));
    assert_eq!((balancer.replicas().len(), balancer.get("/home").0), (5, 200));
}

#[test]
fn a_payload_that_is_not_said_to_be_json_counts_as_none() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    let empty = (400, failure("Payload is empty"));
    for (content_type, expected) in [
        ("", &empty),
        ("Content-Type: text/plain\r\n", &empty),
        ("Content-Type: application/jsonx\r\n", &empty),
    ] {
        let request = format!(
            "POST /add HTTP/1.1\r\nHost: h\r\n{content_type}Content-Length: 8\r\n\
             Connection: close\r\n\r\n{{\"n\": 1}}"
        );
        assert_eq!(&ask(balancer.address, &request), expected, "{content_type}");
    }
    let request = "POST /add HTTP/1.1\r\nHost: h\r\n\
        Content-Type: Application/JSON; charset=utf-8\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n8\r\n{\"n\": 1}\r\n0\r\n\r\n";
    assert_eq!(
        ask(balancer.address, request).0,
        200,
        "the type has no case and may have parameters"
    );
}

#[test]
fn one_new_replica_that_does_not_start_and_none_is_taken_in() {
    let balancer = Balancer::start_moody(&[]);
    balancer.set_mood("broken");
    let (status, answer) = balancer.add(r#"{"n": 2}"#);
    assert_eq!((status, &answer["status"]), (503, &"failure".into()));
    let words = answer["message"].as_str().unwrap();
    assert!(words.starts_with("<Error> Servers did not start: Server-"), "{words}");
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(balancer.children().len(), 3);
    balancer.clear_mood("broken");
    assert_eq!(balancer.add(r#"{"n": 2}"#).0, 200);
}

#[test]
fn a_second_balancer_on_the_same_port_refuses_before_it_starts_anything() {
    let first = Balancer::start(&["--replicas", "1"]);
    let address = first.address.to_string();
    let events = tempfile::NamedTempFile::new().unwrap();
    let second = Command::new(SERVERS)
        .args(["balance", "--listen", &address, "--events-file"])
        .arg(events.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(words.contains(&address) && words.lines().count() == 1, "{words}");
    assert_eq!(events.as_file().metadata().unwrap().len(), 0);
}

#[test]
fn replicas_that_never_start_end_the_balancer_with_the_reason() {
    let output = Command::new(SERVERS)
        .args(["balance", "--listen", "127.0.0.1:0", "--program", "/no/such/program"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("Server-") && words.contains("No such file"), "{words}");
    assert!(output.stdout.is_empty(), "nothing is promised before it holds");
}

/// What is no request that anybody could answer is refused by the front, in the form of the API.
#[test]
fn what_is_no_good_request_is_refused_in_json_too() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    let long = |length| "x".repeat(length);
    let json = "Host: h\r\nContent-Type: application/json";
    for (request, status) in [
        ("GET /home HTTP/1.1\r\n\r\n".into(), 400),
        ("SSH-2.0-x\r\n\r\n".into(), 400),
        ("GET /rep HTTP/3.0\r\nHost: h\r\n\r\n".into(), 505),
        ("BREW /home HTTP/1.1\r\nHost: h\r\n\r\n".into(), 501),
        (format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", long(5_000)), 414),
        (format!("GET /home HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", long(9_000)), 431),
        (format!("POST /add HTTP/1.1\r\n{json}\r\nContent-Length: 9000000\r\n\r\n"), 413),
        (format!("POST /add HTTP/1.1\r\n{json}\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), 400),
    ] {
        assert_eq!(refused(&balancer, &request), status, "{request:.80}");
    }
    let payload = format!("{{\"n\": 1, \"x\": \"{}\"}}", long(300_000));
    let too_long = failure("Payload is longer than 262144 octets");
    assert_eq!(balancer.add(&payload), (413, too_long));
    // What the front just lets through, with the fields that it adds, is not too much for the API.
    let fields = "X: y\r\n".repeat(98);
    let request = format!("GET /rep HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n");
    assert_eq!(ask(balancer.address, &request).0, 200);
    let field = long(8_130);
    let request =
        format!("GET /rep HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: {field}\r\n\r\n");
    assert_eq!(ask(balancer.address, &request).0, 200);
    // This one takes as long as a client may.
    assert_eq!(refused(&balancer, "GET /home HTTP/1.1\r\nHost"), 408);
}

/// The status of an answer that is JSON and says that it is a failure.
fn refused(balancer: &Balancer, request: &str) -> u16 {
    let (head, content) = ask_for_text(balancer.address, request);
    assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
    let answer = serde_json::from_str::<Value>(&content).unwrap();
    assert_eq!(answer["status"], "failure", "{answer}");
    assert!(answer["message"].as_str().unwrap().starts_with("<Error> "), "{answer}");
    head.split(' ').nth(1).unwrap().parse().unwrap()
}
