//! UDP and TCP: where the counter is, if there is one.

use super::link::{CARRIED, CURSOR};
use super::{Counter, Decision, Exits, Parameters, variable};
use crate::asm::Condition::{Above, AnyBit, AtLeast, AtMost, Below, Equal, NotEqual};
use crate::asm::Size::{Byte, Double, Half, Word};
use crate::asm::{Assembler, Order, Register::*};
use crate::programs::frame::{big, ipv4, tcp, udp, within};

/// A counter of a UDP payload, in octets.
const COUNTER_SIZE: i16 = 4;

/// Finds the counter, and goes where its lowest bit says.
pub(super) fn write(a: &mut Assembler, parameters: &Parameters, exits: &Exits) {
    match parameters.counter {
        Counter::UdpPayload => udp_payload(a, parameters.port, exits),
        Counter::TcpSequence => tcp_sequence(a, parameters.port, exits),
    }
    a.store(Double, variable::COUNTER, R2);
    a.jump_if(R2, AnyBit, 1, exits.to(Decision::OddPassed));
    a.jump(exits.to(Decision::EvenDropped));
}

/// RFC 768. `R2` becomes the counter.
fn udp_payload(a: &mut Assembler, port: u16, exits: &Exits) {
    let (malformed, none) = (exits.to(Decision::Malformed), exits.to(Decision::NoCounter));
    let fits = a.label("fits");
    a.note(format!("UDP to port {port}?"));
    a.jump_if(CARRIED, NotEqual, ipv4::UDP, exits.to(Decision::NotOurs));
    a.load(Double, R1, variable::LEFT);
    a.jump_if(R1, Below, i32::from(udp::SIZE), malformed);
    within(a, CURSOR, udp::SIZE, R2, malformed);
    a.load(Half, R2, CURSOR.at(udp::DESTINATION));
    a.jump_if(R2, NotEqual, big(port), exits.to(Decision::NotOurs));
    length_or_all(a);
    a.jump_if(R3, Below, i32::from(udp::SIZE), malformed);
    a.note("The datagram is inside of the packet, unless this is only its first fragment.");
    a.jump_if(R3, AtMost, R1, fits);
    a.load(Double, R2, variable::PART);
    a.jump_if(R2, Equal, 0, malformed);
    a.bind(fits);
    a.note("Is there a counter in the datagram, and in this part of it?");
    a.jump_if(R3, Below, i32::from(udp::SIZE + COUNTER_SIZE), none);
    a.jump_if(R1, Below, i32::from(udp::SIZE + COUNTER_SIZE), none);
    within(a, CURSOR, udp::SIZE + COUNTER_SIZE, R2, malformed);
    a.load(Word, R2, CURSOR.at(udp::SIZE));
    a.swap(Order::Little, 32, R2);
}

/// `R3` becomes the length that UDP says; `R1` is how much of the packet is left.
fn length_or_all(a: &mut Assembler) {
    let given = a.label("length_given");
    a.note("The length of the datagram. 0 means all of it, in IPv6 (RFC 2675, section 4).");
    a.load(Half, R3, CURSOR.at(udp::LENGTH));
    a.swap(Order::Big, 16, R3);
    a.jump_if(R3, NotEqual, 0, given);
    a.load(Double, R2, variable::VERSION);
    a.jump_if(R2, NotEqual, 6, given);
    a.mov(R3, R1);
    a.bind(given);
}

/// RFC 9293, section 3.1. `R2` becomes the counter.
fn tcp_sequence(a: &mut Assembler, port: u16, exits: &Exits) {
    let (malformed, none) = (exits.to(Decision::Malformed), exits.to(Decision::NoCounter));
    a.note(format!("TCP to port {port}?"));
    a.jump_if(CARRIED, NotEqual, ipv4::TCP, exits.to(Decision::NotOurs));
    a.load(Double, R1, variable::LEFT);
    a.jump_if(R1, Below, i32::from(tcp::SIZE), malformed);
    within(a, CURSOR, tcp::SIZE, R2, malformed);
    a.load(Half, R2, CURSOR.at(tcp::DESTINATION));
    a.jump_if(R2, NotEqual, big(port), exits.to(Decision::NotOurs));
    a.note("The length of the header, in words of four octets.");
    a.load(Byte, R3, CURSOR.at(tcp::HEADER));
    a.shr(R3, 4);
    a.shl(R3, 2);
    a.jump_if(R3, Below, i32::from(tcp::SIZE), malformed);
    a.jump_if(R3, Above, R1, malformed);
    a.note("Without data there is nothing to count, and a SYN is no data.");
    a.jump_if(R3, AtLeast, R1, none);
    a.load(Byte, R2, CURSOR.at(tcp::FLAGS));
    a.jump_if(R2, AnyBit, tcp::SYN, none);
    a.load(Word, R2, CURSOR.at(tcp::SEQUENCE));
    a.swap(Order::Big, 32, R2);
}
