//! What all sessions of a proxy share: whom to ask, how, and for how long.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use wire::http1::{Answer, StatusCode};

use super::forward::attempt::{refusal, verdict};
use super::link::{Keeping, Link, Waits};
use super::options::{Affinity, Options};
use super::{Client, Lease, Outcome, Tried, Upstreams};
use crate::control::Span;
use crate::listener::Blocking;
use crate::shortage;
use crate::worker::Worker;

/// How long a backend may take, and how often a request is tried.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// For how long a client keeps its backend.
    pub affinity: Affinity,
    /// Until it accepts a connection.
    pub connect: Duration,
    /// Until it answers, and between two pieces of the answer.
    pub reply: Duration,
    /// Until it reads what was sent to it, or a client what was sent there.
    pub write: Duration,
    /// How often a request is tried again, where that is safe.
    pub retries: u32,
    /// Of how many at once that holds.
    pub budget: Budget,
    /// The most connections to a backend that a worker keeps without using them.
    pub links_max: usize,
    /// For how long it keeps them.
    pub link_idle: Duration,
    /// What to tell a client whom no backend answers.
    pub unanswered: Unanswered,
    /// What to tell one whose request is at fault, or for whom there is no room.
    pub refused: Refused,
}

/// How many requests may be tried again at once, over connections that have broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Some of those under way: see [`Upstreams::may_retry`]. For all that is known, the backend
    /// fails under its load.
    Share,
    /// All of them: whoever breaks a connection is dead, and will be replaced.
    All,
}

/// What to tell a client whom no backend answers; the last one failed like that, if any was asked.
pub type Unanswered = fn(Option<Outcome>) -> Answer;

/// What to tell a client whose request goes to nobody: a status, and why.
pub type Refused = fn(StatusCode, &'static str) -> Answer;

/// Where requests for different paths go to different backends.
pub trait Routes: Debug + Send + Sync {
    /// Those that a request for this path goes to now.
    fn site(&self, path: &str) -> Arc<ProxySite>;

    /// The id of a request of that client for this path, which it keeps however often it is tried.
    fn id(&self, client: &Client, path: &str) -> u64;
}

impl Manners {
    /// As the command line says; clients and backends read what is written within `write`.
    #[must_use]
    pub fn new(options: &Options, write: Duration) -> Self {
        Self {
            affinity: options.affinity,
            connect: options.connect_timeout,
            reply: options.response_timeout,
            write,
            retries: options.retries.into(),
            budget: Budget::Share,
            links_max: options.links_max.into(),
            link_idle: options.link_idle,
            unanswered: verdict,
            refused: refusal,
        }
    }
}

/// What all sessions of a proxy share.
#[derive(Debug)]
pub struct ProxySite {
    /// The backends.
    pub upstreams: Arc<Upstreams>,
    /// How they are treated.
    pub manners: Manners,
}

/// A backend that a session uses, and the connection to it.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) lease: Lease,
    pub(super) link: Link,
}

/// Why there is no backend to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreached {
    /// All that may be asked have been tried, or as many as may be.
    Nobody,
    /// One has been asked, and has failed like that.
    Failed(Outcome),
    /// This host has no descriptor or no port left for a connection.
    NoRoom,
}

impl ProxySite {
    /// A site for these backends.
    #[must_use]
    pub fn new(upstreams: Arc<Upstreams>, manners: Manners) -> Self {
        Self { upstreams, manners }
    }

    /// A backend for `client`, and a connection to it: one that has been used before, if `kept`
    /// says so and there is one, or a fresh one.
    pub(super) fn reach(
        &self,
        client: &Client,
        tried: &mut Tried,
        kept: Kept,
        worker: &mut Worker<'_>,
    ) -> Result<Reached, Unreached> {
        let lease = self.upstreams.lease(client, tried).ok_or(Unreached::Nobody)?;
        let idle = if kept == Kept::Welcome { self.idle(&lease, worker) } else { None };
        match idle {
            Some(link) => Ok(Reached { lease, link }),
            None => self.connect(lease, tried, worker),
        }
    }

    /// A fresh connection to the backend of a lease. One that is not to be had at once is noted in
    /// `tried`; where calls wait, that is known only when the time for it is over.
    pub(super) fn connect(
        &self,
        lease: Lease,
        tried: &mut Tried,
        worker: &mut Worker<'_>,
    ) -> Result<Reached, Unreached> {
        match self.open(&lease, worker) {
            Ok(link) => Ok(Reached { lease, link }),
            Err(error) if shortage::has_caused(&error) => {
                worker.control.complain("cannot connect to a backend", &error);
                worker.control.appeal_for_room();
                Err(Unreached::NoRoom)
            }
            Err(error) => {
                let outcome = outcome_of(&error);
                if outcome == Outcome::TimedOut {
                    worker.counters.expired.count();
                }
                lease.report(outcome);
                tried.add(lease.backend().id);
                Err(Unreached::Failed(outcome))
            }
        }
    }

    /// Opens a connection, if need be with the descriptor of something that is only kept for later.
    fn open(&self, lease: &Lease, worker: &mut Worker<'_>) -> io::Result<Link> {
        let manners = &self.manners;
        let waits = Waits { connect: manners.connect, read: manners.reply, write: manners.write };
        loop {
            match Link::open(lease.backend(), waits, worker) {
                Err(error) if shortage::is_of_descriptors(&error) && worker.make_room() => {}
                opened => return opened,
            }
        }
    }

    fn idle(&self, lease: &Lease, worker: &mut Worker<'_>) -> Option<Link> {
        let (backend, now) = (lease.backend().id, worker.control.now());
        match worker.blocking {
            Blocking::Yes => {
                let mut common = worker.control.links();
                let link = common.take(backend, now);
                common.close_retired();
                link
            }
            Blocking::No => worker.links.take(backend, now),
        }
    }

    /// Keeps a link for the next request.
    pub(super) fn keep(&self, link: Link, worker: &mut Worker<'_>) {
        let until = worker.control.now().after(self.manners.link_idle.into());
        let keeping = Keeping { most: self.manners.links_max, until };
        match worker.blocking {
            Blocking::Yes => {
                let mut common = worker.control.links();
                common.keep(link, keeping);
                common.close_retired();
            }
            Blocking::No => worker.links.keep(link, keeping),
        }
    }

    /// Whether one more request may be tried again now.
    pub(super) fn may_retry(&self) -> bool {
        self.manners.budget == Budget::All || self.upstreams.may_retry()
    }

    /// How long a backend may take to connect.
    pub(super) fn connect_span(&self) -> Span {
        self.manners.connect.into()
    }

    /// How long it may take to answer.
    pub(super) fn reply_span(&self) -> Span {
        self.manners.reply.into()
    }
}

/// Whether a connection that has been used before will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is welcome.
    Welcome,
    /// It must be a fresh one.
    Unwelcome,
}

/// Who is at the other end of `stream`.
pub(super) fn client_of(stream: &TcpStream) -> Client {
    // A client that has gone already may be anybody.
    let unknown = IpAddr::from([0, 0, 0, 0]);
    Client { address: stream.peer_addr().map_or(unknown, |address| address.ip()), id: None }
}

/// What an error that ends a connection to a backend says of it.
pub(super) fn outcome_of(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::TimedOut => Outcome::TimedOut,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Outcome::Broken,
        _ => Outcome::Refused,
    }
}
