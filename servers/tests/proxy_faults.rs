//! The HTTP proxy in every model, before backends and clients that do what they should not.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use process::scripted::{
    Deaf, GET, OK, Scripted, ask, everywhere, nobody, proxy, read_answer, read_final, read_head,
    start,
};
use process::{LONG, Server, admin, eventually, read_to_close, reset};

#[test]
fn who_refuses_is_passed_over_and_where_nobody_is_left_it_says_503() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let half = proxy(model, &[&nobody(), &backend.address], &[]);
        for _ in 0..6 {
            assert_eq!(ask(&half, GET).0, 200);
        }
        let none = proxy(model, &[&nobody(), &nobody()], &[]);
        let mut stream = none.connect();
        stream.write_all(GET).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: "), "{head}");
    });
}

#[test]
fn trying_ends_however_many_backends_refuse() {
    everywhere(|model| {
        let refusing = (0..12).map(|_| nobody()).collect::<Vec<_>>();
        let refusing = refusing.iter().map(String::as_str).collect::<Vec<_>>();
        // None of them is taken out meanwhile.
        let flags = ["--fall", "1000000"];
        assert_eq!(ask(&proxy(model, &refusing, &flags), GET).0, 503);
        let relay = start(model, "relay", &refusing, &flags);
        let end = relay.try_connect().and_then(|mut stream| stream.read(&mut [0]));
        let end = end.map_err(|error| error.kind());
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    });
}

#[test]
fn who_does_not_accept_costs_its_time_once_for_each_try_and_then_it_says_504() {
    let deaf = [Deaf::new(), Deaf::new(), Deaf::new(), Deaf::new()];
    let deaf = deaf.each_ref().map(|deaf| deaf.address.as_str());
    everywhere(|model| {
        for (retries, tries) in [("0", 1), ("2", 3)] {
            let flags = ["--connect-timeout", "200ms", "--retries", retries];
            let mut proxy = proxy(model, &deaf, &flags);
            let start = Instant::now();
            assert_eq!(ask(&proxy, GET).0, 504);
            assert!(start.elapsed() >= Duration::from_millis(200) * tries);
            assert_eq!(proxy.stop()["expired"], tries, "with {retries} retries");
        }
        let good = Scripted::answering(OK);
        let half = proxy(model, &[deaf[0], &good.address], &["--connect-timeout", "200ms"]);
        for _ in 0..4 {
            assert_eq!(ask(&half, GET).0, 200);
        }
    });
}

#[test]
fn a_kept_connection_that_has_died_is_no_reason_to_fail() {
    everywhere(|model| {
        // Each connection answers once, and dies without a word about it.
        let backend = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            stream.write_all(OK).unwrap();
        });
        let proxy = proxy(model, &[&backend.address], &[]);
        for request in [GET, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"] {
            for _ in 0..3 {
                assert_eq!(ask(&proxy, request).0, 200);
                // The end is there before the next request.
                thread::sleep(Duration::from_millis(20));
            }
        }
    });
}

#[test]
fn a_request_is_repeated_only_where_that_does_no_harm() {
    everywhere(|model| {
        // The first connection is reset when the request has been read.
        let served = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&served);
        let backend = Scripted::new(move |mut stream, number| {
            let head = read_head(&mut stream);
            counted.fetch_add(usize::from(head.starts_with("POST")), Ordering::SeqCst);
            if number % 2 == 0 {
                return reset(stream);
            }
            stream.write_all(OK).unwrap();
            read_head(&mut stream);
        });
        let other = Scripted::answering(OK);
        let proxy = proxy(
            model,
            &[&backend.address, &other.address],
            &["--fall", "1000", "--links-max", "0"],
        );
        for _ in 0..4 {
            assert_eq!(ask(&proxy, GET).0, 200);
        }
        // With content, which is not kept, and without, where only the method forbids it.
        let with = &b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nonce"[..];
        let without = &b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"[..];
        for post in [with, without] {
            let before = served.load(Ordering::SeqCst);
            let statuses = (0..8).map(|_| ask(&proxy, post).0).collect::<Vec<_>>();
            assert!(statuses.iter().all(|status| matches!(status, 200 | 502)), "{statuses:?}");
            let failed = statuses.iter().filter(|&&status| status == 502).count();
            assert!(failed > 0, "{statuses:?}");
            let done = served.load(Ordering::SeqCst) - before;
            assert_eq!(done, 4, "each second one went there, and once");
        }
    });
}

#[test]
fn an_answer_that_is_cut_is_seen_as_cut() {
    everywhere(|model| {
        for (part, last) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"[..], "\r\n\r\nhalf"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "\nhalf\r\n"),
            (b"HTTP/1.1 200 OK\r\n\r\nall of it", "\nall of it\r\n0\r\n\r\n"),
        ] {
            let backend = Scripted::new(move |mut stream, _| {
                read_head(&mut stream);
                stream.write_all(part).unwrap();
            });
            let proxy = proxy(model, &[&backend.address], &[]);
            let mut stream = proxy.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
            let answer = read_to_close(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with(last), "nothing is added to it: {answer}");
        }
    });
}

#[test]
fn what_makes_no_sense_is_502_and_silence_is_504() {
    everywhere(|model| {
        for garbage in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ] {
            let backend = Scripted::answering(garbage);
            assert_eq!(ask(&proxy(model, &[&backend.address], &[]), GET).0, 502);
        }
        let silent = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            read_head(&mut stream);
        });
        let proxy = proxy(model, &[&silent.address], &["--response-timeout", "200ms"]);
        let start = Instant::now();
        assert_eq!(ask(&proxy, GET).0, 504);
        assert!(start.elapsed() >= Duration::from_millis(200));
    });
}

#[test]
fn an_interim_answer_takes_no_room_from_what_follows_it() {
    // All of it comes in one read, and beside the first head a buffer has no room for another.
    let hints = format!("HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n", "x".repeat(900));
    let more = hints.repeat(20);
    let ok = String::from_utf8_lossy(OK);
    for (then, status) in [(&*ok, 200), ("nonsense\r\n\r\n", 502), ("", 502), (&*more, 502)] {
        let said = format!("{hints}{then}");
        let backend = Scripted::new(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                let _ = stream.write_all(said.as_bytes());
                if status == 502 {
                    return;
                }
            }
        });
        everywhere(|model| {
            let proxy = proxy(model, &[&backend.address], &["--buffer", "1024"]);
            let mut stream = proxy.connect();
            for _ in 0..2 {
                stream.write_all(GET).unwrap();
                assert_eq!(read_final(&mut stream).0, status);
            }
        });
    }
}

#[test]
fn what_nobody_asked_for_reaches_nobody() {
    const BAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    everywhere(|model| {
        let late = Duration::from_millis(20);
        for (pause, affinity) in [
            (Duration::ZERO, "request"),
            (late, "request"),
            (Duration::ZERO, "connection"),
            (late, "connection"),
        ] {
            let said = Arc::<AtomicUsize>::default();
            let counted = Arc::clone(&said);
            let backend = Scripted::new(move |mut stream, _| {
                while !read_head(&mut stream).is_empty() {
                    let _ = stream.write_all(OK);
                    thread::sleep(pause);
                    let _ = stream.write_all(BAD);
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
            let proxy = proxy(model, &[&backend.address], &["--affinity", affinity]);
            let mut stream = proxy.connect();
            for round in 1..=4 {
                stream.write_all(GET).unwrap();
                assert_eq!(read_answer(&mut stream), (200, "ok".into()));
                eventually("it is said", || said.load(Ordering::SeqCst) == round);
            }
        }
    });
}

#[test]
fn nor_does_what_was_read_with_the_end_of_an_answer() {
    const BAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    // An answer as long as a buffer of the proxy's. What it reads after the first part fills the
    // buffer to the end of the answer, and may hold as much again.
    let first = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(BAD.len()));
    let last = |length: usize| format!("\r\nContent-Length: {length}\r\n\r\n");
    let body = "o".repeat(1024 - first.len() - last(900).len());
    let rest = [last(body.len()).as_bytes(), body.as_bytes(), BAD].concat();
    everywhere(|model| {
        let (first, rest) = (first.clone(), rest.clone());
        let backend = Scripted::new(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                stream.write_all(first.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(50));
                let _ = stream.write_all(&rest);
            }
        });
        let flags = ["--buffer", "1024", "--affinity", "connection"];
        let proxy = proxy(model, &[&backend.address], &flags);
        let mut stream = proxy.connect();
        for _ in 0..3 {
            stream.write_all(GET).unwrap();
            assert_eq!(read_answer(&mut stream), (200, body.clone()));
        }
    });
}

#[test]
fn when_the_client_goes_the_backend_is_told() {
    everywhere(|model| {
        let (heard, gone) = std::sync::mpsc::channel();
        let heard = std::sync::Mutex::new(heard);
        let backend = Scripted::new(move |mut stream, _| {
            read_head(&mut stream);
            let end = stream.read(&mut [0]).map_err(|error| error.kind());
            let _ = heard.lock().unwrap().send(end);
        });
        let proxy = proxy(model, &[&backend.address], &["--response-timeout", "2s"]);
        let mut stream = proxy.connect();
        stream.write_all(GET).unwrap();
        eventually("the backend is asked", || backend.connections() == 1);
        thread::sleep(Duration::from_millis(50));
        reset(stream);
        let end = gone.recv_timeout(LONG).unwrap();
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    });
}

#[test]
fn nor_is_it_left_waiting_for_the_rest_of_a_request_that_will_not_come() {
    everywhere(|model| {
        let (gone, is_gone) = std::sync::mpsc::channel();
        let backend = Scripted::new(move |mut stream, _| {
            read_head(&mut stream);
            let _ = stream.read_to_end(&mut Vec::new());
            let _ = gone.send(());
        });
        let proxy = proxy(model, &[&backend.address], &["--body-timeout", "10m"]);
        let mut stream = proxy.connect();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        is_gone.recv_timeout(LONG / 2).expect("the backend is told");
    });
}

/// What a backend says once it is asked: nothing, a part of an answer, nonsense, and an answer.
const SAID: [&[u8]; 5] = [
    b"",
    b"HTTP/1.1 2",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    b"nonsense\r\n\r\n",
    OK,
];
/// What a client asks: all of a request, and a part of one.
const ASKED: [&[u8]; 2] = [
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf",
];

#[test]
fn whatever_becomes_of_a_request_its_backend_is_rid_of_it() {
    let backend = Scripted::new(|mut stream, number| {
        read_head(&mut stream);
        let _ = stream.write_all(SAID[number % SAID.len()]);
        match number % 3 {
            0 => reset(stream),
            1 => _ = stream.read_to_end(&mut Vec::new()),
            _ => {}
        }
    });
    let spans = ["--response-timeout", "200ms", "--body-timeout", "200ms", "--fall", "1000"];
    everywhere(|model| {
        let flags = [&["--backend", &backend.address][..], &spans].concat();
        let proxy = admin::Proxy::start(model, "proxy", &flags);
        let ask = &|number: usize| {
            let mut stream = proxy.connect();
            stream.write_all(ASKED[number % 2]).unwrap();
            match number / 2 % 3 {
                0 => return reset(stream),
                1 => _ = stream.shutdown(Shutdown::Write),
                _ => {}
            }
            let _ = stream.read_to_end(&mut Vec::new());
        };
        thread::scope(|scope| {
            (0..30).for_each(|number| _ = scope.spawn(move || ask(number)));
        });
        assert!(proxy.backend(0)["leased"].as_u64() >= Some(15), "{}", proxy.backend(0));
        eventually("nothing is left", || proxy.backend(0)["open"] == 0);
    });
}

#[test]
fn without_a_descriptor_for_a_backend_it_says_503_and_goes_on() {
    let backend = Server::start("epoll-level", "http", &[]);
    everywhere(|model| {
        let address = backend.address.to_string();
        let by = ["prlimit", "--nofile=24:24", process::SERVERS];
        let mut proxy = Server::start_by(&by, model, "proxy", &["--backend", &address]);
        let mut held = Vec::new();
        let mut statuses = Vec::new();
        for _ in 0..24 {
            let mut stream = proxy.connect();
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            stream.write_all(GET).unwrap();
            let head = read_head(&mut stream);
            statuses.push(head.get(9..12).unwrap_or("none").to_owned());
            held.push(stream);
        }
        let known = ["200", "503", "none"];
        assert!(statuses.iter().all(|status| known.contains(&status.as_str())), "{statuses:?}");
        drop(held);
        eventually("it answers again", || {
            let mut stream = proxy.connect();
            stream.write_all(GET).unwrap();
            read_head(&mut stream).starts_with("HTTP/1.1 200")
        });
        assert!(proxy.runs());
    });
}
