//! Every sequence of seven events on two servers and a queue of one, held against rules that are
//! written down a second time, and differently.

use super::*;

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Event {
    Submit,
    Register(u8),
    Restart(u8),
    DoneOldest(u8),
    Second,
}

const EVENTS: [Event; 7] = [
    Event::Submit,
    Event::Register(1),
    Event::Register(2),
    Event::Restart(1),
    Event::DoneOldest(1),
    Event::DoneOldest(2),
    Event::Second,
];

const DEPTH: usize = 7;
const LIMITS: Limits =
    Limits { queue: 1, servers: 2, patience: Duration::from_secs(2), repeat: None };

/// The world outside: what the servers have, as they see it.
#[derive(Clone)]
struct World {
    state: State,
    now: Duration,
    next_id: u64,
    last_sent: u64,
    servers: [Outside; 2],
    /// Who registered first.
    first: Option<u8>,
}

#[derive(Clone, Default)]
struct Outside {
    incarnation: u32,
    capacity: usize,
    heard: Option<Duration>,
    /// In the order in which they came.
    running: Vec<u64>,
}

impl Outside {
    /// None while the balancer can't take it for alive.
    fn free(&self, now: Duration) -> Option<usize> {
        let lives = now - self.heard? < LIMITS.patience;
        lives.then(|| self.capacity - self.running.len())
    }
}

impl World {
    fn new() -> Self {
        let server = |capacity| Outside { incarnation: 1, capacity, ..Outside::default() };
        Self {
            state: State::new(LIMITS),
            now: Duration::ZERO,
            next_id: 1,
            last_sent: 0,
            servers: [server(1), server(2)],
            first: None,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Second => self.now += SECOND,
            Event::Submit => self.submit(),
            Event::Register(number) => self.register(number),
            Event::Restart(number) => self.restart(number),
            Event::DoneOldest(number) => self.done(number),
        }
        assert!(self.state.counts(self.now).add_up());
    }

    /// The most free server gets the oldest job; only without one does the job wait.
    fn submit(&mut self) {
        let free = [0, 1].map(|index| self.servers[index].free(self.now).unwrap_or(0));
        let waited = self.state.queue.len();
        let decision = self.hear(9, Message::submit(self.next_id, 0));
        self.next_id += 1;
        match (free, waited) {
            ([0, 0], 0) => assert_eq!(decision, Decision::Queued),
            ([0, 0], _) => assert_eq!(decision, Decision::Rejected),
            ([one, two], _) if one > two => self.arrived(&decision, 1),
            ([one, two], _) if one < two => self.arrived(&decision, 2),
            _ => self.arrived(&decision, self.first.unwrap()),
        }
    }

    fn register(&mut self, number: u8) {
        let (now, waits) = (self.now, !self.state.queue.is_empty());
        self.first.get_or_insert(number);
        let server = self.server(number);
        let new = server.heard.replace(now).is_none();
        let free = server.capacity - server.running.len();
        let message = Message::register(free as u16, server.incarnation);
        match self.hear(number, message) {
            Decision::Registered => assert!(new && !waits),
            Decision::Alive => assert!(!new && (free == 0 || !waits)),
            decision => self.arrived(&decision, number),
        }
    }

    fn restart(&mut self, number: u8) {
        let server = self.server(number);
        server.incarnation += 1;
        server.running.clear();
        server.heard = None;
        self.register(number);
    }

    fn done(&mut self, number: u8) {
        let (now, waits) = (self.now, !self.state.queue.is_empty());
        let server = self.server(number);
        if server.running.is_empty() {
            return;
        }
        server.heard = Some(now);
        let message = Message::done(server.running.remove(0), server.incarnation);
        match self.hear(number, message) {
            Decision::Freed => assert!(!waits),
            decision => self.arrived(&decision, number),
        }
    }

    /// A job came to `number`, and to nobody else: the next one in order, and there is a thread for
    /// it.
    fn arrived(&mut self, decision: &Decision, number: u8) {
        let Decision::Send { to, job } = decision else { panic!("{decision:?}: no job") };
        assert_eq!(*to, address(number));
        // Ids rise: whoever came first goes first, and no job goes twice.
        assert!(job.id > self.last_sent);
        self.last_sent = job.id;
        let server = self.server(number);
        assert_eq!(job.incarnation, server.incarnation);
        server.running.push(job.id);
        assert!(server.running.len() <= server.capacity, "more than it can do");
    }

    fn hear(&mut self, from: u8, message: Message) -> Decision {
        self.state.hear(self.now, address(from), &message)
    }

    fn server(&mut self, number: u8) -> &mut Outside {
        &mut self.servers[usize::from(number) - 1]
    }
}

/// Tries each event, and then each one after it. Returns how many sequences there were.
fn explore(world: &World, depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    let next = EVENTS.iter().map(|event| {
        let mut world = world.clone();
        world.happen(*event);
        explore(&world, depth - 1)
    });
    next.sum()
}

#[test]
fn no_sequence_of_seven_events_breaks_a_rule() {
    assert_eq!(explore(&World::new(), DEPTH), EVENTS.len().pow(DEPTH as u32));
}
