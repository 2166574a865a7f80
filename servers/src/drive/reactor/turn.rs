//! One turn of a session: what is done for it while nothing waits, and what the poller is asked
//! then.
//!
//! These are the parts of the reactor that no reactor is needed for. Each has a place where the
//! [`Trigger`] matters, and says so by name.

use std::io;
use std::os::fd::BorrowedFd;

use crate::connection::{Flow, Interest};
use crate::drive::poller::{Poller, Ready, Token, Trigger};
use crate::drive::slots::Watch;
use crate::session::{End, Ends, Session, Wants};
use crate::worker::Worker;

/// The most writes for one connection in one turn: 16 full buffers are 256 KiB.
pub(super) const WRITES_MAX: u32 = 16;
/// The most reads for one connection in one turn of an edge-triggered reactor.
const EDGE_READS_MAX: u32 = 16;

/// How a turn has ended.
pub(super) enum Turn {
    /// Nothing more can be done for it now; it waits for this.
    Waits(Wants),
    /// Its budget is spent.
    Unfinished,
    Over,
}

/// What a poller is asked for where this is wanted of a socket. One that reports each change once
/// is asked for both directions, once and for all; or for the end alone.
pub(super) const fn to_ask<P: Poller>(wanted: Interest) -> Interest {
    match (P::TRIGGER, wanted) {
        (Trigger::Edge, Interest::Read | Interest::Write) => Interest::Either,
        _ => wanted,
    }
}

/// Makes sure that the poller reports what is `wanted` of a socket, which is still ready for what
/// is `left` after a turn. What nobody wants now it may report once; that is cheaper than asking it
/// twice for each request.
pub(super) fn ask<P: Poller>(
    poller: &mut P,
    worker: &Worker<'_>,
    socket: BorrowedFd<'_>,
    token: Token,
    wanted: Option<Interest>,
    watch: &mut Watch,
    left: Ready,
) -> io::Result<()> {
    let wanted = wanted.map(to_ask::<P>);
    let ask = match (P::TRIGGER, wanted) {
        (Trigger::Edge | Trigger::Oneshot, None) => false,
        (Trigger::Level, None) => watch.registered.is_some_and(|it| left.allows(it).is_some()),
        (Trigger::Level | Trigger::Edge, Some(_)) => watch.registered != wanted,
        (Trigger::Oneshot, Some(_)) => true,
    };
    if !ask {
        return Ok(());
    }
    worker.counters.controls.add(P::CALLS_PER_CONTROL);
    let before = std::mem::replace(&mut watch.registered, wanted);
    match wanted {
        None => poller.remove(socket),
        Some(interest) if before.is_none() => poller.add(socket, token, interest),
        Some(interest) => poller.modify(socket, token, interest),
    }
}

/// What is still known of a socket after a turn. Whoever is told only once must remember it; the
/// others are told again.
pub(super) fn known<P: Poller>(ready: Ready) -> Ready {
    match P::TRIGGER {
        Trigger::Edge => ready,
        Trigger::Level | Trigger::Oneshot => Ready { read: false, ended: false, ..ready },
    }
}

/// One turn of a session.
pub(super) fn drive<P: Poller>(
    session: &mut dyn Session,
    ready: &mut Ends<Ready>,
    worker: &mut Worker<'_>,
) -> io::Result<Turn> {
    let (mut reads, mut writes) = (reads_max(P::TRIGGER), WRITES_MAX);
    loop {
        let wants = session.wants();
        let Some((end, interest)) = possible(wants, ready) else {
            return Ok(if wants.is_over() { Turn::Over } else { Turn::Waits(wants) });
        };
        let (budget, flow) = match interest {
            Interest::Write if writes == 0 => return Ok(Turn::Unfinished),
            Interest::Write => (&mut writes, session.write(end, worker)?),
            _ if reads == 0 => return Ok(out_of_reads(P::TRIGGER, wants)),
            _ => (&mut reads, session.read(end, worker)?),
        };
        *budget -= 1;
        if flow == Flow::Dry {
            ready.of(end).dry(interest);
        }
    }
}

/// A session may leave its connection to a backend in the middle of a turn and take up another one
/// that the poller knows already. That the first one had no room says nothing about the second, and
/// whoever is told of changes only is not told that it has some: so the next round tries.
pub(super) fn with_new_link(
    before: Option<Token>,
    session: &mut dyn Session,
    ready: &mut Ready,
    turn: Turn,
) -> Turn {
    if ready.write || before.is_none() {
        return turn;
    }
    let now = session.link().and_then(|link| link.ticket);
    if now.is_none() || now == before {
        return turn;
    }
    ready.write = true;
    match turn {
        Turn::Waits(wants) if wants.upstream.is_some_and(Interest::writes) => Turn::Unfinished,
        turn => turn,
    }
}

/// One thing that is wanted and does not wait.
fn possible(wants: Wants, ready: &Ends<Ready>) -> Option<(End, Interest)> {
    let of = |end, wanted: Option<Interest>, ready: Ready| Some((end, ready.allows(wanted?)?));
    of(End::Client, wants.client, ready.client)
        .or_else(|| of(End::Upstream, wants.upstream, ready.upstream))
}

/// Whoever is told only once must read until nothing is left; the others are told again.
const fn reads_max(trigger: Trigger) -> u32 {
    match trigger {
        Trigger::Edge => EDGE_READS_MAX,
        Trigger::Level | Trigger::Oneshot => 1,
    }
}

const fn out_of_reads(trigger: Trigger, wants: Wants) -> Turn {
    match trigger {
        Trigger::Edge => Turn::Unfinished,
        Trigger::Level | Trigger::Oneshot => Turn::Waits(wants),
    }
}
