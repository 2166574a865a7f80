//! What is tried, with the reason for what comes of it (epoll(7)).

use super::Seen;
use super::habit::{Habit, serve};
use super::inbox::Inbox;
use super::outbox::{Full, Outbox};
use super::queue::Queue;
use super::watch::Asked;
use super::workers;

/// A socket, a trigger, a habit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// In which state it is when the first wait begins.
    pub(super) socket: &'static str,
    pub(super) asked: Asked,
    /// What is done about a wake-up.
    pub(super) deed: &'static str,
    pub(super) play: fn(Asked) -> anyhow::Result<Seen>,
    /// Why that comes of it.
    pub(super) why: &'static str,
}

const QUEUE: &str = "listener, 3 clients";
const ONE_MORE: &str = "listener, 3 clients, then 1";
const MESSAGE: &str = "14 octets unread";
const ANOTHER: &str = "14 octets unread, then 14";
const LONG: &str = "64 octets unread";
const LONGER: &str = "64 octets unread, then 64";
const END: &str = "end of input";
const ROOM: &str = "room to write";
const FULL: &str = "full, emptied 3 times";
const TWO_SETS: &str = "listener in 2 sets, 1 client";
const ONE_SET: &str = "2 threads, 7 octets, then 7";

/// All, socket by socket.
pub(super) const CASES: &[Case] = &[
    // A listening socket.
    Case {
        socket: QUEUE,
        asked: Asked::Level,
        deed: "accepts one",
        play: |asked| serve(Queue::new(3, 0)?, asked, Habit::Once),
        why: "the queue is not empty: that is told at each wait until it is",
    },
    Case {
        socket: QUEUE,
        asked: Asked::Edge,
        deed: "accepts one",
        play: |asked| serve(Queue::new(3, 0)?, asked, Habit::Once),
        why: "three arrivals are one event, and accepting is none: the others stay in the backlog",
    },
    Case {
        socket: ONE_MORE,
        asked: Asked::Edge,
        deed: "accepts one",
        play: |asked| serve(Queue::new(3, 1)?, asked, Habit::Once),
        why: "the next arrival is an event, but one accept for each never makes up for it",
    },
    Case {
        socket: QUEUE,
        asked: Asked::Edge,
        deed: "accepts until EAGAIN",
        play: |asked| serve(Queue::new(3, 0)?, asked, Habit::UntilInVain),
        why: "only EAGAIN says that the queue is empty, and that the next arrival will be told",
    },
    Case {
        socket: QUEUE,
        asked: Asked::Oneshot,
        deed: "accepts one",
        play: |asked| serve(Queue::new(3, 0)?, asked, Habit::Once),
        why: "after one event the descriptor is disabled, until EPOLL_CTL_MOD",
    },
    Case {
        socket: QUEUE,
        asked: Asked::Rearmed,
        deed: "accepts one",
        play: |asked| serve(Queue::new(3, 0)?, asked, Habit::Once),
        why: "EPOLL_CTL_MOD looks at the queue anew, at the price of a call for each event",
    },
    // A connected socket with octets to read.
    Case {
        socket: MESSAGE,
        asked: Asked::Level,
        deed: "does not read",
        play: |asked| serve(Inbox::new(14, 0)?, asked, Habit::Ignore),
        why: "what stays unread is told at each wait: without an end, and each time for nothing",
    },
    Case {
        socket: MESSAGE,
        asked: Asked::Edge,
        deed: "does not read",
        play: |asked| serve(Inbox::new(14, 0)?, asked, Habit::Ignore),
        why: "an arrival is told once, whether or not anybody reads",
    },
    Case {
        socket: MESSAGE,
        asked: Asked::Level,
        deed: "reads once",
        play: |asked| serve(Inbox::new(14, 0)?, asked, Habit::Once),
        why: "nothing is unread, so nothing is told: no read is needed to find that out",
    },
    Case {
        socket: MESSAGE,
        asked: Asked::Edge,
        deed: "reads until EAGAIN",
        play: |asked| serve(Inbox::new(14, 0)?, asked, Habit::UntilInVain),
        why: "whoever must go on until EAGAIN pays one read in vain for each event",
    },
    Case {
        socket: ANOTHER,
        asked: Asked::Oneshot,
        deed: "reads once",
        play: |asked| serve(Inbox::new(14, 1)?, asked, Habit::Once),
        why: "disabled after the first event: nobody is told of the second message",
    },
    Case {
        socket: ANOTHER,
        asked: Asked::Rearmed,
        deed: "reads once",
        play: |asked| serve(Inbox::new(14, 1)?, asked, Habit::Once),
        why: "asked for again after each event, it tells of each message",
    },
    // One with more to read than a read takes.
    Case {
        socket: LONG,
        asked: Asked::Level,
        deed: "reads 16 octets",
        play: |asked| serve(Inbox::new(64, 0)?, asked, Habit::Once),
        why: "the rest is told at the next wait",
    },
    Case {
        socket: LONG,
        asked: Asked::Edge,
        deed: "reads 16 octets",
        play: |asked| serve(Inbox::new(64, 0)?, asked, Habit::Once),
        why: "the rest is no arrival: a peer that waits for an answer to it waits for ever",
    },
    Case {
        socket: LONGER,
        asked: Asked::Edge,
        deed: "reads 16 octets",
        play: |asked| serve(Inbox::new(64, 1)?, asked, Habit::Once),
        why: "the next message is told, and finds a reader that is behind, and stays behind",
    },
    Case {
        socket: LONG,
        asked: Asked::Edge,
        deed: "reads until EAGAIN",
        play: |asked| serve(Inbox::new(64, 0)?, asked, Habit::UntilInVain),
        why: "nothing is left when EAGAIN comes",
    },
    Case {
        socket: LONG,
        asked: Asked::Oneshot,
        deed: "reads 16 octets",
        play: |asked| serve(Inbox::new(64, 0)?, asked, Habit::Once),
        why: "disabled after one event, whatever is left",
    },
    Case {
        socket: LONG,
        asked: Asked::Rearmed,
        deed: "reads 16 octets",
        play: |asked| serve(Inbox::new(64, 0)?, asked, Habit::Once),
        why: "EPOLL_CTL_MOD finds the rest: a reader may stop early, unlike an edge-triggered one",
    },
    // Wake-ups for nothing.
    Case {
        socket: END,
        asked: Asked::Level,
        deed: "reads, and does not close",
        play: |asked| serve(Inbox::ended()?, asked, Habit::Once),
        why: "the end can be read again and again, so a descriptor that stays open spins",
    },
    Case {
        socket: END,
        asked: Asked::Edge,
        deed: "reads, and does not close",
        play: |asked| serve(Inbox::ended()?, asked, Habit::Once),
        why: "the end is an event like an arrival, and comes once",
    },
    Case {
        socket: ONE_SET,
        asked: Asked::Level,
        deed: "each that is told reads once",
        play: workers::on_one_set,
        why: "unread while the first thread is on its way: told to the second, which finds nothing",
    },
    Case {
        socket: ONE_SET,
        asked: Asked::Edge,
        deed: "each that is told reads once",
        play: workers::on_one_set,
        why: "two arrivals are two events: the first thread reads both, the second one nothing",
    },
    Case {
        socket: ONE_SET,
        asked: Asked::Rearmed,
        deed: "each that is told reads once",
        play: workers::on_one_set,
        why: "one thread at a time has the descriptor: it gives it back by EPOLL_CTL_MOD",
    },
    Case {
        socket: TWO_SETS,
        asked: Asked::Level,
        deed: "each that is told accepts one",
        play: workers::on_a_set_each,
        why: "each set tells its own thread, and there is one client: one accept is in vain",
    },
    Case {
        socket: TWO_SETS,
        asked: Asked::Oneshot,
        deed: "each that is told accepts one",
        play: workers::on_a_set_each,
        why: "one-shot holds for a set, not for the socket: only EPOLLEXCLUSIVE looks across sets",
    },
    // A connected socket to write to.
    Case {
        socket: ROOM,
        asked: Asked::Level,
        deed: "has nothing to write",
        play: |asked| serve(Outbox::new(0)?, asked, Habit::Ignore),
        why: "there is always room: ask for EPOLLOUT only while something waits to be written",
    },
    Case {
        socket: ROOM,
        asked: Asked::Edge,
        deed: "writes 16 of 64 octets",
        play: |asked| serve(Outbox::new(64)?, asked, Habit::Once),
        why: "told once when asked, and then never: there was room all the time, so none came",
    },
    Case {
        socket: ROOM,
        asked: Asked::Edge,
        deed: "writes all 64 octets",
        play: |asked| serve(Outbox::new(64)?, asked, Habit::UntilInVain),
        why: "whoever writes all, or until EAGAIN, waits only when something will come",
    },
    Case {
        socket: FULL,
        asked: Asked::Edge,
        deed: "writes until EAGAIN",
        play: |asked| serve(Full::new(3)?, asked, Habit::UntilInVain),
        why: "EPOLLOUT comes once each time that a full socket has room again",
    },
];
