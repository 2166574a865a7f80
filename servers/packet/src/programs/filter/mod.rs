//! The filter: even counters are dropped, odd ones go on.
//!
//! What is a counter depends on [`Counter`]: the first four octets of a UDP payload, or the
//! sequence number of a TCP segment. Whatever is not certain goes on to the stack, which knows what
//! to do with it, and is counted with the reason; the program never gives up (`XDP_ABORTED`).
//!
//! The parts of the program are in the order of the headers: `link` and `network` find out what is
//! carried and how long it is, `transport` finds the counter, `outcome` counts and says so.
//!
//! * Lengths are those of the headers, not of the frame, which may be padded. They are checked as
//!   the stack checks them: a frame that a socket would get is not called malformed, for that would
//!   be a way past the filter. Checksums are not looked at.
//! * Up to two VLAN tags, IPv4 options and up to eight IPv6 extension headers are looked behind.
//! * Of a datagram in fragments only the first one has a counter, and it is judged as the whole
//!   would be: without the first one the others are never put together. Later ones go on. A first
//!   fragment that is too short for a counter goes on too: who wants to be sure drops fragments
//!   altogether.

use super::frame;
use crate::asm::{Assembler, Code, Label};
use crate::bpf::{Error, Kind, Map};

mod link;
mod network;
mod outcome;
mod transport;

pub use outcome::{Decision, Event};

/// The name of the map that counts decisions, for each CPU by itself.
const DECISIONS: &str = "decisions";
/// The name of the ring buffer.
const EVENTS: &str = "events";
/// Room for 4,096 events and their heads.
const EVENTS_SIZE: u32 = 1 << 17;

/// What is even or odd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// The first four octets of a UDP payload, the least significant one first.
    UdpPayload,
    /// The sequence number of a TCP segment that carries data and does not open a connection. TCP
    /// sends again what was dropped, and it is even again: such a stream stands still at its first
    /// even segment.
    TcpSequence,
}

/// Whether each decision is told, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trace {
    /// They are counted only.
    Off,
    /// Each about traffic to the port goes into a ring buffer.
    On,
}

/// What a filter is for.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Whose traffic is filtered: the port it goes to.
    pub port: u16,
    /// What is even or odd.
    pub counter: Counter,
    /// Whether each decision is told.
    pub trace: Trace,
}

/// What the program shares with user space.
#[derive(Debug)]
pub struct Maps {
    /// How often each [`Decision`] was made, for each CPU.
    pub decisions: Map,
    /// An [`Event`] for each decision, with [`Trace::On`].
    pub events: Map,
}

impl Maps {
    /// Maps for one filter.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new() -> Result<Self, Error> {
        let decisions = Map::new(DECISIONS, Kind::PercpuArray, [4, 8], Decision::ALL.len() as u32)?;
        Ok(Self { decisions, events: Map::new(EVENTS, Kind::Ring, [0, 0], EVENTS_SIZE)? })
    }

    /// For [`crate::bpf::Program::load`].
    pub fn all(&self) -> [&Map; 2] {
        [&self.decisions, &self.events]
    }

    /// How often each decision was made, in the order of [`Decision::ALL`].
    ///
    /// # Errors
    /// What the kernel says.
    pub fn counts(&self) -> std::io::Result<[u64; Decision::ALL.len()]> {
        self.decisions.sums()
    }
}

/// The program.
pub fn code(parameters: &Parameters) -> Code {
    let mut a = Assembler::new();
    let exits = Exits::new(&mut a);
    frame::enter(&mut a);
    link::write(&mut a, &exits);
    transport::write(&mut a, parameters, &exits);
    outcome::write(&mut a, parameters, &exits);
    a.finish()
}

/// Where a frame goes once it is known what it is: a label for each decision.
struct Exits([Label; Decision::ALL.len()]);

impl Exits {
    fn new(a: &mut Assembler) -> Self {
        Self(Decision::ALL.map(|decision| a.label(decision.label())))
    }

    fn to(&self, decision: Decision) -> Label {
        self.0[decision as usize]
    }
}

/// Variables on the stack.
mod variable {
    use crate::asm::{Place, Register::R10};

    /// How many octets of the IP packet are left behind the header that was read last, as 64 bits.
    pub(super) const LEFT: Place = R10.at(-8);
    /// Not 0 if this is the first fragment of several, as 64 bits.
    pub(super) const PART: Place = R10.at(-16);
    /// The version of IP, as 64 bits.
    pub(super) const VERSION: Place = R10.at(-24);
    /// How many octets of the frame are before the IP header, as 64 bits.
    pub(super) const BEFORE: Place = R10.at(-48);
    /// The counter, as 64 bits.
    pub(super) const COUNTER: Place = R10.at(-32);
    /// The key of a map.
    pub(super) const KEY: Place = R10.at(-36);
}
