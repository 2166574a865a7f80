//! The balancer of jobs: the server with the most free threads gets the next one, before the stack.
//!
//! What it decides is told in [`crate::jobs::state`], which decides the same in user space, and by
//! which this program is tested; what it hears and says is a [`crate::jobs::message`]. Here is how
//! it is done with what a program before the socket has: one packet, which it may send back
//! changed, maps, and other CPUs that run the same program at the same moment.
//!
//! * **Threads.** A server's incarnation, capacity and free threads are one word of 64 bits,
//!   changed by compare-and-exchange only. So a thread is never given twice, and a server that
//!   starts anew can't get back a thread of its former life. A loop of attempts has a bound, as all
//!   loops here have to; who comes to its end takes the server for busy.
//! * **Done** counts once: a hash map lets only one CPU delete a job.
//! * **The queue** is served first. A client's job goes to its end, and the client's packet carries
//!   the oldest job to a server that is free.
//! * **No job is forgotten** in the queue beside a free thread. A client queues, then looks for a
//!   thread; a server frees, then looks into the queue, and looks again after it has given back a
//!   thread that it had found no job for. Whatever the order in which two CPUs do this, the later
//!   one sees the other.
//! * **Checksums** are computed from nothing, not updated: a sender on this host leaves a half-made
//!   one in the packet for hardware to complete, and that can't be told from a whole one.
//!
//! Only plain IPv4 is balanced: no options, no fragments, no VLAN tags. Whatever else comes to the
//! port goes on to the stack, and is counted.

use std::time::Duration;

use super::frame;
use crate::asm::{Assembler, Code, Label};

mod client;
mod counts;
mod hear;
mod keeper;
mod layout;
mod mend;
mod outcome;
mod queue;
mod send;
mod server;
mod threads;

pub use counts::Count;
pub use keeper::{Health, Keeper, Server};
pub use layout::Slot;
pub use outcome::{Event, Outcome};

/// How many servers can be known.
pub const SERVERS: u32 = 64;
/// How many jobs can wait, if nobody says otherwise.
pub const QUEUE: u32 = 1_024;
/// How long a server may be silent, if nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How many jobs can be at servers.
pub const IN_FLIGHT: u32 = 1 << 15;

/// What a balancer is for.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// The UDP port that clients and servers talk to.
    pub port: u16,
    /// How many jobs can wait.
    pub queue: u32,
    /// How long a server may be silent before it is taken for dead.
    pub patience: Duration,
    /// Whether each decision is told, too.
    pub trace: super::filter::Trace,
}

/// The program.
pub fn code(parameters: &Parameters) -> Code {
    let mut a = Assembler::new();
    let ways = Ways::new(&mut a);
    frame::enter(&mut a);
    hear::write(&mut a, parameters, &ways);
    client::write(&mut a, parameters, &ways);
    server::write(&mut a, &ways);
    send::write(&mut a, &ways);
    outcome::write(&mut a, parameters, &ways);
    a.finish()
}

/// Where the parts of the program go on.
struct Ways {
    /// A client has a job.
    submit: Label,
    /// A server says that it is there.
    register: Label,
    /// A server says that a job is done.
    done: Label,
    /// A thread of the server at `SERVER` is taken: for the job that waits longest.
    take: Label,
    /// A thread of the server at `SERVER` is taken: for the job at `CHOSEN`.
    give: Label,
    /// The job is in the packet.
    sent: Label,
    /// No job goes out, and `OUTCOME` says why; `SERVER` is a server.
    about_server: Label,
    /// No job goes out, and `OUTCOME` says why; there is no server.
    about_job: Label,
    /// This is not for a balancer.
    pass: Label,
}

impl Ways {
    fn new(a: &mut Assembler) -> Self {
        Self {
            submit: a.label("submit"),
            register: a.label("register"),
            done: a.label("done"),
            take: a.label("take"),
            give: a.label("give"),
            sent: a.label("sent"),
            about_server: a.label("about_server"),
            about_job: a.label("about_job"),
            pass: a.label("pass"),
        }
    }
}
