//! Who gets which job: the decisions of the balancer, without sockets and without a clock.
//!
//! A packet comes in, and at most one goes out, because an XDP program can do no more than send
//! back the packet that it holds. What runs in user space obeys the same law, so that the two
//! differ in where they run and in nothing that they decide. The XDP program is tested against this
//! file.
//!
//! ```text
//!            none is free: to the end of the queue        the server says Done
//!  Submit ──▶ waiting ───────────────────────────▶ at a server ──────────────▶ done
//!     │  a server's word, or a Submit, lets             │
//!     │  the oldest go                                  └─ never heard of again ──▶ lost
//!     └──▶ rejected: the queue is full
//! ```
//!
//! * **Submit.** The living server with the most free threads gets a job, of several the one that
//!   registered first. Which job: the oldest that waits, and then the new one goes to the end of
//!   the queue. If no thread is free, the new one waits; if the queue is full, it is rejected, and
//!   counted. An id that is known already is a duplicate, and counted.
//! * **Register** of a server that is not known, or known with another incarnation: it has as many
//!   threads as it says are free. What its former incarnation had is lost. Of a server that is
//!   known: it lives. Then, if it has a free thread, it gets the oldest job that waits.
//! * **Done** of a job that is at that server, with its incarnation: a thread is free again, and
//!   gets the oldest job that waits. Any other `Done` changes nothing, so it may come twice.
//! * A server that was not heard for as long as [`Limits::patience`] gets no job. Its jobs count as
//!   lost, and are not given to others: it may have done them, and a job is not done twice. If it
//!   is heard again, it goes on where it was. Its place is given away only when another server
//!   needs it.
//! * UDP may lose a `Job` or a `Done`, and then a thread would be taken for busy for ever. So a
//!   server that says that it has more free threads than it is believed to have gets its oldest job
//!   once more, if that is older than [`Limits::repeat`]. A server that knows the id does not do
//!   the job again.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::message::{Kind, Message, More};

mod counts;

pub use counts::Counts;

/// How much there may be of what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many jobs may wait.
    pub queue: usize,
    /// How many servers may be known.
    pub servers: usize,
    /// How long a server may be silent before it is taken for dead.
    pub patience: Duration,
    /// How old a job must be to be sent once more to a server that seems not to have it. `None`: no
    /// job is sent twice.
    pub repeat: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 1_024,
            servers: 64,
            patience: Duration::from_secs(3),
            repeat: Some(Duration::from_secs(1)),
        }
    }
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A job goes to a server.
    Send {
        /// Where to.
        to: SocketAddr,
        /// The job.
        job: Message,
    },
    /// No thread is free: the job waits.
    Queued,
    /// No thread is free, and the queue is full: the job is not taken.
    Rejected,
    /// A server is there from now on, or came back as another one; nothing waits for it.
    Registered,
    /// A known server lives; nothing waits, or it has no free thread.
    Alive,
    /// A thread is free; nothing waits for it.
    Freed,
    /// The message changes nothing.
    Ignored(Reason),
}

/// Why a message changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The id of this job waits already, or is at a server.
    Duplicate,
    /// There is no such job at that server, or no such server.
    Stray,
    /// There are as many servers as can be, and all of them live.
    NoPlace,
    /// A balancer sends such a message and does not get it, or it has no incarnation.
    Nonsense,
}

/// The balancer.
#[derive(Clone, Debug)]
pub struct State {
    limits: Limits,
    /// Where each known job is.
    jobs: HashMap<u64, Job>,
    /// The ids of those that wait, the oldest first.
    queue: VecDeque<u64>,
    /// In the order in which they registered.
    servers: Vec<Server>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Job {
    /// In microseconds.
    work: u32,
    place: Place,
}

impl Job {
    fn is_at(&self, index: usize) -> bool {
        matches!(self.place, Place::At { server, .. } if server == index)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    At { server: usize, since: Duration },
}

/// A server, as the balancer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub address: SocketAddr,
    /// Which start of it.
    pub incarnation: u32,
    /// How many threads it has.
    pub capacity: u16,
    /// How many of them have a job.
    pub busy: u16,
    /// When it was heard last.
    pub heard: Duration,
}

impl Server {
    /// How many threads have no job.
    #[must_use]
    pub fn free(&self) -> u16 {
        self.capacity - self.busy
    }

    fn lives(&self, now: Duration, patience: Duration) -> bool {
        now.saturating_sub(self.heard) < patience
    }
}

impl State {
    /// A balancer that knows nobody.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            jobs: HashMap::new(),
            queue: VecDeque::new(),
            servers: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The servers, in the order in which they registered.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes a message from `from`, at `now`, which counts from any moment that stays the same.
    pub fn hear(&mut self, now: Duration, from: SocketAddr, message: &Message) -> Decision {
        let decision = match message.kind {
            Kind::Submit => self.submit(now, message),
            Kind::Register if message.incarnation != 0 => self.register(now, from, message),
            Kind::Done => self.done(now, from, message),
            Kind::Job | Kind::Register => Decision::Ignored(Reason::Nonsense),
        };
        self.counts.note(&decision);
        decision
    }

    /// What has happened until `now`.
    #[must_use]
    pub fn counts(&self, now: Duration) -> Counts {
        let (mut in_flight, mut lost) = (0, self.counts.lost);
        for server in &self.servers {
            let lives = server.lives(now, self.limits.patience);
            *(if lives { &mut in_flight } else { &mut lost }) += u64::from(server.busy);
        }
        Counts { waiting: self.queue.len() as u64, in_flight, lost, ..self.counts }
    }

    fn submit(&mut self, now: Duration, message: &Message) -> Decision {
        self.counts.submitted += 1;
        if self.jobs.contains_key(&message.id) {
            return Decision::Ignored(Reason::Duplicate);
        }
        let server = self.most_free(now);
        if server.is_none() && self.queue.len() >= self.limits.queue {
            return Decision::Rejected;
        }
        // It is the last in any case; if none waited before it, the last is also the oldest.
        self.counts.queued += u64::from(server.is_none() || !self.queue.is_empty());
        self.queue.push_back(message.id);
        self.jobs.insert(message.id, Job { work: message.work, place: Place::Waiting });
        server.and_then(|server| self.send_oldest(now, server)).unwrap_or(Decision::Queued)
    }

    fn register(&mut self, now: Duration, from: SocketAddr, message: &Message) -> Decision {
        let Some(index) = self.place_for(now, from) else {
            return Decision::Ignored(Reason::NoPlace);
        };
        let known = self.servers.get(index).is_some_and(|server| {
            (server.address, server.incarnation) == (from, message.incarnation)
        });
        if !known {
            self.welcome(index, from, message);
        }
        self.servers[index].heard = now;
        let otherwise = if known { Decision::Alive } else { Decision::Registered };
        self.send_oldest(now, index)
            .or_else(|| self.repeat(now, index, message.free))
            .unwrap_or(otherwise)
    }

    fn done(&mut self, now: Duration, from: SocketAddr, message: &Message) -> Decision {
        let Some(index) = self.known(from, message.incarnation) else {
            return Decision::Ignored(Reason::Stray);
        };
        self.servers[index].heard = now;
        if !self.jobs.get(&message.id).is_some_and(|job| job.is_at(index)) {
            return Decision::Ignored(Reason::Stray);
        }
        self.jobs.remove(&message.id);
        self.servers[index].busy -= 1;
        self.counts.done += 1;
        self.send_oldest(now, index).unwrap_or(Decision::Freed)
    }

    /// The living server with the most free threads; of several, the first.
    fn most_free(&self, now: Duration) -> Option<usize> {
        let mut best: Option<(usize, u16)> = None;
        for (index, server) in self.servers.iter().enumerate() {
            let most = best.map_or(0, |(_, free)| free);
            if server.lives(now, self.limits.patience) && server.free() > most {
                best = Some((index, server.free()));
            }
        }
        best.map(|(index, _)| index)
    }

    fn known(&self, from: SocketAddr, incarnation: u32) -> Option<usize> {
        let one = (from, incarnation);
        self.servers.iter().position(|server| (server.address, server.incarnation) == one)
    }

    /// Its own place; or a new one; or, if there are enough, that of the one that is dead for
    /// longest.
    fn place_for(&self, now: Duration, from: SocketAddr) -> Option<usize> {
        if let Some(own) = self.servers.iter().position(|server| server.address == from) {
            return Some(own);
        }
        if self.servers.len() < self.limits.servers {
            return Some(self.servers.len());
        }
        let dead = |server: &Server| !server.lives(now, self.limits.patience);
        let all = self.servers.iter().enumerate().filter(|(_, server)| dead(server));
        all.min_by_key(|(_, server)| server.heard).map(|(index, _)| index)
    }

    /// Takes a server as a new one, and forgets who had its place.
    fn welcome(&mut self, index: usize, address: SocketAddr, message: &Message) {
        let server = Server {
            address,
            incarnation: message.incarnation,
            capacity: message.free,
            busy: 0,
            heard: Duration::ZERO,
        };
        self.counts.registered += 1;
        match self.servers.get_mut(index) {
            Some(former) => {
                self.counts.lost += u64::from(former.busy);
                *former = server;
                self.jobs.retain(|_, job| !job.is_at(index));
            }
            None => self.servers.push(server),
        }
    }

    /// Sends the oldest job that waits, if one does and the server has a thread for it.
    fn send_oldest(&mut self, now: Duration, index: usize) -> Option<Decision> {
        if self.servers[index].free() == 0 {
            return None;
        }
        let id = self.queue.pop_front()?;
        let job = self.jobs.get_mut(&id)?;
        job.place = Place::At { server: index, since: now };
        let work = job.work;
        self.servers[index].busy += 1;
        self.counts.sent += 1;
        Some(self.job_for(index, id, work))
    }

    /// Sends the oldest job of a server once more, if it says that it is less busy than it should
    /// be.
    fn repeat(&mut self, now: Duration, index: usize, free: u16) -> Option<Decision> {
        let least = self.limits.repeat?;
        if free <= self.servers[index].free() {
            return None;
        }
        let at_server = self.jobs.iter().filter_map(|(id, job)| match job.place {
            Place::At { server, since } if server == index => Some((since, *id, job.work)),
            _ => None,
        });
        let (since, id, work) = at_server.min()?;
        if now.saturating_sub(since) < least {
            return None;
        }
        // The next time it is another one's turn.
        self.jobs.insert(id, Job { work, place: Place::At { server: index, since: now } });
        self.counts.repeated += 1;
        Some(self.job_for(index, id, work))
    }

    fn job_for(&self, index: usize, id: u64, work: u32) -> Decision {
        let server = &self.servers[index];
        let more = if self.queue.is_empty() { More::None } else { More::Waiting };
        Decision::Send { to: server.address, job: Message::job(id, work, server.incarnation, more) }
    }
}

#[cfg(test)]
mod tests;
