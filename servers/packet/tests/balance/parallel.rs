//! Two CPUs at once: no thread given twice, no job lost, doubled or forgotten.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};
use std::thread;

use packet::bpf::Trial;
use packet::jobs::message::{Message, More};
use packet::programs::balance::Keeper;
use packet::programs::filter::Trace;

use crate::{PATIENT, balancer, client, post, server};

const CPUS: usize = 2;
const SERVERS: u8 = 3;
const CAPACITY: u16 = 5;
/// For each CPU.
const JOBS: u64 = 50_000;

/// What the servers have, as they see it.
#[derive(Default)]
struct World {
    running: [AtomicUsize; SERVERS as usize],
    /// Jobs that were given and are not done.
    inbox: Mutex<Vec<(SocketAddrV4, Message)>>,
    done: Mutex<HashSet<u64>>,
    given: AtomicU64,
}

impl World {
    fn number(at: SocketAddrV4) -> usize {
        (1..=SERVERS).position(|number| server(number) == at).unwrap()
    }

    /// A server gets a job. It asks for more, as servers do, if others wait.
    fn deliver(&self, trial: &mut Trial<'_>, mut sent: Option<(SocketAddrV4, Message)>) {
        while let Some((to, job)) = sent.take() {
            let running = self.running[Self::number(to)].fetch_add(1, SeqCst) + 1;
            assert!(running <= CAPACITY.into(), "{running} jobs at {to}");
            self.given.fetch_add(1, SeqCst);
            self.inbox.lock().unwrap().push((to, job));
            if job.more == More::Waiting && running < CAPACITY.into() {
                sent = post::send(trial, to, &Message::register(CAPACITY, 1));
            }
        }
    }

    /// A server has done a job.
    fn finish_one(&self, trial: &mut Trial<'_>, newest: Newest) -> Option<()> {
        let (at, job) = {
            let mut inbox = self.inbox.lock().unwrap();
            let last = inbox.len().checked_sub(1)?;
            inbox.swap_remove(if newest == Newest::First { last } else { 0 })
        };
        assert!(self.done.lock().unwrap().insert(job.id), "{} is done twice", job.id);
        self.running[Self::number(at)].fetch_sub(1, SeqCst);
        let sent = post::send(trial, at, &Message::done(job.id, 1));
        self.deliver(trial, sent);
        Some(())
    }
}

/// Which of the jobs that run is done next.
#[derive(Clone, Copy, PartialEq)]
enum Newest {
    First,
    Last,
}

/// One CPU: clients that ask for jobs as long as others are done, now more and now less.
fn work(keeper: &Keeper, world: &World, cpu: usize, begin: &Barrier) {
    pin(cpu);
    let mut trial = Trial::of(&keeper.program);
    begin.wait();
    for number in 1..=SERVERS {
        // Both CPUs: as if its two first packets had come by two queues at once.
        let sent = post::send(&mut trial, server(number), &Message::register(CAPACITY, 1));
        world.deliver(&mut trial, sent);
    }
    for count in 0..JOBS {
        let id = cpu as u64 * JOBS + count + 1;
        let sent = post::send(&mut trial, client(), &Message::submit(id, 1));
        world.deliver(&mut trial, sent);
        let rushes = (count / 1_000) % 3 == 0;
        if !rushes || count % 2 == 0 {
            let newest = if count % 5 == 0 { Newest::First } else { Newest::Last };
            world.finish_one(&mut trial, newest);
        }
    }
    while world.finish_one(&mut trial, Newest::Last).is_some() {}
}

fn pin(cpu: usize) {
    let mut set = nix::sched::CpuSet::new();
    set.set(cpu).unwrap();
    // With one CPU the two threads still take turns.
    let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
}

#[test]
fn two_cpus_give_each_job_once_and_no_thread_twice() {
    let Some(keeper) = balancer(64, PATIENT, Trace::Off) else { return };
    let _turn = TURN.lock();
    let (world, begin) = (World::default(), Barrier::new(CPUS));
    thread::scope(|scope| {
        for cpu in 0..CPUS {
            let (keeper, world, begin) = (&keeper, &world, &begin);
            scope.spawn(move || work(keeper, world, cpu, begin));
        }
    });
    let counts = keeper.counts().unwrap();
    eprintln!("{counts:?}");
    assert_eq!(counts.submitted, CPUS as u64 * JOBS);
    assert_eq!(counts.waiting, 0, "nobody speaks any more, so these would wait for ever");
    assert_eq!(counts.done + counts.rejected, counts.submitted);
    assert_eq!(world.done.lock().unwrap().len() as u64, counts.done);
    assert_eq!((counts.registered, counts.duplicates, counts.stray), (SERVERS.into(), 0, 0));
    assert!(counts.add_up());
    for server in keeper.servers() {
        assert_eq!((server.free, server.given), (CAPACITY, server.done), "{server:?}");
    }
    assert!(counts.rejected > 0 && counts.queued > 1_000, "too easy: {counts:?}");
}

/// How often two CPUs say something at the same moment.
const ROUNDS: u64 = 10_000;
/// These tests want both CPUs for themselves.
static TURN: Mutex<()> = Mutex::new(());

/// Both CPUs say something at the same moment, for each round; `between` runs on one of them
/// before.
fn together(
    keeper: &Keeper,
    between: impl Fn(&mut Trial<'_>, u64) + Sync,
    say: impl Fn(&mut Trial<'_>, usize, u64) + Sync,
) {
    let _turn = TURN.lock();
    let (ready, arrived) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for cpu in 0..CPUS {
            let (ready, arrived, between, say) = (&ready, &arrived, &between, &say);
            scope.spawn(move || {
                pin(cpu);
                let mut trial = Trial::of(&keeper.program);
                for round in 1..=ROUNDS {
                    if cpu == 0 {
                        until(|| arrived.load(SeqCst) == CPUS as u64 * (round - 1));
                        between(&mut trial, round);
                        ready.store(round, SeqCst);
                    }
                    until(|| ready.load(SeqCst) == round);
                    say(&mut trial, cpu, round);
                    arrived.fetch_add(1, SeqCst);
                }
            });
        }
    });
}

/// Waits awake, so that both go on within nanoseconds; on one CPU it gives way after a while.
fn until(condition: impl Fn() -> bool) {
    for turn in 1_u32.. {
        if condition() {
            return;
        }
        if turn % 1_000 == 0 {
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

#[test]
fn a_done_that_comes_twice_at_the_same_moment_counts_once() {
    let Some(keeper) = balancer(64, PATIENT, Trace::Off) else { return };
    post::send(&mut Trial::of(&keeper.program), server(1), &Message::register(2, 1));
    let submit = |trial: &mut Trial<'_>, round| {
        post::send(trial, client(), &Message::submit(round, 1));
    };
    let done = |trial: &mut Trial<'_>, _, round| {
        post::send(trial, server(1), &Message::done(round, 1));
    };
    together(&keeper, submit, done);
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.done, counts.stray), (ROUNDS, ROUNDS));
    assert_eq!(keeper.servers()[0].free, 2);
}

#[test]
fn a_server_that_registers_twice_at_the_same_moment_is_welcome_once() {
    let Some(keeper) = balancer(64, PATIENT, Trace::Off) else { return };
    let register = |trial: &mut Trial<'_>, _, round| {
        post::send(trial, server(1), &Message::register(2, round as u32));
    };
    together(&keeper, |_, _| {}, register);
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.registered, counts.lost, counts.no_place), (ROUNDS, 0, 0));
    assert_eq!(keeper.servers().len(), 1);
}

/// The one thread becomes free at the moment at which a client queues a job. Whoever is later has
/// to see the other: there is no third packet.
#[test]
fn a_job_that_is_queued_when_a_thread_becomes_free_is_not_forgotten() {
    let Some(keeper) = balancer(64, PATIENT, Trace::Off) else { return };
    let mut first = Trial::of(&keeper.program);
    post::send(&mut first, server(1), &Message::register(1, 1));
    post::send(&mut first, client(), &Message::submit(0, 1)).unwrap();
    let forgotten = AtomicU64::new(0);
    let look = |trial: &mut Trial<'_>, _| {
        if keeper.counts().unwrap().waiting > 0 {
            forgotten.fetch_add(1, SeqCst);
            post::send(trial, server(1), &Message::register(1, 1));
        }
    };
    together(&keeper, look, |trial, cpu, round| {
        // Now and then one of the two is a little later.
        if cpu as u64 == round % 2 {
            (0..round % 64).for_each(|_| std::hint::spin_loop());
        }
        match cpu {
            0 => post::send(trial, server(1), &Message::done(round - 1, 1)),
            _ => post::send(trial, client(), &Message::submit(round, 1)),
        };
    });
    let counts = keeper.counts().unwrap();
    assert_eq!((counts.done, counts.in_flight), (ROUNDS, 1));
    eprintln!("{} of {ROUNDS} jobs were queued first", counts.queued);
    assert_eq!(forgotten.into_inner(), 0);
}
