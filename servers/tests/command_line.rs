//! What the command line promises: the listing, the first line, one clear sentence and the right
//! exit status when something is wrong.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::net::TcpListener;
use std::process::{Command, Output};

use process::{SERVERS, Server};
use servers::models::MODELS;
use servers::proxy::policy::POLICIES;

fn servers(arguments: &[&str]) -> Output {
    Command::new(SERVERS).args(arguments).output().unwrap()
}

/// Runs a command that must fail with `status`, and gives its words.
fn failure(status: i32, arguments: &[&str]) -> String {
    let output = servers(arguments);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{words}");
    assert!(output.stdout.is_empty(), "nothing is promised before it holds");
    words
}

#[test]
fn flags_of_a_proxy_are_refused_where_there_is_none() {
    for (flags, word) in [
        (["--backend", "127.0.0.1:1"], "--backend is for --app proxy"),
        (["--admin", "127.0.0.1:0"], "--admin is for --app proxy"),
        (["--health-path", "/"], "--health-path is for --app proxy"),
    ] {
        let line = ["run", "--model", "poll", "--app", "http", "--listen", "127.0.0.1:0"];
        let words = failure(2, &[line.as_slice(), &flags].concat());
        assert!(words.contains(word), "{words}");
    }
}

#[test]
fn lists_every_policy_in_every_format() {
    let list = |format| servers(&["list", "--policies", "--format", format]).stdout;
    let rows = serde_json::from_slice::<serde_json::Value>(&list("json")).unwrap();
    let [csv, table] = ["csv", "table"].map(|format| String::from_utf8(list(format)).unwrap());
    assert_eq!(rows.as_array().unwrap().len(), POLICIES.len());
    for (number, policy) in POLICIES.iter().enumerate() {
        assert_eq!(rows[number]["name"], policy.name);
        assert!(csv.lines().nth(number + 1).unwrap().starts_with(&format!("{},", policy.name)));
        assert!(table.lines().nth(number + 1).unwrap().starts_with(policy.name));
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    for line in ["list --format csv", "list --format json", "list", "packet listing filter"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(SERVERS).args(line.split(' ')).stdout(writer).output().unwrap();
        assert!(output.status.success(), "{line}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
    }
}

#[test]
fn lists_every_model_in_every_format() {
    let json = servers(&["list", "--format", "json"]).stdout;
    let rows = serde_json::from_slice::<serde_json::Value>(&json).unwrap();
    let csv = String::from_utf8(servers(&["list", "--format", "csv"]).stdout).unwrap();
    let table = String::from_utf8(servers(&["list"]).stdout).unwrap();
    for (number, model) in MODELS.iter().enumerate() {
        assert_eq!(rows[number]["name"], model.name);
        assert!(csv.lines().nth(number + 1).unwrap().starts_with(&format!("{},", model.name)));
        assert!(table.lines().nth(number + 1).unwrap().starts_with(model.name));
    }
    assert_eq!(rows[0]["at_once"]["kind"], "one");
    assert_eq!(rows[3]["at_once"], serde_json::json!({"kind": "descriptors", "limit": 1024}));
}

#[test]
fn a_taken_port_is_an_error_of_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for model in ["epoll-level", "reactors"] {
        let words = failure(1, &["run", "--model", model, "--app", "echo", "--listen", &address]);
        assert!(words.contains(&address) && words.contains("port 0"), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let run = ["run", "--app", "http", "--listen", "127.0.0.1:0", "--model"];
    let with = |more: &[&'static str]| failure(2, &[&run[..], more].concat());
    assert!(with(&["epoll"]).contains("epoll-oneshot"));
    assert!(with(&["poll", "--workers", "0"]).contains("1..=1024"));
    assert!(with(&["poll", "--idle-timeout", "10"]).contains("500ms"));
    assert!(failure(2, &["run", "--model", "poll", "--app", "echo"]).contains("--listen"));
    assert!(failure(2, &["serve"]).contains("serve"));
}

#[test]
fn an_unknown_policy_ends_the_start_with_the_names_of_all() {
    for app in ["proxy", "relay"] {
        let line = ["run", "--model", "epoll-edge", "--app", app, "--listen", "127.0.0.1:0"];
        let flags = ["--backend", "127.0.0.1:1", "--policy", "fewest_connections"];
        let words = failure(2, &[&line[..], &flags].concat());
        assert!(words.contains("fewest_connections"), "{words}");
        assert!(POLICIES.iter().all(|policy| words.contains(policy.name)), "{words}");
    }
}

#[test]
fn more_replicas_than_there_is_room_for_are_refused_with_the_flags_that_say_so() {
    let balance = ["balance", "--listen", "127.0.0.1:0"];
    for (flags, room) in [
        (&["--replicas", "57"][..], "room for 56"),
        (&["--slots", "8"], "room for 0"),
        (&["--replicas", "57", "--method", "ketama"], "room for 56"),
    ] {
        let words = failure(2, &[&balance[..], flags].concat());
        assert!(words.contains(room), "{words}");
        assert!(["--replicas", "--slots", "--copies"].iter().all(|flag| words.contains(flag)));
    }
}

#[test]
fn a_missing_root_is_named() {
    let run = [
        "run",
        "--app",
        "http",
        "--listen",
        "127.0.0.1:0",
        "--model",
        "poll",
        "--root",
        "/no/such",
    ];
    assert!(failure(1, &run).contains("/no/such"));
}

#[test]
fn counters_that_cannot_be_written_are_an_error() {
    let mut server = Server::start("poll", "echo", &["--progress"]);
    assert_eq!(server.stop()["accepted"], 0);
    let words = {
        let child = Command::new(SERVERS)
            .args(["run", "--model", "poll", "--app", "echo", "--listen", "127.0.0.1:0"])
            .args(["--counters", "/no/such/file"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        std::thread::sleep(std::time::Duration::from_millis(300));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(words.contains("/no/such/file"), "{words}");
}

#[test]
fn listens_on_ipv6_and_on_every_interface() {
    for address in ["[::1]:0", "0.0.0.0:0", "[::1%lo]:0", "localhost:0"] {
        let mut child = Command::new(SERVERS)
            .args(["run", "--model", "epoll-level", "--app", "http", "--listen", address])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse::<u16>();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(port.is_ok_and(|port| port != 0), "{address} gives {line}");
    }
}

/// Nothing else is put in its place: whoever measures it must not measure something else.
#[test]
fn a_kernel_without_rings_is_told_of_before_anything_is_served() {
    if Command::new("strace").arg("-V").output().is_err() {
        return eprintln!("SKIPPED: strace is not installed");
    }
    for (errno, way_out) in
        [("EPERM", "kernel.io_uring_disabled=0"), ("ENOSYS", "Linux 5.19"), ("ENOMEM", "ulimit -l")]
    {
        let inject = format!("inject=io_uring_setup:error={errno}");
        let under = |arguments: &[&str]| {
            let mut strace = Command::new("strace");
            strace.args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "trace=io_uring_setup",
                "-e",
                &inject,
            ]);
            strace.arg(SERVERS).args(arguments).output().unwrap()
        };
        let refused =
            under(&["run", "--model", "uring", "--app", "echo", "--listen", "127.0.0.1:0"]);
        let words = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{words}");
        assert!(words.contains(way_out) && words.contains("--model reactors"), "{words}");
        let list = under(&["list", "--format", "json"]).stdout;
        let list = serde_json::from_slice::<serde_json::Value>(&list).unwrap();
        for model in list.as_array().unwrap() {
            let refused = model["refusal"].as_str().is_some_and(|words| words.contains(way_out));
            assert_eq!(refused, model["name"] == "uring", "{model}");
        }
    }
}
