//! Random events, and after each one the same decision as that of the balancer in user space.
//!
//! `EVENTS=1000000 cargo test -p packet --test balance` takes more of them.

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use packet::bpf::{Ring, Trial};
use packet::jobs::message::Message;
use packet::jobs::state::{Decision, Limits, Reason, State};
use packet::programs::balance::{Event, Keeper, Outcome};
use packet::programs::filter::Trace;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::{PATIENT, balancer, client, post, server};

/// Without a wish in the environment.
const EVENTS: u32 = 100_000;
const QUEUE: u32 = 40;
const SERVERS: u8 = 9;

/// What is outside of the balancer.
struct World {
    random: SmallRng,
    /// Incarnation by server.
    servers: HashMap<u8, u32>,
    /// Jobs at servers: where, and which.
    running: Vec<(SocketAddrV4, Message)>,
    next_id: u64,
}

/// What happens next, and whether lost jobs have to be forgotten after it.
struct Next {
    from: SocketAddrV4,
    message: Message,
    restart: bool,
}

impl Next {
    fn new(from: SocketAddrV4, message: Message) -> Self {
        Self { from, message, restart: false }
    }
}

impl World {
    fn next(&mut self) -> Next {
        match self.random.random_range(0..100) {
            0..46 => self.submit(),
            46..84 => self.done(),
            84..93 => self.heartbeat(),
            93..95 => self.restart(),
            95..97 => self.repeat(),
            _ => self.lie(),
        }
    }

    fn submit(&mut self) -> Next {
        self.next_id += 1;
        Next::new(client(), Message::submit(self.next_id, self.random.random()))
    }

    fn done(&mut self) -> Next {
        if self.running.is_empty() {
            return self.submit();
        }
        let index = self.random.random_range(0..self.running.len());
        let (at, job) = self.running.swap_remove(index);
        Next::new(at, Message::done(job.id, job.incarnation))
    }

    /// The first one registers; the number of free threads means something only then.
    fn heartbeat(&mut self) -> Next {
        let number = self.random.random_range(1..=SERVERS);
        let incarnation = *self.servers.entry(number).or_insert_with(|| number.into());
        let free = self.random.random_range(0..6);
        Next::new(server(number), Message::register(free, incarnation))
    }

    fn restart(&mut self) -> Next {
        let number = self.random.random_range(1..=SERVERS);
        let incarnation = self.random.random_range(100..u32::MAX);
        self.servers.insert(number, incarnation);
        self.running.retain(|(at, _)| *at != server(number));
        let message = Message::register(self.random.random_range(1..6), incarnation);
        Next { restart: true, ..Next::new(server(number), message) }
    }

    /// A job that is known, once more.
    fn repeat(&mut self) -> Next {
        match self.running.last() {
            Some((_, job)) => Next::new(client(), Message::submit(job.id, 1)),
            None => self.submit(),
        }
    }

    fn lie(&mut self) -> Next {
        let from = server(self.random.random_range(1..=SERVERS + 2));
        let id = self.random.random_range(0..=self.next_id);
        let message = match self.random.random_range(0..3) {
            0 => Message::done(id, 5_000_000),
            1 => Message::register(3, 0),
            _ => Message::job(id, 1, 1, packet::jobs::message::More::None),
        };
        Next::new(from, message)
    }
}

fn expected(decision: Decision) -> (Outcome, Option<(SocketAddr, Message)>) {
    match decision {
        Decision::Send { to, job } => (Outcome::Sent, Some((to, job))),
        Decision::Queued => (Outcome::Queued, None),
        Decision::Rejected => (Outcome::Rejected, None),
        Decision::Registered => (Outcome::Registered, None),
        Decision::Alive => (Outcome::Alive, None),
        Decision::Freed => (Outcome::Freed, None),
        Decision::Ignored(Reason::Duplicate) => (Outcome::Duplicate, None),
        Decision::Ignored(Reason::Stray) => (Outcome::Stray, None),
        Decision::Ignored(Reason::NoPlace) => (Outcome::NoPlace, None),
        Decision::Ignored(Reason::Nonsense) => (Outcome::Nonsense, None),
    }
}

/// What the ring buffer tells of one message.
fn told(ring: &mut Ring<'_>) -> Event {
    let mut events = Vec::new();
    ring.drain(|record| events.push(Event::read(record).unwrap()));
    assert_eq!(events.len(), 1, "{events:?}");
    events[0]
}

/// The servers as both see them.
fn same_servers(keeper: &Keeper, state: &State) {
    let kernel: Vec<_> = keeper
        .servers()
        .iter()
        .map(|server| (SocketAddr::from(server.address), server.capacity, server.free))
        .collect();
    let model: Vec<_> = state
        .servers()
        .iter()
        .map(|server| (server.address, server.capacity, server.free()))
        .collect();
    assert_eq!(kernel, model);
}

#[test]
fn random_events_are_decided_as_in_user_space() {
    let Some(keeper) = balancer(QUEUE, PATIENT, Trace::On) else { return };
    let limits = Limits { queue: QUEUE as usize, servers: 64, patience: PATIENT, repeat: None };
    let (mut state, mut trial) = (State::new(limits), Trial::of(&keeper.program));
    let mut ring = Ring::open(&keeper.events).unwrap();
    let random = SmallRng::seed_from_u64(3);
    let mut world = World { random, servers: HashMap::new(), running: Vec::new(), next_id: 0 };
    let mut seen = [0_u32; Outcome::ALL.len()];
    let events = std::env::var("EVENTS").map_or(EVENTS, |wish| wish.parse().unwrap());
    for step in 0..events {
        let Next { from, message, restart } = world.next();
        let sent = post::send(&mut trial, from, &message);
        let decision = state.hear(Duration::ZERO, from.into(), &message);
        let (outcome, model) = expected(decision);
        let job = sent.map(|(to, job)| (SocketAddr::from(to), job));
        assert_eq!(job, model, "step {step}: {message:?}");
        assert_eq!(told(&mut ring).outcome, outcome, "step {step}: {message:?}");
        seen[outcome as usize] += 1;
        world.running.extend(sent);
        if restart {
            keeper.forget_lost().unwrap();
        }
        if step % 64 == 0 {
            same_servers(&keeper, &state);
        }
    }
    let counts = keeper.counts().unwrap();
    assert_eq!(counts, state.counts(Duration::ZERO));
    assert!(counts.add_up(), "{counts:?}");
    let reached = |outcome: &Outcome| *outcome == Outcome::NoPlace || seen[*outcome as usize] > 100;
    assert!(Outcome::ALL.iter().all(reached), "{seen:?}");
    eprintln!("{events} events: {seen:?}");
}
