//! Hands UDP datagrams to an AF_XDP socket, before the stack sees them.
//!
//! A socket is bound to one receive queue of an interface, so the number of the queue is the key.
//! Where no socket listens the frame goes on to the stack.

use super::frame::{self, CONTEXT, context};
use crate::asm::Size::Word;
use crate::asm::{Assembler, Code, Helper, Register::*};
use crate::bpf::{Action, Error, Kind, Map};

/// The name of the map: sockets by receive queue.
pub const SOCKETS: &str = "sockets";

/// The map for so many receive queues: put the descriptor of a bound AF_XDP socket, as a `u32`, at
/// the number of its queue.
///
/// # Errors
/// What the kernel says.
pub fn sockets(queues: u32) -> Result<Map, Error> {
    Map::new(SOCKETS, Kind::Xskmap, [4, 4], queues)
}

/// The program, for datagrams to `port`. All others go on to the stack.
pub fn code(port: u16) -> Code {
    let mut a = Assembler::new();
    let pass = a.label("pass");
    frame::enter(&mut a);
    frame::plain_udp(&mut a, port, 0, pass);
    a.note("To the socket of this receive queue; to the stack if there is none.");
    a.map(R1, SOCKETS);
    a.load(Word, R2, CONTEXT.at(context::RECEIVE_QUEUE));
    a.mov(R3, Action::Pass.number());
    a.call(Helper::RedirectMap);
    a.exit();
    a.bind(pass);
    a.mov(R0, Action::Pass.number());
    a.exit();
    a.finish()
}
