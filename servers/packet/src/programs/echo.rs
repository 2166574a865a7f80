//! Sends UDP datagrams back to where they came from, without the stack: `XDP_TX`.
//!
//! Addresses and ports change places. A checksum is a sum, and a sum does not care for the order of
//! what it adds, so both checksums stay as they are.

use super::frame::{self, IP, UDP, ethernet, ipv4, udp};
use crate::asm::Size::{Half, Word};
use crate::asm::{Assembler, Code, Register::R0};
use crate::bpf::Action;

/// The program, for datagrams to `port`. All others go on to the stack.
pub fn code(port: u16) -> Code {
    let mut a = Assembler::new();
    let pass = a.label("pass");
    frame::enter(&mut a);
    frame::plain_udp(&mut a, port, 0, pass);
    turn(&mut a);
    a.mov(R0, Action::Transmit.number());
    a.exit();
    a.bind(pass);
    a.mov(R0, Action::Pass.number());
    a.exit();
    a.finish()
}

/// Exchanges source and destination in all three headers.
fn turn(a: &mut Assembler) {
    a.note("Exchange the hardware addresses: six octets, as four and two.");
    let (to, from) = (ethernet::DESTINATION, ethernet::SOURCE);
    frame::exchange(a, Word, to, from);
    frame::exchange(a, Half, to + 4, from + 4);
    a.note("Exchange the addresses of IPv4.");
    frame::exchange(a, Word, IP + ipv4::SOURCE, IP + ipv4::DESTINATION);
    a.note("Exchange the ports of UDP.");
    frame::exchange(a, Half, UDP + udp::SOURCE, UDP + udp::DESTINATION);
    a.note("Out again by where it came in.");
}
