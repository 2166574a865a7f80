//! Replicas that are killed and frozen again and again, while clients ask: how long each is out of
//! service, what becomes of the requests, and whether the others keep their keys.
//!
//! The small sizes are for every day. The large ones take minutes and say something about times on
//! a quiet machine only; `scripts/prove-replicas` runs them, and makes a table of what they find.
//! `REPLICA_KILLS` and `REPLICA_FREEZES` set how often.
//!
//! A GET never fails: another replica answers what the one that has gone did not. A POST that was
//! sent is not sent again, so it may; then the balancer says so.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;
mod proof;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use balancer::asker::{Tally, ask_until, counts};
use balancer::ring::{self, Ring, are_sample};
use balancer::{Balancer, Outage};
use nix::sys::signal::Signal;
use proof::{Proof, Requests, number};

const THREE: [&str; 3] = ["Server-1", "Server-2", "Server-3"];
/// Who may be killed again and again and is not taken for one that fails, or for one that hangs, on
/// however busy a machine.
const FORGIVING: [&str; 4] = ["--well-after", "1ms", "--request-timeout", "30s"];
/// Who is watched closely.
const FAST: [&str; 6] = ["--well-after", "1ms", "--heartbeat-interval", "50ms", "--failures", "3"];
/// Until one that is frozen is found: three heartbeats, and the time until the last of them counts
/// as missed; and something for a machine that is not idle.
const FOUND: Duration = Duration::from_millis(4 * 50 + 50);
/// Requests that show whose the keys are: a slot that changes hands moves three in a hundred.
const SAMPLE: u32 = 10_000;

/// What was found while replicas suffered.
struct Ordeal {
    outages: Vec<Outage>,
    orphans: usize,
    /// Of the clients that only get, and of the one that posts.
    gets: Tally,
    posts: Tally,
}

impl Ordeal {
    /// Sends this signal to one replica after the other, so many times, while clients ask.
    fn of(balancer: &Balancer, signal: Signal, times: usize) -> Self {
        let done = AtomicBool::new(false);
        let (mut gets, mut posts) = (Tally::default(), Tally::default());
        let outages = thread::scope(|scope| {
            let ask = |method| {
                let done = &done;
                scope.spawn(move || ask_until(balancer, method, done))
            };
            let (getting, posting) = (["GET", "GET"].map(ask), ask("POST"));
            let outages = (0..times).map(|n| balancer.outage(THREE[n % 3], signal)).collect();
            done.store(true, Ordering::Release);
            getting.into_iter().for_each(|client| gets += client.join().unwrap());
            posts = posting.join().unwrap();
            outages
        });
        let orphans = balancer.children().len().saturating_sub(THREE.len());
        Self { outages, orphans, gets, posts }
    }

    /// One line of the table.
    fn proof(&self, what: &str, lasted: fn(&Outage) -> Duration) -> Proof {
        let mut all = self.gets;
        all += self.posts;
        let Tally { answered, refused, lost, wrong } = all;
        let requests =
            Requests { made: all.requests(), answered, refused, lost, wrong, twice: None };
        Proof {
            what: what.to_owned(),
            times: self.outages.len(),
            lasted: self.outages.iter().map(lasted).collect(),
            orphans: Some(self.orphans),
            requests,
        }
    }

    /// No GET has failed, and each POST that has was told so; nobody is left behind.
    fn judge(&self) {
        let Self { orphans, gets, posts, .. } = self;
        assert!(gets.answered > 0 && posts.answered > 0, "{gets:?}, {posts:?}");
        assert_eq!((gets.refused, gets.lost, gets.wrong), (0, 0, 0), "GET: {gets:?}");
        assert_eq!((posts.lost, posts.wrong), (0, 0), "POST: {posts:?}");
        assert_eq!(*orphans, 0, "processes are left behind");
    }
}

/// The keys are where a ring says that has never lost anybody. And when one leaves for good, its
/// keys go to those next to it, and nobody else's go anywhere.
fn assert_keys_are_where_they_were(balancer: &Balancer) {
    let ring = Ring::of(THREE.len());
    assert_eq!(balancer.replicas(), THREE);
    assert_sample(balancer, &ring, &THREE);
    assert_eq!(balancer.remove(r#"{"n": 1, "hostnames": ["Server-2"]}"#).0, 200);
    assert_sample(balancer, &ring, &["Server-1", "Server-3"]);
}

fn assert_sample(balancer: &Balancer, ring: &Ring, names: &[&str]) {
    let (counts, shares) = (counts(balancer, names, SAMPLE), ring.shares(names));
    assert!(are_sample(&counts, &shares), "{names:?} answered {counts:?}, and not {shares:?}");
}

fn balancer(flags: &[&str]) -> Balancer {
    Balancer::start(&[flags, &ring::FLAGS].concat())
}

#[test]
fn a_few_kills_lose_no_get_and_move_no_key() {
    let balancer = balancer(&FORGIVING);
    Ordeal::of(&balancer, Signal::SIGKILL, 15).judge();
    assert_keys_are_where_they_were(&balancer);
}

#[test]
fn keys_on_another_ring_are_found_out() {
    let balancer = Balancer::start(&["--method", "ring-sha256"]);
    let counts = counts(&balancer, &THREE, 2_000);
    assert!(!are_sample(&counts, &Ring::of(3).shares(&THREE)), "{counts:?}");
}

#[test]
#[ignore = "it takes minutes, and says something about times on a quiet machine only"]
fn a_thousand_kills() {
    let balancer = balancer(&FORGIVING);
    let ordeal = Ordeal::of(&balancer, Signal::SIGKILL, number("REPLICA_KILLS", 1_000));
    let back = ordeal.proof("killed: back in service", |outage| outage.back);
    back.tell();
    ordeal.judge();
    assert_keys_are_where_they_were(&balancer);
    let (p50, max) = (back.percentile(50).unwrap(), back.percentile(100).unwrap());
    assert!(p50 < Duration::from_millis(200) && max < Duration::from_secs(2), "{p50:?}, {max:?}");
}

#[test]
#[ignore = "it says something on a quiet machine only"]
fn fifty_freezes() {
    let balancer = balancer(&FAST);
    let ordeal = Ordeal::of(&balancer, Signal::SIGSTOP, number("REPLICA_FREEZES", 50));
    let found = ordeal.proof("frozen: found", |outage| outage.found);
    found.tell();
    ordeal.proof("frozen: back in service", |outage| outage.back).tell();
    ordeal.judge();
    assert_keys_are_where_they_were(&balancer);
    let max = found.percentile(100).unwrap();
    assert!(max < FOUND, "{max:?} is beyond {FOUND:?}");
}
