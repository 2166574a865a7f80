//! The HTTP proxy in every model, and requests that fail: which are tried again, on whom, and how
//! often.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use process::scripted::{
    GET, OK, Scripted, ask, everywhere, nobody, proxy, read_answer, read_head,
};
use process::{admin, eventually, reset};

/// Nobody is taken out, and no connection is kept.
const PLAIN: [&str; 4] = ["--fall", "1000000", "--links-max", "0"];

#[test]
fn who_is_silent_or_has_begun_to_answer_is_the_last_to_be_asked() {
    let silent = Scripted::new(|mut stream, _| {
        read_head(&mut stream);
        read_head(&mut stream);
    });
    let breaking = Scripted::new(|mut stream, _| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 2").unwrap();
    });
    let good = Scripted::answering(OK);
    everywhere(|model| {
        for (bad, status) in [(&silent, 504), (&breaking, 502)] {
            let flags = [&PLAIN[..], &["--response-timeout", "500ms"]].concat();
            let proxy = proxy(model, &[&bad.address, &good.address], &flags);
            let mut statuses = [(); 4].map(|()| ask(&proxy, GET).0);
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 200, status, status]);
        }
    });
}

#[test]
fn those_who_refuse_do_not_count_as_tries() {
    let good = Scripted::answering(OK);
    let refusing = [nobody(), nobody(), nobody()];
    everywhere(|model| {
        let backends = [&refusing[0], &refusing[1], &refusing[2], &good.address];
        let flags = [&PLAIN[..], &["--retries", "0"]].concat();
        let proxy = proxy(model, &backends.map(String::as_str), &flags);
        for _ in 0..4 {
            assert_eq!(ask(&proxy, GET).0, 200);
        }
    });
}

#[test]
fn a_request_that_has_failed_on_its_clients_own_backend_goes_to_another() {
    let resetting = Scripted::new(|mut stream, _| {
        read_head(&mut stream);
        reset(stream);
    });
    let closing = Scripted::new(|mut stream, _| _ = read_head(&mut stream));
    let good = Scripted::answering(OK);
    everywhere(|model| {
        for bad in [&resetting, &closing] {
            let before = bad.connections();
            // Whichever place is the client's, once the bad one has it.
            for backends in [[&bad.address, &good.address], [&good.address, &bad.address]] {
                let flags = [&PLAIN[..], &["--policy", "ip-hash", "--retries", "1"]].concat();
                let proxy = proxy(model, &backends.map(String::as_str), &flags);
                assert_eq!(ask(&proxy, GET).0, 200);
            }
            assert_eq!(bad.connections() - before, 1, "it was asked once");
        }
    });
}

#[test]
fn a_kept_connection_that_breaks_under_a_request_is_no_try_and_no_failure_of_its_backend() {
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    everywhere(|model| {
        // Each connection answers once, and breaks when it is asked again.
        let posts = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&posts);
        let backend = Scripted::new(move |mut stream, _| {
            for answers in [true, false] {
                let head = read_head(&mut stream);
                counted.fetch_add(usize::from(head.starts_with("POST")), Ordering::SeqCst);
                if answers {
                    stream.write_all(OK).unwrap();
                }
            }
            reset(stream);
        });
        let flags = ["--backend", &backend.address, "--retries", "0", "--fall", "1"];
        let proxy = admin::Proxy::start(model, "proxy", &flags);
        let mut stream = proxy.connect();
        for (request, status) in [(GET, 200), (GET, 200), (GET, 200), (POST, 502), (POST, 200)] {
            stream.write_all(request).unwrap();
            assert_eq!(read_answer(&mut stream).0, status);
        }
        assert_eq!(posts.load(Ordering::SeqCst), 2, "each of them was sent once");
        let backend = proxy.backend(0);
        assert_eq!((&backend["outcomes"]["broken"], &backend["spared"]), (&0.into(), &0.into()));
    });
}

/// How many requests are under way decides, whatever the model; and one worker knows that exactly.
#[test]
fn when_many_fail_at_once_a_fifth_of_those_under_way_is_tried_again() {
    const CLIENTS: usize = 40;
    let (breaks, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (may_break, may_answer) = (Arc::clone(&breaks), Arc::clone(&answers));
    let bad = Scripted::new(move |mut stream, _| {
        read_head(&mut stream);
        eventually("all are asked", || may_break.load(Ordering::SeqCst));
        reset(stream);
    });
    let good = Scripted::new(move |mut stream, _| {
        read_head(&mut stream);
        eventually("all have broken", || may_answer.load(Ordering::SeqCst));
        stream.write_all(OK).unwrap();
    });
    let backends = ["--backend", &bad.address, "--backend", &good.address];
    let flags = [&PLAIN[..], &backends, &["--workers", "1"]].concat();
    let proxy = admin::Proxy::start("epoll-edge", "proxy", &flags);
    let mut clients = (0..CLIENTS).map(|_| proxy.connect()).collect::<Vec<_>>();
    clients.iter_mut().for_each(|client| client.write_all(GET).unwrap());
    let asked = || bad.connections() + good.connections();
    eventually("all are asked", || asked() == CLIENTS);
    breaks.store(true, Ordering::SeqCst);
    let broken = || proxy.backend(0)["outcomes"]["broken"] == CLIENTS / 2;
    eventually("half of them have broken", broken);
    answers.store(true, Ordering::SeqCst);
    let statuses = clients.iter_mut().map(|client| read_answer(client).0).collect::<Vec<_>>();
    let failed = statuses.iter().filter(|&&status| status == 502).count();
    let again = proxy.stats()["retries"].as_u64().unwrap();
    assert_eq!(failed as u64 + again, CLIENTS as u64 / 2, "{statuses:?}");
    assert!((4..=CLIENTS as u64 / 5).contains(&again), "{again} are tried again");
}
