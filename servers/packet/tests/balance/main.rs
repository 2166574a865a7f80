//! The balancer in the kernel, against the one in user space, and against itself on two CPUs.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod model;
mod parallel;
mod post;

use std::net::SocketAddrV4;
use std::thread::sleep;
use std::time::Duration;

use packet::bpf::{self, Action, Trial};
use packet::frame::tagged;
use packet::jobs::message::{Message, More};
use packet::programs::balance::{Count, Health, Keeper, Parameters};
use packet::programs::filter::Trace;

const PATIENT: Duration = Duration::from_secs(3600);

/// A balancer, unless this host has no XDP to offer.
fn balancer(queue: u32, patience: Duration, trace: Trace) -> Option<Keeper> {
    if let Some(missing) = bpf::missing() {
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    let port = post::BALANCER.rsplit(':').next().unwrap().parse().unwrap();
    let made = Keeper::new(&Parameters { port, queue, patience, trace });
    Some(made.unwrap_or_else(|error| panic!("{error}")))
}

fn server(number: u8) -> SocketAddrV4 {
    format!("10.0.{number}.{}:{}", 255 - number, 6000 + u16::from(number) * 251).parse().unwrap()
}

fn client() -> SocketAddrV4 {
    "172.18.0.254:40000".parse().unwrap()
}

#[test]
fn the_most_free_server_gets_the_job_and_of_several_the_first() {
    let Some(keeper) = balancer(8, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    for (number, free) in [(1, 2), (2, 3), (3, 3)] {
        assert_eq!(post::send(&mut trial, server(number), &Message::register(free, 1)), None);
    }
    let mut order = Vec::new();
    for id in 1..=8 {
        let sent = post::send(&mut trial, client(), &Message::submit(id, 5));
        order.push(sent.map(|(to, _)| (1..=3).find(|number| server(*number) == to).unwrap()));
    }
    let expected = [2, 3, 1, 2, 3, 1, 2, 3];
    assert_eq!(order, expected.map(Some));
    assert_eq!(post::send(&mut trial, client(), &Message::submit(9, 5)), None, "all are busy");
}

#[test]
fn a_full_queue_rejects_exactly_what_it_has_no_room_for() {
    let Some(keeper) = balancer(1_024, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    for id in 1..=1_500 {
        assert_eq!(post::send(&mut trial, client(), &Message::submit(id, 1)), None);
    }
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.queued, counts.rejected, counts.waiting), (1_024, 476, 1_024));
    // A server with one thread gets the rest in the order in which they came.
    let mut sent = post::send(&mut trial, server(1), &Message::register(1, 1));
    for id in 1..=1_024 {
        let more = if id < 1_024 { More::Waiting } else { More::None };
        assert_eq!(sent, Some((server(1), Message::job(id, 1, 1, more))));
        sent = post::send(&mut trial, server(1), &Message::done(id, 1));
    }
    assert_eq!(sent, None);
    let counts = keeper.counts().unwrap();
    assert!(counts.add_up() && counts.done == 1_024, "{counts:?}");
}

#[test]
fn a_server_that_registers_with_n_threads_gets_n_jobs_that_wait() {
    let Some(keeper) = balancer(16, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    (1..=9)
        .for_each(|id| assert_eq!(post::send(&mut trial, client(), &Message::submit(id, 1)), None));
    let mut got = Vec::new();
    // Its first word, and one more for each job that says that others wait, while it has a thread.
    while let Some((_, job)) = post::send(&mut trial, server(1), &Message::register(5, 1)) {
        got.push(job.id);
        assert_eq!(job.more, More::Waiting);
    }
    assert_eq!(got, [1, 2, 3, 4, 5], "and never more than it has threads");
}

#[test]
fn a_dead_server_gets_no_job_and_one_that_speaks_again_does() {
    let Some(keeper) = balancer(16, Duration::from_millis(200), Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    post::send(&mut trial, server(1), &Message::register(2, 1));
    assert!(post::send(&mut trial, client(), &Message::submit(1, 1)).is_some());
    sleep(Duration::from_millis(250));
    assert_eq!(keeper.servers()[0].health, Health::Dead);
    assert_eq!(keeper.counts().unwrap().lost, 1);
    assert_eq!(post::send(&mut trial, client(), &Message::submit(2, 1)), None);
    let sent = post::send(&mut trial, server(1), &Message::register(2, 1));
    assert_eq!(sent, Some((server(1), Message::job(2, 1, 1, More::None))));
    // Both of its threads have a job, whatever it says.
    assert_eq!(post::send(&mut trial, client(), &Message::submit(3, 1)), None);
    assert_eq!(keeper.counts().unwrap().lost, 0);
}

#[test]
fn a_server_that_comes_back_behind_other_hardware_gets_its_jobs_there() {
    let Some(keeper) = balancer(16, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    // The same life of it behind another interface, and then a new one behind a third.
    for (id, mac, incarnation) in [(1, [2; 6], 1), (2, [4; 6], 1), (3, [6; 6], 2)] {
        let mut register = post::letter(server(1), &Message::register(5, incarnation));
        register[6..12].copy_from_slice(&mac);
        assert_eq!(trial.action(&register).unwrap(), Action::Drop);
        let job = trial.run(&post::letter(client(), &Message::submit(id, 1))).unwrap();
        assert_eq!((job.action, &job.frame[..6]), (Action::Transmit, &mac[..]), "job {id}");
    }
    assert_eq!(keeper.servers().len(), 1, "it has one slot");
}

#[test]
fn the_slot_of_a_dead_server_is_given_away_when_another_one_needs_it() {
    let Some(keeper) = balancer(16, Duration::from_millis(200), Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    for number in 1..=64 {
        post::send(&mut trial, server(number), &Message::register(1, 1));
    }
    assert_eq!(keeper.make_place().unwrap(), None, "all of them live");
    post::send(&mut trial, client(), &Message::submit(1, 1)).unwrap();
    sleep(Duration::from_millis(250));
    assert_eq!(post::send(&mut trial, client(), &Message::submit(2, 1)), None);
    assert_eq!(post::send(&mut trial, server(99), &Message::register(3, 1)), None);
    assert_eq!(keeper.counts().unwrap().no_place, 1);
    assert_eq!(keeper.make_place().unwrap(), Some(server(1)));
    let sent = post::send(&mut trial, server(99), &Message::register(3, 1));
    assert_eq!(sent, Some((server(99), Message::job(2, 1, 1, More::None))));
    // The former owner's job is lost; its word about it is worth nothing.
    assert_eq!(post::send(&mut trial, server(1), &Message::done(1, 1)), None);
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.lost, counts.stray, counts.in_flight), (1, 1, 1));
    assert!(counts.add_up(), "{counts:?}");
    assert!(post::send(&mut trial, client(), &Message::submit(1, 1)).is_some(), "forgotten");
}

#[test]
fn a_job_that_a_server_seems_not_to_have_is_sent_once_more() {
    let Some(keeper) = balancer(16, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    let age = Duration::from_millis(50);
    post::send(&mut trial, server(1), &Message::register(2, 7));
    for id in 1..=2 {
        post::send(&mut trial, client(), &Message::submit(id, 9)).unwrap();
    }
    post::send(&mut trial, server(1), &Message::register(1, 7));
    assert_eq!(keeper.repeats(age).unwrap(), [], "it said so too soon after it was given them");
    sleep(age * 2);
    assert_eq!(keeper.repeats(age).unwrap(), [], "it has not said so since");
    post::send(&mut trial, server(1), &Message::register(0, 7));
    assert_eq!(keeper.repeats(age).unwrap(), [], "it has both");
    post::send(&mut trial, server(1), &Message::register(1, 7));
    let job = |id| [(server(1), Message::job(id, 9, 7, More::None))];
    assert_eq!(keeper.repeats(age).unwrap(), job(1));
    assert_eq!(keeper.repeats(age).unwrap(), job(2), "next it is the other one's turn");
    assert_eq!(keeper.repeats(age).unwrap(), []);
    post::send(&mut trial, server(1), &Message::done(1, 7));
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.repeated, counts.done, counts.in_flight), (2, 1, 1));
}

#[test]
fn each_server_that_seems_idle_gets_the_oldest_of_its_own_jobs() {
    let Some(keeper) = balancer(16, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    for number in 1..=3 {
        // The same incarnation, so that only the slot tells them apart.
        post::send(&mut trial, server(number), &Message::register(2, 7));
    }
    // In turn to the first, the second and the third.
    for id in 1..=6 {
        post::send(&mut trial, client(), &Message::submit(id, 9)).unwrap();
    }
    for number in [1, 3] {
        post::send(&mut trial, server(number), &Message::register(2, 7));
    }
    let job = |number, id| (server(number), Message::job(id, 9, 7, More::None));
    assert_eq!(keeper.repeats(Duration::ZERO).unwrap(), [job(1, 1), job(3, 3)]);
}

#[test]
fn what_is_no_message_goes_on_to_the_stack_unchanged() {
    let Some(keeper) = balancer(16, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    let good = post::letter(client(), &Message::submit(1, 1));
    let mut wrong = vec![tagged(&good, 0x8100, 1), good[..65].to_vec()];
    // A group's address, type, version, length, fragment, protocol, port, UDP length, magic.
    for at in [0, 12, 14, 17, 20, 23, 37, 39, 42] {
        let mut bent = good.clone();
        bent[at] ^= 0x01;
        wrong.push(bent);
    }
    for payload in [&b"1234"[..], b"", &[0; 24], &[0; 25]] {
        wrong.push(post::payload(client(), payload));
    }
    for frame in &wrong {
        let verdict = trial.run(frame).unwrap();
        assert_eq!((verdict.action, &verdict.frame), (Action::Pass, frame));
    }
    let numbers = keeper.numbers().unwrap();
    assert_eq!(numbers[Count::Passed as usize], wrong.len() as u64);
    assert_eq!(numbers[Count::Submitted as usize], 0);
    let mut padded = good;
    padded.resize(100, 0xee);
    assert_eq!(trial.action(&padded).unwrap(), Action::Drop, "padding changes nothing");
}

#[test]
fn what_a_stranger_says_frees_no_thread() {
    let Some(keeper) = balancer(16, PATIENT, Trace::Off) else { return };
    let mut trial = Trial::of(&keeper.program);
    post::send(&mut trial, server(1), &Message::register(1, 7));
    post::send(&mut trial, server(2), &Message::register(1, 7));
    post::send(&mut trial, client(), &Message::submit(1, 1)).unwrap();
    post::send(&mut trial, client(), &Message::submit(2, 1)).unwrap();
    let mut other_port = server(1);
    other_port.set_port(1);
    for (from, id, incarnation) in [
        (server(2), 1, 7),
        (server(3), 1, 7),
        (other_port, 1, 7),
        (server(1), 1, 8),
        (server(1), 3, 7),
    ] {
        assert_eq!(post::send(&mut trial, from, &Message::done(id, incarnation)), None);
    }
    assert!(keeper.servers().iter().all(|server| server.free == 0));
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.stray, counts.done), (5, 0));
    post::send(&mut trial, server(1), &Message::done(1, 7));
    post::send(&mut trial, server(1), &Message::done(1, 7));
    assert_eq!(keeper.servers()[0].free, 1, "done once, however often it is said");
}
