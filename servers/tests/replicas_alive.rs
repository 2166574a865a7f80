//! Replicas that are killed, frozen, slow or broken, and a balancer that is: there are always N.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use balancer::{Balancer, change, eventually, lives, names};
use nix::sys::signal::{Signal, kill};

/// Flags with which a replica may be killed again and again and is not taken for one that fails.
const FORGIVING: [&str; 4] = ["--well-after", "1ms", "--request-timeout", "30s"];
const THREE: [&str; 3] = ["Server-1", "Server-2", "Server-3"];

/// Asks for /home and /rep until `done`; counts how often, and fails on any answer but 200.
fn read_until(balancer: &Balancer, done: &AtomicBool) -> u64 {
    let mut count = 0;
    while !done.load(Ordering::Acquire) {
        for path in ["/home", "/rep"] {
            let (status, answer) = balancer.get(path);
            assert_eq!(status, 200, "{path}: {answer}");
            count += 1;
        }
    }
    count
}

#[test]
fn whoever_is_killed_comes_back_and_no_request_notices() {
    let balancer = Balancer::start(&FORGIVING);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(&balancer, &done));
        for round in 0..51 {
            let (victim, others) =
                (THREE[round % 3], [THREE[(round + 1) % 3], THREE[(round + 2) % 3]]);
            let before = others.map(|name| balancer.pid_of(name));
            balancer.kill_and_wait(victim);
            assert_eq!(others.map(|name| balancer.pid_of(name)), before, "nobody else is touched");
        }
        done.store(true, Ordering::Release);
        assert!(reader.join().unwrap() > 0);
    });
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(balancer.children().len(), 3);
}

#[test]
fn of_several_clients_at_once_none_notices_either() {
    let balancer = Balancer::start(&FORGIVING);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // As many as may be tried again at the same time, whatever happens.
        let readers = [(); 3].map(|()| scope.spawn(|| read_until(&balancer, &done)));
        for round in 0..30 {
            balancer.kill_and_wait(THREE[round % 3]);
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}

/// However many they are: they are no second load, for who had them carries nothing any more.
#[test]
fn all_requests_that_a_dead_replica_had_go_on_to_the_next() {
    let flags = ["--replicas", "2", "--heartbeat-interval", "10m", "--request-timeout", "30s"];
    let balancer = Balancer::start(&flags);
    let victim = balancer.pid_of("Server-1");
    kill(victim, Signal::SIGSTOP).unwrap();
    thread::scope(|scope| {
        let asking = [(); 60].map(|()| scope.spawn(|| balancer.get("/home")));
        // The other one answers its own meanwhile.
        thread::sleep(Duration::from_millis(500));
        let waiting = asking.iter().filter(|asking| !asking.is_finished()).count();
        assert!(waiting > 10, "{waiting} wait for the one that is frozen");
        kill(victim, Signal::SIGKILL).unwrap();
        for answer in asking.map(|asking| asking.join().unwrap()) {
            assert_eq!(answer.0, 200, "{}", answer.1);
        }
    });
}

/// One process after the other has its own number, so an answer tells who gave it.
#[test]
fn a_replica_that_is_back_answers_as_another_process() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    assert_eq!(balancer.get("/home").1["message"], "Hello from Server: 1");
    balancer.kill_and_wait("Server-1");
    assert_eq!(balancer.get("/home").1["message"], "Hello from Server: 2");
}

#[test]
fn a_frozen_replica_is_found_by_its_heartbeats_and_replaced() {
    let balancer = Balancer::start(&["--heartbeat-interval", "200ms", "--failures", "3"]);
    let frozen = balancer.pid_of("Server-2");
    kill(frozen, Signal::SIGSTOP).unwrap();
    eventually("it is replaced", || balancer.count("RESPAWN", "Server-2") == 1);
    assert!(!lives(frozen), "it is not left behind");
    let of_frozen =
        |event: &&serde_json::Value| event["pid"].as_i64() == Some(frozen.as_raw().into());
    let events = balancer.events();
    let misses = events.iter().filter(of_frozen).filter(|event| event["tag"] == "HEARTBEAT");
    assert_eq!(misses.count(), 3, "as many as the flag says, and no more");
    assert_eq!(balancer.children().len(), 3);
}

#[test]
fn a_frozen_replica_that_is_not_found_yet_holds_up_its_own_requests_only() {
    let balancer = Balancer::start(&["--heartbeat-interval", "10m", "--request-timeout", "300ms"]);
    kill(balancer.pid_of("Server-1"), Signal::SIGSTOP).unwrap();
    let answers = (0..60).map(|_| balancer.get("/home")).collect::<Vec<_>>();
    let late = answers.iter().filter(|(status, _)| *status != 200).collect::<Vec<_>>();
    assert!((1..60).contains(&late.len()), "{}", late.len());
    for (_, answer) in late {
        assert_eq!(answer["message"], "<Error> Server did not respond");
    }
}

#[test]
fn a_heartbeat_that_comes_again_clears_the_count() {
    let flags = ["--replicas", "1", "--heartbeat-interval", "100ms", "--failures", "100000"];
    let balancer = Balancer::start(&flags);
    let misses = || {
        let events = balancer.events();
        let words = events.iter().filter_map(|event| event["words"].as_str());
        words.filter(|words| words.starts_with("missed, ")).map(str::to_owned).collect::<Vec<_>>()
    };
    // Good heartbeats leave no trace but this one: the count begins anew.
    eventually("it is cleared", || {
        let before = misses().len();
        kill(balancer.pid_of("Server-1"), Signal::SIGSTOP).unwrap();
        eventually("two are missed", || misses().len() >= before + 2);
        kill(balancer.pid_of("Server-1"), Signal::SIGCONT).unwrap();
        thread::sleep(Duration::from_millis(300));
        let mut misses =
            misses().into_iter().skip_while(|words| !words.starts_with("missed, 2 of"));
        misses.any(|words| words.starts_with("missed, 1 of"))
    });
    assert_eq!(balancer.count("FLATLINE", "Server-1"), 0);
}

/// Somebody who answers each client that he is not well.
fn unwell() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
        }
    });
    address
}

#[test]
fn a_replica_that_answers_its_heartbeats_by_an_error_is_not_taken_in() {
    let balancer = Balancer::start_moody(&["--start-timeout", "500ms"]);
    balancer.set_mute(unwell());
    let (status, answer) = balancer.add(r#"{"n": 1}"#);
    let words = answer["message"].as_str().unwrap();
    assert_eq!(status, 503, "{words}");
    assert!(words.contains("has not answered within 500ms"), "{words}");
    assert_eq!(balancer.replicas(), THREE);
}

#[test]
fn nothing_is_left_of_a_balancer_that_is_killed() {
    for flags in [&["--replicas", "8"][..], &[]] {
        let mut balancer = Balancer::start(flags);
        let replicas = balancer.children();
        assert!(replicas.len() >= 3);
        balancer.signal(Signal::SIGKILL);
        balancer.wait();
        eventually("no replica is left", || !replicas.iter().any(|pid| lives(*pid)));
    }
}

#[test]
fn nothing_is_left_of_a_balancer_that_is_killed_while_a_replica_starts() {
    let mut balancer = Balancer::start_moody(&[]);
    balancer.set_mood("slow");
    let address = balancer.address;
    let adding = thread::spawn(move || {
        std::panic::catch_unwind(|| change(address, "POST /add", r#"{"n": 1}"#))
    });
    eventually("it starts", || balancer.children().len() == 4);
    let replicas = balancer.children();
    balancer.signal(Signal::SIGKILL);
    balancer.wait();
    eventually("no replica is left", || !replicas.iter().any(|pid| lives(*pid)));
    assert!(adding.join().unwrap().is_err(), "there is nobody who could have answered");
}

#[test]
fn a_stop_drains_and_takes_all_replicas_along() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut balancer = Balancer::start(&["--replicas", "5"]);
        let replicas = balancer.children();
        balancer.signal(signal);
        assert!(balancer.wait().success());
        assert!(!replicas.iter().any(|pid| lives(*pid)), "none is left when it ends");
        let stopped = |event: &&serde_json::Value| event["tag"] == "REMOVE";
        let events = balancer.events();
        let words = events.iter().filter(stopped).map(|event| event["words"].as_str().unwrap());
        assert_eq!(words.collect::<Vec<_>>(), ["stopped: exit status: 0"; 5]);
    }
}

#[test]
fn a_stop_does_not_wait_for_a_replica_that_is_slow_to_start() {
    let mut balancer = Balancer::start_moody(&["--start-timeout", "10m"]);
    balancer.set_mood("slow");
    let address = balancer.address;
    let add = move || change(address, "POST /add", r#"{"n": 1}"#);
    let adding = thread::spawn(move || std::panic::catch_unwind(add));
    eventually("it starts", || balancer.children().len() == 4);
    let replicas = balancer.children();
    // The first signal lets clients finish, the second one does not.
    balancer.signal(Signal::SIGTERM);
    balancer.signal(Signal::SIGINT);
    assert!(balancer.wait().success());
    assert!(!replicas.iter().any(|pid| lives(*pid)));
    // It may have been told, or cut off.
    let _ = adding.join().unwrap();
}

#[test]
fn readers_go_on_while_a_new_replica_is_slow_to_start() {
    let balancer = Balancer::start_moody(&["--start-timeout", "10m", "--request-timeout", "30s"]);
    balancer.set_mood("slow");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let adding = scope.spawn(|| balancer.add(r#"{"n": 1, "hostnames": ["S4"]}"#));
        eventually("it starts", || balancer.count("CREATE", "S4") == 1);
        for _ in 0..100 {
            assert_eq!(balancer.replicas(), THREE, "not before it has answered a heartbeat");
            assert_eq!(balancer.get("/home").0, 200);
        }
        assert!(!adding.is_finished());
        let reader = scope.spawn(|| read_until(&balancer, &done));
        // The shell stops itself, so the signal to go on may have to come again.
        eventually("it goes on", || {
            kill(balancer.pid_of("S4"), Signal::SIGCONT).unwrap();
            adding.is_finished()
        });
        let (status, answer) = adding.join().unwrap();
        assert_eq!((status, names(&answer).len()), (200, 4), "{answer}");
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });
}

#[test]
fn readers_go_on_while_a_replica_is_slow_to_stop() {
    let flags =
        ["--stop-timeout", "10m", "--heartbeat-interval", "10m", "--request-timeout", "30s"];
    let balancer = Balancer::start(&flags);
    let frozen = balancer.pid_of("Server-2");
    kill(frozen, Signal::SIGSTOP).unwrap();
    thread::scope(|scope| {
        let removing = scope.spawn(|| balancer.remove(r#"{"n": 1, "hostnames": ["Server-2"]}"#));
        eventually("it is out of the view", || balancer.replicas().len() == 2);
        for _ in 0..100 {
            assert_eq!(balancer.get("/home").0, 200);
            assert_eq!(balancer.replicas(), ["Server-1", "Server-3"]);
        }
        assert!(!removing.is_finished() && lives(frozen));
        kill(frozen, Signal::SIGCONT).unwrap();
        assert_eq!(removing.join().unwrap().0, 200);
    });
    assert!(!lives(frozen));
}

#[test]
fn a_replica_that_does_not_stop_in_time_is_killed() {
    let balancer = Balancer::start(&["--stop-timeout", "50ms"]);
    kill(balancer.pid_of("Server-1"), Signal::SIGSTOP).unwrap();
    assert_eq!(balancer.remove(r#"{"n": 1, "hostnames": ["Server-1"]}"#).0, 200);
    let events = balancer.events();
    let last = events.iter().rfind(|event| event["replica"] == "Server-1").unwrap();
    assert_eq!(last["words"], "stopped: signal: 9 (SIGKILL)");
    assert_eq!(balancer.children().len(), 2);
}

#[test]
fn who_is_killed_and_removed_at_the_same_time_does_not_come_back() {
    let balancer = Balancer::start(&FORGIVING);
    for round in 0..25 {
        assert_eq!(balancer.add(r#"{"n": 1, "hostnames": ["S4"]}"#).0, 200);
        let victim = balancer.pid_of("S4");
        thread::scope(|scope| {
            let removing = scope.spawn(|| balancer.remove(r#"{"n": 1, "hostnames": ["S4"]}"#).0);
            // It may have gone already: that is the race.
            thread::sleep(Duration::from_micros(200 * round));
            let _ = kill(victim, Signal::SIGKILL);
            assert_eq!(removing.join().unwrap(), 200);
        });
        let count = balancer.events().len();
        assert_eq!(balancer.replicas(), THREE);
        assert_eq!(balancer.children().len(), 3);
        assert_eq!(balancer.events().len(), count, "nothing happens to anybody afterwards");
    }
}

#[test]
fn one_that_fails_again_and_again_is_said_to_have_failed_and_no_storm() {
    let flags = ["--pause", "1ms", "--pause-max", "10m", "--starts-within", "10m"];
    let balancer = Balancer::start_moody(&flags);
    balancer.set_mood("broken");
    kill(balancer.pid_of("Server-1"), Signal::SIGKILL).unwrap();
    let failed = || {
        let events = balancer.events();
        let words = events.iter().filter_map(|event| event["words"].as_str());
        words.filter(|words| words.starts_with("failed: 5 starts in 600s")).count()
    };
    eventually("it has failed", || failed() == 1);
    assert_eq!(balancer.count("RECREATE", "Server-1"), 4, "five starts with the first one");
    assert_eq!(balancer.replicas(), THREE, "it keeps its place");
    for _ in 0..20 {
        assert_eq!(balancer.get("/home").0, 200, "and the others have its requests");
    }
    assert_eq!(balancer.remove(r#"{"n": 1, "hostnames": ["Server-1"]}"#).0, 200);
    assert_eq!(balancer.count("REMOVE", "Server-1"), 1, "although it had no process");
    balancer.clear_mood("broken");
    assert_eq!(balancer.add(r#"{"n": 1, "hostnames": ["Server-1"]}"#).0, 200);
}

#[test]
fn starts_come_in_batches() {
    let balancer = Balancer::start_moody(&["--batch", "2", "--start-timeout", "10m"]);
    balancer.set_mood("slow");
    let created = || {
        let events = balancer.events();
        events.iter().filter(|event| event["tag"] == "CREATE").count() - 3
    };
    thread::scope(|scope| {
        let adding = scope.spawn(|| balancer.add(r#"{"n": 5}"#).0);
        eventually("two start", || created() == 2);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(created(), 2, "a third one has to wait");
        balancer.clear_mood("slow");
        eventually("all have started", || {
            for pid in balancer.children() {
                let _ = kill(pid, Signal::SIGCONT);
            }
            adding.is_finished()
        });
        assert_eq!(adding.join().unwrap(), 200);
    });
    assert_eq!(balancer.children().len(), 8);
}

#[test]
fn many_come_and_go_at_the_same_time_and_the_lists_agree() {
    let balancer = Balancer::start(&FORGIVING);
    let added = AtomicU64::new(0);
    thread::scope(|scope| {
        for worker in 0..4 {
            let (balancer, added) = (&balancer, &added);
            scope.spawn(move || {
                for round in 0..5 {
                    let payload = format!(r#"{{"n": 2, "hostnames": ["S-{worker}-{round}"]}}"#);
                    assert_eq!(balancer.add(&payload).0, 200);
                    added.fetch_add(2, Ordering::Relaxed);
                    let payload = format!(r#"{{"n": 1, "hostnames": ["S-{worker}-{round}"]}}"#);
                    assert_eq!(balancer.remove(&payload).0, 200);
                }
            });
        }
    });
    assert_eq!(balancer.replicas().len() as u64, 3 + added.into_inner() / 2);
    assert_eq!(balancer.children().len(), balancer.replicas().len());
}
