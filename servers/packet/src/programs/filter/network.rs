//! IPv4 and IPv6: what is carried, where it begins, and how long it is.

use super::link::{CARRIED, CURSOR};
use super::{Decision, Exits, variable};
use crate::asm::Condition::{Above, AnyBit, Below, Equal, NotEqual};
use crate::asm::Size::{Byte, Double, Half};
use crate::asm::{Assembler, Helper, Label, Order, Register::*};
use crate::frame::EXTENSIONS_MAX;
use crate::programs::frame::{CONTEXT, END, big, ethernet, ipv4, ipv6, within};

/// More than any frame: the verifier wants to know how far a pointer can go.
const LONGEST: i32 = 0xffff;

pub(super) fn write(a: &mut Assembler, exits: &Exits) {
    let (six, known) = (a.label("ipv6"), a.label("transport"));
    a.note("So far this is no fragment.");
    a.store(Double, variable::PART, 0);
    a.jump_if(CARRIED, Equal, big(ethernet::IPV6), six);
    a.jump_if(CARRIED, NotEqual, big(ethernet::IPV4), exits.to(Decision::NotOurs));
    version_4(a, exits);
    a.jump(known);
    a.bind(six);
    version_6(a, exits);
    a.bind(known);
}

/// RFC 791, section 3.1.
fn version_4(a: &mut Assembler, exits: &Exits) {
    let malformed = exits.to(Decision::Malformed);
    a.note("IPv4: the version, and the length of the header in words of four octets.");
    within(a, CURSOR, ipv4::SIZE, R2, malformed);
    a.load(Byte, R2, CURSOR.at(ipv4::VERSION));
    a.mov(R3, R2);
    a.shr(R3, 4);
    a.jump_if(R3, NotEqual, 4, malformed);
    a.store(Double, variable::VERSION, R3);
    a.and(R2, 0x0f);
    a.shl(R2, 2);
    a.jump_if(R2, Below, i32::from(ipv4::SIZE), malformed);
    a.note("The length of the packet: it has room for the header, and the frame for the packet.");
    a.load(Half, R1, CURSOR.at(ipv4::LENGTH));
    a.swap(Order::Big, 16, R1);
    a.jump_if(R1, Below, R2, malformed);
    a.mov(R3, CURSOR);
    a.add(R3, R1);
    a.jump_if(R3, Above, END, malformed);
    a.sub(R1, R2);
    a.store(Double, variable::LEFT, R1);
    a.note("A later fragment has no counter; of a first one, more follow.");
    a.load(Byte, CARRIED, CURSOR.at(ipv4::PROTOCOL));
    a.load(Half, R3, CURSOR.at(ipv4::FRAGMENT));
    a.jump_if(R3, AnyBit, big(ipv4::OFFSET), exits.to(Decision::LaterFragment));
    a.and(R3, big(ipv4::MORE));
    a.store(Double, variable::PART, R3);
    a.note("Behind the options.");
    a.add(CURSOR, R2);
}

/// RFC 8200, sections 3 and 4.
fn version_6(a: &mut Assembler, exits: &Exits) {
    let malformed = exits.to(Decision::Malformed);
    a.note("IPv6: the version, and the length of what follows, which the frame has room for.");
    within(a, CURSOR, ipv6::SIZE, R2, malformed);
    a.load(Byte, R2, CURSOR.at(ipv6::VERSION));
    a.shr(R2, 4);
    a.jump_if(R2, NotEqual, 6, malformed);
    a.store(Double, variable::VERSION, R2);
    a.load(Half, R1, CURSOR.at(ipv6::LENGTH));
    a.swap(Order::Big, 16, R1);
    a.load(Byte, CARRIED, CURSOR.at(ipv6::NEXT));
    length_or_all(a, malformed);
    a.store(Double, variable::LEFT, R1);
    a.add(CURSOR, i32::from(ipv6::SIZE));
    a.mov(R3, CURSOR);
    a.add(R3, R1);
    a.jump_if(R3, Above, END, malformed);
    extensions(a, exits);
}

/// A length of 0 with a hop-by-hop header is that of a packet whose length is an option (RFC 2675).
/// Linux takes it for all of the frame even if there is no such option, and so do we: it would be a
/// way past the filter.
fn length_or_all(a: &mut Assembler, malformed: Label) {
    let given = a.label("ipv6_length_given");
    a.note("A length of 0 means all of the frame, if there are hop-by-hop options.");
    a.jump_if(R1, NotEqual, 0, given);
    a.jump_if(CARRIED, NotEqual, ipv6::HOP_BY_HOP, given);
    a.mov(R1, CONTEXT);
    a.call(Helper::XdpLength);
    a.load(Double, R1, variable::BEFORE);
    a.sub(R0, R1);
    a.sub(R0, i32::from(ipv6::SIZE));
    a.mov(R1, R0);
    a.jump_if(R1, Above, LONGEST, malformed);
    a.bind(given);
}

/// Goes from extension header to extension header until something else is carried.
fn extensions(a: &mut Assembler, exits: &Exits) {
    let malformed = exits.to(Decision::Malformed);
    let (behind, skip) = (a.label("behind_extensions"), a.label("skip_extension"));
    let (fragment, options) = (a.label("ipv6_fragment"), a.label("ipv6_options"));
    a.mov(R5, EXTENSIONS_MAX as i32);
    let next = a.here("next_extension");
    a.note("An extension header of IPv6, if what is carried is one.");
    a.jump_if(CARRIED, Equal, ipv6::FRAGMENT, fragment);
    for extension in ipv6::OPTIONS {
        a.jump_if(CARRIED, Equal, extension, options);
    }
    a.jump(behind);
    a.bind(options);
    a.note("Its length is in units of eight octets, the first one not counted.");
    within(a, CURSOR, 8, R2, malformed);
    a.load(Byte, R2, CURSOR.at(1));
    a.add(R2, 1);
    a.shl(R2, 3);
    a.jump(skip);
    a.bind(fragment);
    fragment_header(a, exits);
    a.bind(skip);
    take(a, malformed);
    a.sub(R5, 1);
    a.jump_if(R5, NotEqual, 0, next);
    a.bind(behind);
}

/// RFC 8200, section 4.5: notes a first fragment, lets go of a later one. `R2` becomes its length.
fn fragment_header(a: &mut Assembler, exits: &Exits) {
    let whole = a.label("whole");
    a.note("A fragment: a later one has no counter; of a first one, more follow.");
    within(a, CURSOR, 8, R2, exits.to(Decision::Malformed));
    a.note("All eight octets have to be in the packet, too.");
    a.load(Double, R1, variable::LEFT);
    a.jump_if(R1, Below, 8, exits.to(Decision::Malformed));
    a.load(Half, R3, CURSOR.at(2));
    a.swap(Order::Big, 16, R3);
    a.jump_if(R3, AnyBit, ipv6::OFFSET, exits.to(Decision::LaterFragment));
    a.and(R3, ipv6::MORE);
    a.jump_if(R3, Equal, 0, whole);
    a.store(Double, variable::PART, R3);
    a.bind(whole);
    a.mov(R2, 8);
}

/// Goes on to the next header, `R2` octets further, if the packet has as many left.
fn take(a: &mut Assembler, malformed: Label) {
    a.note("On to the next header, if it is still inside of the packet.");
    a.load(Double, R1, variable::LEFT);
    a.jump_if(R1, Below, R2, malformed);
    a.sub(R1, R2);
    a.store(Double, variable::LEFT, R1);
    a.load(Byte, CARRIED, CURSOR.at(0));
    a.add(CURSOR, R2);
}
