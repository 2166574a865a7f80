//! The loop that lives out a manner on many connections at once.
//!
//! epoll is level-triggered here: a slow reader leaves octets unread and a sender without end never
//! finishes, so what a connection is asked for is exactly what it wants next. Everything that time
//! decides is an alarm: when to connect, when the next octet is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::client::{Client, Outcome, State, dial};
use super::manner::{Again, Manner, Pace, Then};
use super::tally::{End, Tally};
use super::timeline::{Timeline, sleep_until};
use crate::clock::Moment;
use crate::failure::Failure;
use crate::target::Target;

/// The most events that one wait takes.
const EVENTS: usize = 1024;

/// Reads of one connection in a row, so that a server that sends without end stops nobody else.
const READS: usize = 16;

/// The first connections are made this far apart, so that they don't overflow the accept queue.
const APART: Duration = Duration::from_micros(100);

/// The hostile clients.
#[derive(Debug)]
pub(super) struct Attack<'a> {
    manner: &'a Manner,
    target: SocketAddr,
    epoll: Epoll,
    clients: Vec<Client>,
    /// When, for which client, for which of its connections.
    alarms: BinaryHeap<Reverse<(Moment, u32, u32)>>,
    tally: Tally,
    scratch: Box<[u8]>,
}

impl<'a> Attack<'a> {
    /// Clients that have not begun.
    pub(super) fn new(
        manner: &'a Manner,
        target: &Target,
        connections: usize,
    ) -> Result<Self, Failure> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(|error| Failure::Unfit(format!("epoll_create1: {error}")))?;
        Ok(Self {
            manner,
            target: target.address,
            epoll,
            clients: (0..connections).map(|_| Client::new(Moment::default())).collect(),
            alarms: BinaryHeap::new(),
            tally: Tally::new(),
            scratch: vec![0; 64 << 10].into(),
        })
    }

    /// Misbehaves from the beginning of the attack to its end.
    pub(super) fn live(mut self, timeline: Timeline) -> Tally {
        sleep_until(timeline.begin);
        self.plan_first_connections(timeline.begin);
        let mut events = vec![EpollEvent::empty(); EVENTS];
        while Moment::now() < timeline.end {
            self.ring(Moment::now());
            let timeout = self.timeout(timeline.end);
            let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
            for event in &events[..count] {
                let (index, generation) = (event.data() as u32, (event.data() >> 32) as u32);
                self.happened(index as usize, generation, event.events());
            }
        }
        self.tally.dialling = self.count(State::Dialling);
        self.tally.open = self.count(State::Open);
        self.tally
    }

    /// Those of a storm are spread over its period.
    fn plan_first_connections(&mut self, begin: Moment) {
        let apart = match self.manner.again {
            Again::After(_) => APART,
            Again::Each(period) => period / self.clients.len() as u32,
        };
        for index in 0..self.clients.len() {
            self.clients[index].due = begin.after(apart * index as u32);
            self.alarm(index, self.clients[index].due);
        }
    }

    fn count(&self, state: State) -> u64 {
        self.clients.iter().filter(|client| client.state == state).count() as u64
    }

    fn alarm(&mut self, index: usize, when: Moment) {
        self.alarms.push(Reverse((when, index as u32, self.clients[index].generation)));
    }

    /// Rounded up: a wait that ends too early would be made again and again.
    fn timeout(&self, end: Moment) -> EpollTimeout {
        let next = self.alarms.peek().map_or(end, |&Reverse((when, ..))| when.min(end));
        let milliseconds = next.nanos_since(Moment::now()).div_ceil(1_000_000);
        EpollTimeout::from(u16::try_from(milliseconds).unwrap_or(u16::MAX))
    }

    fn ring(&mut self, now: Moment) {
        while let Some(&Reverse((when, index, generation))) = self.alarms.peek()
            && when <= now
        {
            self.alarms.pop();
            let index = index as usize;
            if self.clients[index].generation == generation {
                match self.clients[index].state {
                    State::Waiting => self.connect(index),
                    State::Dialling => {}
                    State::Open => self.drip(index),
                }
            }
        }
    }

    fn connect(&mut self, index: usize) {
        self.tally.attempted += 1;
        let client = &mut self.clients[index];
        let dialled = dial(self.target, self.manner.receive_buffer).and_then(|socket| {
            let data = u64::from(client.generation) << 32 | index as u64;
            self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLOUT, data))?;
            Ok(socket)
        });
        match dialled {
            Ok(socket) => {
                (client.socket, client.state) = (Some(socket), State::Dialling);
                client.interest = EpollFlags::EPOLLOUT;
            }
            Err(error) => self.refused(index, &error),
        }
    }

    fn refused(&mut self, index: usize, error: &std::io::Error) {
        self.tally.refused += 1;
        self.tally.first_error.get_or_insert_with(|| error.to_string());
        self.leave(index);
    }

    fn happened(&mut self, index: usize, generation: u32, flags: EpollFlags) {
        if self.clients[index].generation != generation {
            return;
        }
        match self.clients[index].state {
            State::Waiting => {}
            State::Dialling => self.dialled(index),
            State::Open => self.ready(index, flags),
        }
    }

    fn dialled(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(socket) = &client.socket else { return };
        if let Some(error) = socket.take_error().unwrap_or_else(Some) {
            return self.refused(index, &error);
        }
        (client.state, client.since) = (State::Open, Moment::now());
        self.tally.established += 1;
        if let Some(interval) = self.manner.drip() {
            self.alarm(index, Moment::now().after(interval));
        }
        if self.manner.sends == Pace::AtOnce {
            self.send(index);
        } else {
            self.watch(index);
        }
    }

    fn ready(&mut self, index: usize, flags: EpollFlags) {
        if self.manner.reads == Pace::AtOnce && self.take_all(index) == Open::No {
            return;
        }
        // With a slow reader the end may stand behind octets that it will never read.
        if flags.contains(EpollFlags::EPOLLERR) {
            self.ended(index, End::Reset);
        } else if flags.contains(EpollFlags::EPOLLRDHUP) && self.manner.reads != Pace::AtOnce {
            self.ended(index, End::Finished);
        } else if flags.contains(EpollFlags::EPOLLOUT) {
            self.send(index);
        }
    }

    fn take_all(&mut self, index: usize) -> Open {
        for _ in 0..READS {
            match self.clients[index].read(&mut self.scratch) {
                Outcome::Moved(count) => self.tally.octets_received += count,
                Outcome::Blocked => break,
                Outcome::Ended(end) => {
                    self.ended(index, end);
                    return Open::No;
                }
            }
        }
        Open::Yes
    }

    /// Sends, and does what follows when that was all.
    fn send(&mut self, index: usize) {
        if !self.manner.script.after(self.clients[index].sent).is_empty() {
            match self.clients[index].write(self.manner) {
                Outcome::Moved(count) => self.tally.octets_sent += count,
                Outcome::Blocked => {}
                Outcome::Ended(end) => return self.ended(index, end),
            }
        }
        if self.manner.script.after(self.clients[index].sent).is_empty() {
            self.clients[index].finish(self.manner.then);
            if self.manner.then == Then::Reset {
                self.tally.reset_by_us += 1;
                return self.leave(index);
            }
        }
        self.watch(index);
    }

    /// The next octet is due.
    fn drip(&mut self, index: usize) {
        if let Pace::Drip(_) = self.manner.reads {
            match self.clients[index].read(&mut self.scratch[..1]) {
                Outcome::Moved(count) => self.tally.octets_received += count,
                Outcome::Blocked => {}
                Outcome::Ended(end) => return self.ended(index, end),
            }
        }
        if let Some(interval) = self.manner.drip() {
            self.alarm(index, Moment::now().after(interval));
        }
        if let Pace::Drip(_) = self.manner.sends {
            self.send(index);
        }
    }

    /// Waits for what the client wants now.
    fn watch(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let wants = client.wants(self.manner);
        if let Some(socket) = client.socket.as_ref().filter(|_| wants != client.interest) {
            let data = u64::from(client.generation) << 32 | index as u64;
            // It is registered, and to change that takes no memory (epoll_ctl(2)).
            let _ = self.epoll.modify(socket, &mut EpollEvent::new(wants, data));
            client.interest = wants;
        }
    }

    fn ended(&mut self, index: usize, end: End) {
        self.tally.ended(end, Moment::now().nanos_since(self.clients[index].since));
        self.leave(index);
    }

    /// Closes the connection; another one takes its place.
    fn leave(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.close();
        let now = Moment::now();
        client.due = match self.manner.again {
            Again::After(pause) => now.after(pause),
            Again::Each(period) => client.due.after(period).max(now),
        };
        self.alarm(index, self.clients[index].due);
    }
}

/// Whether a connection is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}
