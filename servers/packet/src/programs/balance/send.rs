//! The packet becomes the job, and goes to the server.

use super::counts::{Count, count};
use super::hear::IP_LENGTH;
use super::layout::{INCARNATION_SHIFT, SERVER, message, record, slot, variable};
use super::outcome::{Outcome, end_with};
use super::server::place_of;
use super::{Ways, queue, threads};
use crate::asm::Condition::NotEqual;
use crate::asm::Size::{Byte, Double, Half, Word};
use crate::asm::{Assembler, Atomic, Place, Register::*};
use crate::jobs::message::Kind;
use crate::programs::checksum;
use crate::programs::frame::{IP, PAYLOAD, START, UDP, big, ethernet, ipv4, udp};

/// How many hops a job may take: what most systems begin with.
const HOPS: i32 = 64;
/// No fragments.
const DO_NOT_FRAGMENT: u16 = 0x4000;

pub(super) fn write(a: &mut Assembler, ways: &Ways) {
    a.bind(ways.give);
    write_down(a, ways);
    a.note("Look whether others wait: then the server shall ask for more.");
    queue::peek(a);
    payload(a);
    link_header(a);
    ip_header(a);
    udp_header(a);
    count(a, Count::Sent);
    a.mov(R2, 1);
    a.atomic(Double, Atomic::Add, SERVER.at(slot::GIVEN), R2);
    a.jump(ways.sent);
}

/// Writes down where the job is from now on. `R6` becomes its work: the context is not needed any
/// more.
fn write_down(a: &mut Assembler, ways: &Ways) {
    let found = a.label("job_found");
    a.note("Write down where the job is.");
    queue::find(a, variable::CHOSEN);
    a.jump_if(R0, NotEqual, 0, found);
    a.note("User space has taken it away meanwhile: give the thread back.");
    a.load(Double, R5, variable::TAKEN);
    a.shr(R5, INCARNATION_SHIFT);
    threads::give_back(a);
    end_with(a, Outcome::Freed, ways.about_server);
    a.bind(found);
    a.load(Double, R1, variable::NOW);
    a.store(Double, R0.at(record::SINCE), R1);
    a.load(Double, R3, variable::TAKEN);
    a.shr(R3, INCARNATION_SHIFT);
    place_of(a);
    a.store(Double, R0.at(record::PLACE), R3);
    a.load(Word, R6, R0.at(record::WORK));
}

/// The message: `R0` is 0 if others wait.
fn payload(a: &mut Assembler) {
    let none = a.label("none_waits");
    a.note("The message.");
    a.mov(R1, 0);
    a.jump_if(R0, NotEqual, 0, none);
    a.mov(R1, 1);
    a.bind(none);
    a.store(Byte, START.at(PAYLOAD + message::MORE), R1);
    a.store(Byte, START.at(PAYLOAD + message::KIND), Kind::Job as i32);
    a.store(Half, START.at(PAYLOAD + message::FREE), 0);
    a.load(Double, R1, variable::CHOSEN);
    a.store(Double, START.at(PAYLOAD + message::ID), R1);
    a.store(Word, START.at(PAYLOAD + message::WORK), R6);
    a.load(Double, R1, variable::TAKEN);
    a.shr(R1, INCARNATION_SHIFT);
    a.store(Word, START.at(PAYLOAD + message::INCARNATION), R1);
}

/// From the hardware address that the packet was sent to, to that of the server.
fn link_header(a: &mut Assembler) {
    a.note("Ethernet: from us, to the server.");
    copy(a, Half, START.at(ethernet::DESTINATION), START.at(ethernet::SOURCE));
    copy(a, Word, START.at(ethernet::DESTINATION + 2), START.at(ethernet::SOURCE + 2));
    copy(a, Half, SERVER.at(slot::MAC_FIRST), START.at(ethernet::DESTINATION));
    copy(a, Word, SERVER.at(slot::MAC_REST), START.at(ethernet::DESTINATION + 2));
}

/// A header as if it was made here: what was in the old one and is not said here is forgotten.
fn ip_header(a: &mut Assembler) {
    a.note("IPv4: from the address that the packet was sent to, to that of the server.");
    copy(a, Word, START.at(IP + ipv4::DESTINATION), START.at(IP + ipv4::SOURCE));
    copy(a, Word, SERVER.at(slot::ADDRESS), START.at(IP + ipv4::DESTINATION));
    a.store(Byte, START.at(IP + ipv4::SERVICE), 0);
    a.store(Half, START.at(IP + ipv4::LENGTH), big(IP_LENGTH));
    a.store(Half, START.at(IP + ipv4::IDENTIFICATION), 0);
    a.store(Half, START.at(IP + ipv4::FRAGMENT), big(DO_NOT_FRAGMENT));
    a.store(Byte, START.at(IP + ipv4::HOPS), HOPS);
    a.note("The checksum of the header, without the old one.");
    a.store(Half, START.at(IP + ipv4::CHECKSUM), 0);
    a.mov(R0, 0);
    checksum::add(a, IP, ipv4::SIZE);
    checksum::finish(a);
    a.store(Half, START.at(IP + ipv4::CHECKSUM), R0);
}

/// RFC 768. Its checksum is over the addresses, too.
fn udp_header(a: &mut Assembler) {
    a.note("UDP: from the port that the packet was sent to, to that of the server.");
    copy(a, Half, START.at(UDP + udp::DESTINATION), START.at(UDP + udp::SOURCE));
    copy(a, Half, SERVER.at(slot::PORT), START.at(UDP + udp::DESTINATION));
    a.note("Its checksum: addresses, protocol and length, then the datagram without the old one.");
    a.store(Half, START.at(UDP + udp::CHECKSUM), 0);
    let length = IP_LENGTH as i16 - ipv4::SIZE;
    a.mov(R0, big(ipv4::UDP as u16) + big(length as u16));
    checksum::add(a, IP + ipv4::SOURCE, 8);
    checksum::add(a, UDP, length);
    checksum::finish(a);
    checksum::never_zero(a);
    a.store(Half, START.at(UDP + udp::CHECKSUM), R0);
}

/// Copies one load. Destroys `R1`.
fn copy(a: &mut Assembler, size: crate::asm::Size, from: Place, to: Place) {
    a.load(size, R1, from);
    a.store(size, to, R1);
}
