//! What a proxy knows of its backends: probes, ejections, and what it tells about that.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;
use process::admin::{Proxy, get};
use process::scripted::{GET, OK, Scripted, everywhere, nobody, read_answer, read_head};
use process::{LONG, SERVERS, Server, eventually, expect, reset};
use serde_json::{Value, json};
use servers::tables;
use tempfile::NamedTempFile;

/// An HTTP proxy; how a backend is judged does not depend on the model.
fn proxy(flags: &[&str]) -> Proxy {
    Proxy::start("epoll-edge", "proxy", flags)
}

/// The number of the server that answers, or the status if none does.
fn ask(proxy: &Proxy) -> String {
    let answer = get(proxy.address, "/home");
    let status = answer[9..12].to_owned();
    let server = answer.split("Hello from Server: ").nth(1);
    server.map_or(status, |rest| rest.split('"').next().unwrap().to_owned())
}

fn backend(id: &str) -> Server {
    Server::start("epoll-level", "http", &["--server-id", id])
}

#[test]
fn a_backend_that_hangs_is_taken_out_and_comes_back() {
    let (one, two) = (backend("one"), backend("two"));
    let addresses = [one.address.to_string(), two.address.to_string()];
    let proxy = proxy(&[
        "--backend",
        &addresses[0],
        "--backend",
        &addresses[1],
        "--health-path",
        "/heartbeat",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "50ms",
        "--response-timeout",
        "20s",
    ]);
    one.signal(Signal::SIGSTOP);
    let in_service = |number: usize| proxy.backend(number)["health"] == "in-service";
    eventually("the probes see it", || !in_service(0));
    assert!((0..10).all(|_| ask(&proxy) == "two"));
    one.signal(Signal::SIGCONT);
    eventually("it is taken in again", || in_service(0));
    eventually("it is asked again", || ask(&proxy) == "one");
}

#[test]
fn where_all_are_dead_it_says_so_and_recovers_by_itself() {
    let mut one = backend("one");
    let address = one.address.to_string();
    let proxy =
        proxy(&["--backend", &address, "--health-path", "/heartbeat", "--health-interval", "50ms"]);
    assert_eq!(ask(&proxy), "one");
    one.signal(Signal::SIGKILL);
    let _ = one.wait();
    assert_eq!(ask(&proxy), "503");
    let again = Command::new(SERVERS)
        .args(["run", "--model", "epoll-level", "--app", "http", "--server-id", "again"])
        .args(["--listen", &address])
        .stdout(Stdio::null())
        .spawn();
    let mut again = again.unwrap();
    eventually("it is asked again", || ask(&proxy) == "again");
    again.kill().unwrap();
    again.wait().unwrap();
}

#[test]
fn what_it_knows_can_be_read_by_people_and_by_prometheus() {
    let one = backend("one");
    let proxy = proxy(&["--backend", &one.address.to_string()]);
    for _ in 0..5 {
        assert_eq!(ask(&proxy), "one");
    }
    let stats = proxy.backend(0);
    assert_eq!((&stats["leased"], &stats["open"]), (&json!(5), &json!(0)), "{stats:#}");
    assert_eq!(stats["outcomes"]["answered"], 5, "{stats:#}");
    let metrics = get(proxy.admin, "/metrics");
    let line = format!("{{backend=\"{}\"}} 5", one.address);
    assert!(metrics.lines().any(|text| text.ends_with(&line)), "{metrics}");
    let mut stream = TcpStream::connect(proxy.admin).unwrap();
    let mut other = [0];
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut other).is_err(), "it waits for a request");
    assert!(get(proxy.admin, "/").contains("/metrics"), "and meanwhile answers others");
}

/// A backend that answers whatever it is asked, but for its health.
fn too_busy_for_probes() -> Scripted {
    Scripted::new(|mut stream, _| {
        loop {
            match read_head(&mut stream) {
                head if head.is_empty() => return,
                head if head.starts_with("GET /heartbeat ") => {}
                _ => stream.write_all(OK).unwrap(),
            }
        }
    })
}

#[test]
fn backends_that_serve_but_are_too_busy_for_probes_are_not_all_taken_out() {
    let backends = [too_busy_for_probes(), too_busy_for_probes()];
    let proxy = proxy(&[
        "--backend",
        &backends[0].address,
        "--backend",
        &backends[1].address,
        "--health-path",
        "/heartbeat",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "50ms",
    ]);
    let all = || [proxy.backend(0), proxy.backend(1)];
    eventually("one is taken out and the last one spared", || {
        all().iter().any(|one| one["health"] == "down")
            && all().iter().any(|one| one["spared"].as_u64() > Some(2))
    });
    for _ in 0..10 {
        let answer = get(proxy.address, "/");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let spared = "servers_backend_spared_total{backend=";
    assert!(get(proxy.admin, "/metrics").contains(spared));
}

#[test]
fn probes_leave_nothing_open_however_they_end() {
    let backends = [too_busy_for_probes(), failing(), Scripted::new(|stream, _| reset(stream))];
    let nobody = nobody();
    let mut flags = vec!["--health-path", "/heartbeat", "--health-interval", "2ms"];
    flags.extend(["--health-timeout", "20ms"]);
    backends.iter().map(|backend| &backend.address).chain([&nobody]).for_each(|address| {
        flags.extend(["--backend", address]);
    });
    let proxy = proxy(&flags);
    eventually("each has been probed often", || {
        backends.iter().all(|backend| backend.connections() > 50)
    });
    let open = fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap().count();
    assert!(open < 50, "{open}: one each at most, beside those of the server");
}

#[test]
fn a_backend_is_probed_no_more_often_than_the_flag_says() {
    let backend = Scripted::answering(OK);
    let flags = ["--backend", &backend.address, "--health-connect", "--health-interval", "1m"];
    let _proxy = proxy(&flags);
    eventually("it is probed", || backend.connections() > 0);
    sleep(Duration::from_millis(500));
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_backend_that_has_left_is_not_probed_any_more() {
    let [left, stays] = [(); 2].map(|()| Scripted::answering(OK));
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, format!("{}\n{}\n", left.address, stays.address)).unwrap();
    let flags = ["--health-connect", "--health-interval", "10ms", "--backends"];
    let mut proxy = proxy(&[&flags[..], &[file.path().to_str().unwrap()]].concat());
    let probed = |backend: &Scripted, times| {
        let before = backend.connections();
        eventually("it is probed", || backend.connections() >= before + times);
    };
    probed(&left, 3);
    fs::write(&file, &stays.address).unwrap();
    assert!(proxy.reload().contains("1 backends"));
    // The one that begins meanwhile may be the last of the old set, and so may one under way.
    probed(&stays, 3);
    let before = left.connections();
    probed(&stays, 20);
    assert!(left.connections() <= before + 1, "{} since", left.connections() - before);
}

#[test]
fn backends_that_do_not_speak_http_are_healthy_when_they_can_be_connected_to() {
    let echo = Server::start("epoll-level", "echo", &[]);
    let flags = ["--health-connect", "--health-interval", "50ms"];
    let backends = ["--backend", &echo.address.to_string(), "--backend", &nobody()];
    let relay = Proxy::start("epoll-edge", "relay", &[flags.as_slice(), &backends].concat());
    eventually("who is not there is found", || relay.backend(1)["health"] == "down");
    for _ in 0..10 {
        let mut client = relay.connect();
        client.write_all(b"there and back").unwrap();
        expect(&mut client, b"there and back");
    }
    let echo = relay.backend(0);
    assert_eq!((&echo["health"], &echo["spared"]), (&json!("in-service"), &json!(0)), "{echo:#}");
}

/// A backend that fails as the path says.
fn failing() -> Scripted {
    Scripted::new(|mut stream, _| {
        let head = read_head(&mut stream);
        // The proxy, or its client, may have gone.
        let _ = match head.split(' ').nth(1) {
            Some("/reset") => return reset(stream),
            Some("/silent") => stream.read(&mut [0]).map(drop),
            Some("/cut") => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"),
            Some("/garbage") => stream.write_all(b"220 ready when you are\r\n\r\n"),
            Some("/endless") => endless(&mut stream),
            _ => stream.write_all(OK),
        };
    })
}

fn endless(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")?;
    loop {
        stream.write_all(&[0; 10_000])?;
    }
}

/// How requests to a backend ended, but for those that were answered.
fn failures(backend: &Value) -> [u64; 4] {
    ["refused", "timed_out", "broken", "garbled"]
        .map(|outcome| backend["outcomes"][outcome].as_u64().unwrap())
}

#[test]
fn whatever_a_request_to_a_backend_ends_in_its_load_comes_down_again() {
    everywhere(|model| {
        let (backends, nobody) = ([failing(), failing()], nobody());
        let mut flags = vec!["--response-timeout", "100ms", "--fall", "1000", "--retries", "3"];
        for address in [&backends[0].address, &backends[1].address, &nobody] {
            flags.extend(["--backend", address]);
        }
        let proxy = Proxy::start(model, "proxy", &flags);
        for path in ["/reset", "/silent", "/cut", "/garbage", "/"].repeat(3) {
            get(proxy.address, path);
        }
        let all = || [0, 1, 2].map(|place| proxy.backend(place));
        eventually("nothing is open", || all().iter().all(|backend| backend["open"] == 0));
        assert!(get(proxy.admin, "/metrics").contains("\nservers_retries_open 0\n"), "{model}");
        let of_each = all().each_ref().map(failures);
        let seen = [0, 1, 2, 3].map(|kind| of_each.iter().map(|of_one| of_one[kind]).sum::<u64>());
        assert!(seen.iter().all(|&count| count >= 3), "{model}: {seen:?}");
    });
}

/// Whether that many requests, one after the other, are answered.
fn all_answered(proxy: &Proxy, requests: usize) -> bool {
    (0..requests).all(|_| get(proxy.address, "/").starts_with("HTTP/1.1 200 "))
}

#[test]
fn a_backend_that_fails_three_times_in_a_row_is_left_alone_and_then_asked_again() {
    let breaking = || {
        Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            reset(stream);
        })
    };
    everywhere(|model| {
        let (good, bad, bad_too) = (Scripted::answering(OK), breaking(), breaking());
        let proxy = |bad: &Scripted, time| {
            let backends = ["--backend", &bad.address, "--backend", &good.address];
            Proxy::start(model, "proxy", &[&backends[..], &["--ejection", time]].concat())
        };
        let strict = proxy(&bad, "1h");
        assert!(all_answered(&strict, 20), "{model}: the other one answers for both");
        let health = strict.backend(0)["health"].clone();
        assert_eq!((health, bad.connections()), (json!("ejected"), 3), "{model}");
        let lenient = proxy(&bad_too, "50ms");
        eventually("it is asked again, and taken out again", || {
            assert!(all_answered(&lenient, 1), "{model}");
            lenient.backend(0)["removals"].as_u64() > Some(1)
        });
    });
}

/// What a client sends before it goes, and how much of an answer it waits for.
const ABANDONED: [(&str, usize); 4] = [
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nnot all", 0),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 12),
    ("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n", 100_000),
    ("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n", 0),
];

fn abandon(address: SocketAddr, (request, octets): (&str, usize)) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut vec![0; octets]).unwrap();
    reset(stream);
}

#[test]
fn a_backend_is_not_blamed_for_clients_that_go_or_talk_nonsense() {
    everywhere(|model| {
        let backend = failing();
        let proxy = Proxy::start(model, "proxy", &["--backend", &backend.address, "--fall", "1"]);
        for way in ABANDONED.repeat(2) {
            abandon(proxy.address, way);
        }
        eventually("all are over", || proxy.stats()["server"]["closed"] == 8);
        let backend = proxy.backend(0);
        assert_eq!(backend["open"], 0, "{model}");
        assert_eq!(failures(&backend), [0; 4], "{model}: {backend:#}");
        assert_eq!(backend["spared"], 0, "{model}: {backend:#}");
    });
}

/// A proxy with room for 40 descriptors in a table, and its backend.
fn narrow() -> (Proxy, Scripted) {
    let backend = Scripted::answering(OK);
    let by = ["prlimit", "--nofile=40:40", "--", SERVERS];
    let proxy = Proxy::start_by(&by, "epoll-level", "proxy", &["--backend", &backend.address]);
    (proxy, backend)
}

fn hold(address: SocketAddr, connections: usize) -> Vec<TcpStream> {
    (0..connections).map(|_| TcpStream::connect(address).unwrap()).collect()
}

#[test]
fn the_admin_server_answers_when_clients_have_taken_all_descriptors() {
    if !tables::may_part() {
        return eprintln!("SKIPPED: no descriptor table of its own here");
    }
    let (mut proxy, _backend) = narrow();
    let clients = hold(proxy.address, 60);
    proxy.says("cannot accept");
    assert!(proxy.stats()["server"]["accepts_without_room"].as_u64() > Some(0));
    drop(clients);
    assert!(get(proxy.address, "/").starts_with("HTTP/1.1 200 "));
}

/// So many descriptors, from now on; once the admin server, which was asked, has its own.
fn allow(proxy: &Proxy, descriptors: usize) {
    let mut by = Command::new("prlimit");
    by.args(["--pid", &proxy.pid().to_string(), &format!("--nofile={descriptors}:")]);
    assert!(by.status().unwrap().success());
}

#[test]
fn probes_for_which_there_is_no_descriptor_say_nothing_of_backends() {
    let backends = [(); 2].map(|()| Scripted::answering(OK));
    let mut flags = vec!["--health-connect", "--health-interval", "20ms"];
    backends.iter().for_each(|backend| flags.extend(["--backend", &backend.address]));
    let proxy = proxy(&flags);
    proxy.stats();
    allow(&proxy, 3);
    sleep(Duration::from_millis(100));
    let before = backends.each_ref().map(Scripted::connections);
    sleep(Duration::from_millis(400));
    assert_eq!(backends.each_ref().map(Scripted::connections), before, "or this shows nothing");
    allow(&proxy, 100);
    for place in 0..2 {
        let backend = proxy.backend(place);
        assert!(backend["removals"] == 0 && backend["spared"] == 0, "{backend:#}");
    }
}

#[test]
fn nor_do_requests() {
    let backend = Scripted::answering(OK);
    let proxy = proxy(&["--backend", &backend.address, "--links-max", "0"]);
    proxy.stats();
    let mut client = proxy.connect();
    for (descriptors, status) in [(100, 200), (3, 503), (3, 503), (3, 503), (100, 200)] {
        allow(&proxy, descriptors);
        client.write_all(GET).unwrap();
        assert_eq!(read_answer(&mut client).0, status);
    }
    let backend = proxy.backend(0);
    assert_eq!((failures(&backend), &backend["spared"]), ([0; 4], &json!(0)), "{backend:#}");
}

#[test]
fn who_holds_connections_to_the_admin_server_takes_no_descriptor_from_the_proxy() {
    if !tables::may_part() {
        return eprintln!("SKIPPED: no descriptor table of its own here");
    }
    let (mut proxy, _backend) = narrow();
    let _readers = hold(proxy.admin, 60);
    proxy.says("cannot accept");
    assert!(get(proxy.address, "/").starts_with("HTTP/1.1 200 "));
}
