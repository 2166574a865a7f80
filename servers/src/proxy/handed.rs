//! A relay inside the kernel: two connections, handed over to a program that sends on what comes
//! in.
//!
//! User space accepts, connects, puts both sockets into a map (see [`packet::programs::verdict`]),
//! and from then on waits for their ends. No octet passes through it. The kernel tells a reader of
//! octets all the same, when they are gone already: whoever waits for octets is woken for each
//! message, and whoever can wait for an [end](Interest::End) alone is not.
//!
//! Four things are its own to see to:
//! - What lay in a socket before it was put in would wait there until more comes. Setting
//!   `SO_RCVLOWAT` makes the kernel look again (`tcp_set_rcvlowat` reports what is there), in order
//!   and without a read.
//! - The program hands on data, not the end of data. When one side has ended, this passes the end
//!   on.
//! - The kernel sends on in its own time: an end that is passed on too early would cut off what is
//!   still on its way. How much has come in and gone out is in the connections' own counts (tcp(7),
//!   `TCP_INFO`), and the end waits until they agree.
//! - One who has ended may go for good while the other one still sends. The kernel takes that, and
//!   drops it; so this looks at each tick whether both connections are still there.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::libc;
use packet::programs::verdict::SockPairs;
use rustix::io::ioctl_fionread;

use super::Outcome;
use super::lane::Copying;
use super::link::Link;
use super::relay::Relay;
use super::site::ProxySite;
use super::tally::count;
use crate::connection::{Flow, Interest, Wait};
use crate::control::{Span, TICK, Ticks};
use crate::session::{End, Ends, Session, Wants, receive};
use crate::worker::Worker;

/// How far the octets from one end have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Flowing,
    /// It has ended, and the kernel may still be sending on what came before.
    Ending,
    /// Its end has been passed on.
    Ended,
}

/// Who carries octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// Nobody yet: the backend has not answered.
    Nobody,
    /// The kernel.
    Kernel,
    /// The kernel, for as long as it takes to send on what it has taken: one side had ended before
    /// it could be handed over, and the kernel takes only what is open in both directions.
    Leaving,
    /// This process, after that.
    Hand,
}

/// A client and a backend that the kernel relays between.
pub struct Handed {
    /// Who connects both, and does by hand what the kernel does not take.
    relay: Relay<Copying>,
    carrier: Carrier,
    pairs: Arc<SockPairs>,
    stage: Ends<Stage>,
    /// Octets that had come in and gone out, at both, when somebody last looked, and when that was.
    seen: u64,
    looked: Ticks,
    scrap: [u8; 64],
}

impl Handed {
    /// Relays between the client at the other end of `stream` and a backend.
    #[must_use]
    pub fn new(
        site: Arc<ProxySite>,
        pairs: Arc<SockPairs>,
        stream: TcpStream,
        worker: &mut Worker<'_>,
    ) -> Self {
        let relay = Relay::new(site, stream, worker);
        Self {
            relay,
            carrier: Carrier::Nobody,
            pairs,
            stage: Ends::default(),
            seen: 0,
            looked: Ticks::default(),
            scrap: [0; 64],
        }
    }

    fn stage(&self, end: End) -> Stage {
        let mut stages = self.stage;
        *stages.of(end)
    }

    /// Looks whether the backend has answered; if so, hands both sockets over.
    fn check(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let flow = self.relay.calling.check(worker);
        if self.relay.calling.is_connected() {
            let [client, upstream] = End::BOTH.map(|end| self.relay.calling.socket(end));
            let taken = self.pairs.insert(&client, &upstream);
            if taken.is_ok() {
                self.carrier = Carrier::Kernel;
                look_again(client)?;
                look_again(upstream)?;
            } else {
                self.carrier = Carrier::Leaving;
                self.take_over();
            }
        }
        Ok(flow)
    }

    /// Goes on by hand, if all is out that the kernel has taken. That can only be from the client,
    /// which is handed over first: what has come from it, and does not lie there to be read.
    fn take_over(&mut self) {
        let [client, upstream] = End::BOTH.map(|end| self.relay.calling.socket(end));
        let is_out = match (count(client), ioctl_fionread(client), count(upstream)) {
            (Ok(came), Ok(unread), Ok(went)) => {
                went.is_closed || went.out + unread + u64::from(came.has_ended) >= came.came_in
            }
            // The first call by hand says what is wrong.
            _ => true,
        };
        if is_out {
            self.carrier = Carrier::Hand;
        }
    }

    /// Passes ends on whose octets are all out.
    fn pass_ends_on(&mut self, worker: &mut Worker<'_>) {
        for from in End::BOTH {
            if self.stage(from) == Stage::Ending && self.is_out(from) {
                *self.stage.of(from) = Stage::Ended;
                self.relay.calling.finish(from.other());
            }
        }
        if End::BOTH.into_iter().all(|end| self.stage(end) == Stage::Ended) {
            self.relay.calling.report(Outcome::Answered);
            self.relay.calling.leave(worker);
        }
    }

    /// Whether all that came from that end has gone out at the other. An end counts as an octet.
    fn is_out(&self, from: End) -> bool {
        let [came, went] = [from, from.other()].map(|end| count(self.relay.calling.socket(end)));
        match (came, went) {
            (Ok(came), Ok(went)) => went.out + 1 >= came.came_in,
            // A connection that tells nothing any more sends nothing any more.
            _ => true,
        }
    }

    /// Whether it is a reset, whose error may have been told somebody else, and not an end: such a
    /// connection is closed at once, and one that we have not ended ourselves is not after an end.
    fn was_reset(&self, end: End) -> bool {
        let closed = count(self.relay.calling.socket(end)).is_ok_and(|count| count.is_closed);
        closed && self.stage(end.other()) != Stage::Ended
    }

    /// Nobody here sees octets pass: whether some have, only the counts tell.
    fn have_octets_passed(&mut self) -> bool {
        let counts = End::BOTH.map(|end| count(self.relay.calling.socket(end)));
        let octets = counts.into_iter().flatten().map(|count| count.came_in + count.out).sum();
        std::mem::replace(&mut self.seen, octets) != octets
    }

    /// How long nothing may pass.
    fn patience(&self, worker: &Worker<'_>) -> Span {
        let patience = &worker.control.patience;
        if self.wait() == Wait::Room { patience.write } else { patience.idle }
    }
}

/// Makes the kernel look for what lies in the socket already.
fn look_again(socket: BorrowedFd<'_>) -> io::Result<()> {
    let one: libc::c_int = 1;
    // SAFETY: the option is an int, which `one` is.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const one).cast(),
            size_of_val(&one) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Session for Handed {
    fn socket(&self, end: End) -> BorrowedFd<'_> {
        self.relay.calling.socket(end)
    }

    fn wants(&self) -> Wants {
        if self.carrier == Carrier::Hand {
            return self.relay.wants();
        }
        if self.relay.calling.is_over() {
            return Wants::default();
        }
        if matches!(self.carrier, Carrier::Nobody | Carrier::Leaving) {
            return Wants { client: None, upstream: Some(Interest::Write) };
        }
        let of = |end: End| match (self.stage(end), self.stage(end.other())) {
            (Stage::Flowing, _) => Some(Interest::End),
            (_, Stage::Ending) => Some(Interest::Write),
            _ => None,
        };
        Wants { client: of(End::Client), upstream: of(End::Upstream) }
    }

    fn spare<'s>(&'s mut self, end: End, worker: &mut Worker<'_>) -> &'s mut [u8] {
        if self.carrier == Carrier::Hand {
            return self.relay.spare(end, worker);
        }
        &mut self.scrap
    }

    fn received(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        if self.carrier == Carrier::Hand {
            return self.relay.received(end, count, worker);
        }
        match count {
            Ok(0) if self.was_reset(end) => {
                self.relay.calling.broken(end, io::ErrorKind::ConnectionReset.into())
            }
            Ok(0) => {
                *self.stage.of(end) = Stage::Ending;
                self.relay.calling.since = worker.control.now();
                self.pass_ends_on(worker);
                Ok(Flow::More)
            }
            // What is handed to its reader the kernel could not send on: the other side is gone.
            Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) => self.relay.calling.broken(end, error),
        }
    }

    fn output(&self, end: End) -> &[u8] {
        if self.carrier == Carrier::Hand { self.relay.output(end) } else { &[] }
    }

    fn sent(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        self.relay.sent(end, count, worker)
    }

    fn write_outside(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        if !self.relay.calling.is_connected() {
            return self.check(worker);
        }
        match self.carrier {
            Carrier::Leaving => self.take_over(),
            _ => self.pass_ends_on(worker),
        }
        Ok(Flow::Dry)
    }

    fn read(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        if self.carrier == Carrier::Hand {
            return self.relay.read(end, worker);
        }
        worker.counters.reads.count();
        let mut scrap = self.scrap;
        let count = receive(self.relay.calling.socket(end), &mut scrap);
        self.received(end, count, worker)
    }

    fn write(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        if self.carrier == Carrier::Hand {
            return self.relay.write(end, worker);
        }
        self.write_outside(worker)
    }

    fn is_full_duplex(&self) -> bool {
        true
    }

    fn link(&mut self) -> Option<&mut Link> {
        self.relay.calling.link()
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        self.relay.leave(worker);
    }

    fn wait(&self) -> Wait {
        match self.carrier {
            Carrier::Kernel => {}
            Carrier::Leaving => return Wait::Room,
            Carrier::Nobody | Carrier::Hand => return self.relay.wait(),
        }
        let ending = End::BOTH.into_iter().any(|end| self.stage(end) == Stage::Ending);
        if ending { Wait::Room } else { Wait::Idle }
    }

    fn deadline(&self, worker: &Worker<'_>) -> Ticks {
        if matches!(self.carrier, Carrier::Nobody | Carrier::Hand) {
            return self.relay.deadline(worker);
        }
        if self.carrier == Carrier::Leaving {
            return self.looked.after(TICK.into());
        }
        if End::BOTH.into_iter().any(|end| self.stage(end) != Stage::Flowing) {
            // An end is passed on soon after the last octet is out; and nobody reports that one who
            // has ended has gone, while the kernel drops what it should send there.
            return self.looked.after(TICK.into());
        }
        self.relay.calling.since.after(self.patience(worker))
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        if matches!(self.carrier, Carrier::Nobody | Carrier::Hand) {
            return self.relay.expire(worker);
        }
        self.looked = worker.control.now();
        if self.have_octets_passed() {
            self.relay.calling.since = self.looked;
        }
        if self.carrier == Carrier::Leaving {
            self.take_over();
        } else {
            self.pass_ends_on(worker);
            if End::BOTH.into_iter().any(|end| self.was_reset(end)) {
                return self.leave(worker);
            }
        }
        if self.looked >= self.relay.calling.since.after(self.patience(worker)) {
            worker.counters.expired.count();
            self.leave(worker);
        }
    }

    /// As any [`Relay`]: it goes on until both sides end.
    fn close_soon(&mut self, _worker: &mut Worker<'_>) {}
}
