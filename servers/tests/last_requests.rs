//! A server that is told to stop answers what it has been asked by then, in every model alike; and
//! nobody who comes later keeps it from stopping.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use process::scripted::{GET, Scripted, everywhere, proxy, read_answer, read_head};
use process::{LONG, Server, read_to_close};
use servers::models::{AtOnce, model};

const HELLO: (u16, &str) = (200, "Hello, world!\n");

/// How many clients a model serves beside each other here.
fn at_once(name: &str) -> usize {
    if model(name).unwrap().at_once == AtOnce::One { 1 } else { 8 }
}

/// Everything that `clients` do has happened before the server has its next turn, and the signal
/// after it: what it finds then is what it has been asked by then.
fn tell_to_stop_after<T>(server: &Server, clients: impl FnOnce() -> T) -> T {
    server.signal(Signal::SIGSTOP);
    let done = clients();
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    done
}

fn answers(clients: Vec<TcpStream>) -> usize {
    let is_right = |mut client: TcpStream| read_answer(&mut client) == (HELLO.0, HELLO.1.into());
    clients.into_iter().map(is_right).filter(|&right| right).count()
}

/// More clients than are accepted in one round while the server runs.
#[test]
fn who_waits_to_be_accepted_is_answered() {
    everywhere(|model| {
        let mut server = Server::start(model, "http", &[]);
        let come = || {
            let mut client = server.connect();
            client.write_all(GET).unwrap();
            client
        };
        let clients = tell_to_stop_after(&server, || (0..300).map(|_| come()).collect());
        assert_eq!(answers(clients), 300, "{model}");
        assert!(server.wait().success());
    });
}

#[test]
fn who_has_asked_on_an_old_connection_is_answered() {
    everywhere(|model| {
        let mut server = Server::start(model, "http", &[]);
        let mut clients = (0..at_once(model)).map(|_| server.connect()).collect::<Vec<_>>();
        for client in &mut clients {
            client.write_all(GET).unwrap();
            assert_eq!(read_answer(client), (HELLO.0, HELLO.1.into()));
        }
        tell_to_stop_after(&server, || {
            clients.iter_mut().for_each(|client| client.write_all(GET).unwrap());
        });
        assert_eq!(answers(clients), at_once(model), "{model}");
        assert!(server.wait().success());
    });
}

/// Asks again and again until the connection ends; whether it was told so before.
fn is_told(mut client: TcpStream) -> bool {
    loop {
        let head = match client.write_all(GET) {
            Ok(()) => read_head(&mut client),
            Err(_) => return false,
        };
        if head.is_empty() || head.contains("Connection: close") {
            return !head.is_empty();
        }
        client.read_exact(&mut [0; HELLO.1.len()]).unwrap();
    }
}

/// How many of so many clients who never pause are told that an answer is the last.
fn told(server: &Server, clients: usize) -> usize {
    let clients = (0..clients).map(|_| server.connect()).collect::<Vec<_>>();
    thread::scope(|scope| {
        let clients = clients.into_iter().map(|client| scope.spawn(|| is_told(client)));
        let clients = clients.collect::<Vec<_>>();
        thread::sleep(Duration::from_millis(50));
        server.signal(Signal::SIGTERM);
        clients.into_iter().map(|client| usize::from(client.join().unwrap())).sum()
    })
}

/// Who does not know that an answer is the last sends one more request, and does not know what has
/// become of it. On a busy machine a client may have paused for longer than the server waits.
#[test]
fn who_goes_on_asking_is_told_which_answer_is_the_last() {
    everywhere(|model| {
        let all = at_once(model);
        assert!((0..5).any(|_| told(&Server::start(model, "http", &[]), all) == all), "{model}");
        let backend =
            Scripted::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello, world!\n");
        let proxy = || proxy(model, &[&backend.address], &[]);
        assert!((0..5).any(|_| told(&proxy(), all) == all), "{model}: a proxy");
    });
}

/// The rest comes some ticks after the server has begun to stop.
#[test]
fn a_message_that_has_begun_may_be_finished() {
    everywhere(|model| {
        let mut server = Server::start(model, "http", &[]);
        let mut clients = (0..at_once(model)).map(|_| server.connect()).collect::<Vec<_>>();
        for client in &mut clients {
            client.write_all(GET).unwrap();
            read_answer(client);
        }
        tell_to_stop_after(&server, || {
            for client in &mut clients {
                let begun = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc";
                client.write_all(begun).unwrap();
            }
        });
        thread::sleep(Duration::from_millis(400));
        for mut client in clients {
            client.write_all(b"def").unwrap();
            let answer = read_to_close(&mut client);
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("abcdef"), "{answer}");
        }
        assert!(server.wait().success());
    });
}

/// How long a server drops what comes after its last words.
const LINGER: Duration = Duration::from_secs(2);

/// How long it takes until a client that has had a long answer, and rests, sees the end.
fn end_comes_after(model: &str) -> Duration {
    let server = Server::start(model, "http", &[]);
    let mut client = server.connect();
    client.write_all(b"GET /bytes/3000000 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut client).1.len(), 3_000_000);
    server.signal(Signal::SIGTERM);
    let start = Instant::now();
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "{model}");
    start.elapsed()
}

/// That the answer took several writes is a reason to linger, but not to keep the end from the
/// client meanwhile. On a busy machine all may take longer.
#[test]
fn who_rests_after_a_long_answer_sees_the_end_before_the_server_has_lingered() {
    everywhere(|model| assert!((0..5).any(|_| end_comes_after(model) < LINGER), "{model}"));
}

/// Comes, asks for a while's work, and comes again, until there is nobody to come to.
fn keeps_coming(address: SocketAddr, enough: &AtomicBool) {
    while !enough.load(Ordering::Relaxed) {
        let Ok(mut client) = TcpStream::connect_timeout(&address, LONG) else { return };
        client.set_read_timeout(Some(LONG)).unwrap();
        let ask = b"GET /work/5000 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        // Whoever comes too late is turned away, by a reset.
        let _ = client.write_all(ask).and_then(|()| client.read_to_end(&mut Vec::new()));
    }
}

#[test]
fn clients_who_keep_coming_do_not_keep_it_from_stopping() {
    everywhere(|model| {
        let mut server = Server::start(model, "http", &["--drain-timeout", "1h"]);
        let enough = AtomicBool::new(false);
        let address = server.address;
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| keeps_coming(address, &enough));
            }
            thread::sleep(Duration::from_millis(200));
            server.signal(Signal::SIGTERM);
            let start = Instant::now();
            while server.runs() && start.elapsed() < LONG / 3 {
                thread::sleep(Duration::from_millis(5));
            }
            enough.store(true, Ordering::Relaxed);
        });
        assert!(!server.runs(), "{model} still serves");
    });
}

/// He could go to another server, or wait in vain: this one answers nobody who comes now.
#[test]
fn who_comes_while_others_finish_is_refused_at_once() {
    everywhere(|model| {
        if at_once(model) == 1 {
            return; // It does not look for others while it has one.
        }
        let mut server = Server::start(model, "http", &["--drain-timeout", "1h"]);
        let mut slow = server.connect();
        slow.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc").unwrap();
        slow.read_exact(&mut [0; 15]).unwrap();
        server.signal(Signal::SIGTERM);
        let is_refused = || {
            let error = TcpStream::connect_timeout(&server.address, LONG).err();
            error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        };
        // Longer than it takes to hear the signal, and not as long as a body may take.
        let start = Instant::now();
        while !is_refused() {
            assert!(start.elapsed() < LONG / 6, "{model} has a newcomer wait");
            thread::sleep(Duration::from_millis(10));
        }
        slow.write_all(b"def").unwrap();
        let answer = read_to_close(&mut slow);
        assert!(answer.ends_with("abcdef"), "{model}: {answer}");
        assert!(server.wait().success());
    });
}

/// Whoever was taken on is counted as gone at the end, whether it went by itself or was closed.
#[test]
fn at_the_second_signal_all_are_closed_and_counted() {
    everywhere(|model| {
        let mut server = Server::start(model, "http", &["--drain-timeout", "1h"]);
        let mut clients = (0..at_once(model)).map(|_| server.connect()).collect::<Vec<_>>();
        for client in &mut clients {
            client
                .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
                .unwrap();
            client.read_exact(&mut [0; 15]).unwrap();
        }
        server.signal(Signal::SIGTERM);
        thread::sleep(Duration::from_millis(300));
        let counters = server.stop();
        assert_eq!(counters["accepted"], clients.len(), "{model}");
        assert_eq!((&counters["open"], &counters["closed"]), (&0.into(), &counters["accepted"]));
    });
}
