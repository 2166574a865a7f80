//! Where things are in a frame, and the first steps that most programs take.
//!
//! All programs keep the same registers: [`CONTEXT`], [`START`] and [`END`]. Numbers in headers
//! have their most significant octet first; instead of turning each one that is loaded, programs
//! compare it with a constant that is turned when the program is written, see [`big`].

use crate::asm::Size::{Byte, Half, Word};
use crate::asm::{Assembler, Condition, Label, Register, Register::*};

/// `struct xdp_md`, kept across helpers.
pub(super) const CONTEXT: Register = R6;
/// The first octet of the frame.
pub(super) const START: Register = R7;
/// After the last octet of the frame.
pub(super) const END: Register = R8;

/// Offsets in `struct xdp_md`.
pub(super) mod context {
    pub(in super::super) const DATA: i16 = 0;
    pub(in super::super) const DATA_END: i16 = 4;
    pub(in super::super) const RECEIVE_QUEUE: i16 = 16;
}

/// Offsets in an Ethernet header (IEEE 802.3).
pub(super) mod ethernet {
    pub(in super::super) const DESTINATION: i16 = 0;
    pub(in super::super) const SOURCE: i16 = 6;
    pub(in super::super) const TYPE: i16 = 12;
    pub(in super::super) const SIZE: i16 = 14;
    pub(in super::super) const IPV4: u16 = crate::frame::number::IPV4;
    pub(in super::super) const IPV6: u16 = crate::frame::number::IPV6;
    pub(in super::super) const VLAN: u16 = crate::frame::number::VLAN;
    pub(in super::super) const VLAN_OUTER: u16 = crate::frame::number::VLAN_OUTER;
}

/// Offsets in an IPv4 header (RFC 791, section 3.1).
pub(super) mod ipv4 {
    pub(in super::super) const VERSION: i16 = 0;
    pub(in super::super) const SERVICE: i16 = 1;
    pub(in super::super) const LENGTH: i16 = 2;
    pub(in super::super) const IDENTIFICATION: i16 = 4;
    pub(in super::super) const FRAGMENT: i16 = 6;
    pub(in super::super) const HOPS: i16 = 8;
    pub(in super::super) const PROTOCOL: i16 = 9;
    pub(in super::super) const CHECKSUM: i16 = 10;
    pub(in super::super) const SOURCE: i16 = 12;
    pub(in super::super) const DESTINATION: i16 = 16;
    pub(in super::super) const SIZE: i16 = 20;
    /// Version 4, five words of header: no options.
    pub(in super::super) const PLAIN: i32 = 0x45;
    /// More fragments follow, or this is not the first one.
    pub(in super::super) const FRAGMENTED: u16 = MORE | OFFSET;
    pub(in super::super) const MORE: u16 = 0x2000;
    pub(in super::super) const OFFSET: u16 = 0x1fff;
    pub(in super::super) const TCP: i32 = crate::frame::number::TCP as i32;
    pub(in super::super) const UDP: i32 = crate::frame::number::UDP as i32;
}

/// Offsets in an IPv6 header (RFC 8200, section 3).
pub(super) mod ipv6 {
    use crate::frame::number::{DESTINATION_OPTIONS, ROUTING};

    pub(in super::super) const VERSION: i16 = 0;
    pub(in super::super) const LENGTH: i16 = 4;
    pub(in super::super) const NEXT: i16 = 6;
    pub(in super::super) const SIZE: i16 = 40;
    pub(in super::super) const HOP_BY_HOP: i32 = crate::frame::number::HOP_BY_HOP as i32;
    /// Extension headers that say their length.
    pub(in super::super) const OPTIONS: [i32; 3] =
        [HOP_BY_HOP, ROUTING as i32, DESTINATION_OPTIONS as i32];
    pub(in super::super) const FRAGMENT: i32 = crate::frame::number::FRAGMENT as i32;
    /// In the second half of a fragment header, turned to the order of this machine.
    pub(in super::super) const OFFSET: i32 = 0xfff8;
    pub(in super::super) const MORE: i32 = 1;
}

/// Offsets in a TCP header (RFC 9293, section 3.1).
pub(super) mod tcp {
    pub(in super::super) const DESTINATION: i16 = 2;
    pub(in super::super) const SEQUENCE: i16 = 4;
    /// The length of the header, in the upper four bits.
    pub(in super::super) const HEADER: i16 = 12;
    pub(in super::super) const FLAGS: i16 = 13;
    pub(in super::super) const SIZE: i16 = 20;
    pub(in super::super) const SYN: i32 = 0x02;
}

/// Offsets in a UDP header (RFC 768).
pub(super) mod udp {
    pub(in super::super) const SOURCE: i16 = 0;
    pub(in super::super) const DESTINATION: i16 = 2;
    pub(in super::super) const LENGTH: i16 = 4;
    pub(in super::super) const CHECKSUM: i16 = 6;
    pub(in super::super) const SIZE: i16 = 8;
}

/// Where IPv4, UDP and its payload begin in a frame without a VLAN tag and without options.
pub(super) const IP: i16 = ethernet::SIZE;
pub(super) const UDP: i16 = IP + ipv4::SIZE;
pub(super) const PAYLOAD: i16 = UDP + udp::SIZE;

/// A number of a header as a load of 16 bits sees it.
pub(super) const fn big(number: u16) -> i32 {
    number.to_be() as i32
}

/// Keeps the context, and finds out where the frame begins and where it ends.
pub(super) fn enter(a: &mut Assembler) {
    a.note("Keep the context, and find out where the frame begins and where it ends.");
    a.mov(CONTEXT, R1);
    bounds(a);
}

/// Finds out where the frame begins and where it ends: again after a helper that may move it.
pub(super) fn bounds(a: &mut Assembler) {
    a.load(Word, START, CONTEXT.at(context::DATA));
    a.load(Word, END, CONTEXT.at(context::DATA_END));
}

/// Goes to `otherwise` unless `octets` can be read from where `cursor` points. Destroys `scratch`.
///
/// The verifier understands exactly this form, and lets the program read there afterwards.
pub(super) fn within(
    a: &mut Assembler,
    cursor: Register,
    octets: i16,
    scratch: Register,
    otherwise: Label,
) {
    a.mov(scratch, cursor);
    a.add(scratch, i32::from(octets));
    a.jump_if(scratch, Condition::Above, END, otherwise);
}

/// Goes to `otherwise` unless this is a whole UDP datagram to `port` over IPv4, without a VLAN tag
/// and without options, and has `payload` octets of which none lies outside of the frame.
pub(super) fn plain_udp(a: &mut Assembler, port: u16, payload: i16, otherwise: Label) {
    a.note(format!("Only UDP over IPv4 to port {port}: no tag, no options, no fragment."));
    within(a, START, PAYLOAD + payload, R2, otherwise);
    a.load(Half, R2, START.at(ethernet::TYPE));
    a.jump_if(R2, Condition::NotEqual, big(ethernet::IPV4), otherwise);
    a.load(Byte, R2, START.at(IP + ipv4::VERSION));
    a.jump_if(R2, Condition::NotEqual, ipv4::PLAIN, otherwise);
    a.load(Byte, R2, START.at(IP + ipv4::PROTOCOL));
    a.jump_if(R2, Condition::NotEqual, ipv4::UDP, otherwise);
    a.load(Half, R2, START.at(IP + ipv4::FRAGMENT));
    a.jump_if(R2, Condition::AnyBit, big(ipv4::FRAGMENTED), otherwise);
    a.load(Half, R2, START.at(UDP + udp::DESTINATION));
    a.jump_if(R2, Condition::NotEqual, big(port), otherwise);
}

/// Exchanges two pieces of a frame of the same size. Destroys `R2` and `R3`.
pub(super) fn exchange(a: &mut Assembler, size: crate::asm::Size, one: i16, other: i16) {
    a.load(size, R2, START.at(one));
    a.load(size, R3, START.at(other));
    a.store(size, START.at(one), R3);
    a.store(size, START.at(other), R2);
}
