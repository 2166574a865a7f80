//! Ethernet and up to two VLAN tags (IEEE 802.1Q, 802.1ad).
//!
//! From here on `CURSOR` points to the header that is read next, and `CARRIED` is its protocol.

use super::{Decision, Exits, network, variable};
use crate::asm::Condition::{Equal, NotEqual};
use crate::asm::Size::{Double, Half};
use crate::asm::{Assembler, Register, Register::*};
use crate::programs::frame::{START, big, ethernet, within};

/// The header that is read next: it begins as the start of the frame.
pub(super) const CURSOR: Register = START;
/// The protocol of that header.
pub(super) const CARRIED: Register = R9;

/// Tags that are looked behind.
const TAGS: i16 = crate::frame::TAGS_MAX as i16;
/// A tag, with the type of what follows (IEEE 802.1Q).
const TAG_SIZE: i16 = 4;
const TAG_TYPE: i16 = 2;

pub(super) fn write(a: &mut Assembler, exits: &Exits) {
    let malformed = exits.to(Decision::Malformed);
    a.note("Ethernet: what does it carry?");
    within(a, CURSOR, ethernet::SIZE, R2, malformed);
    a.load(Half, CARRIED, CURSOR.at(ethernet::TYPE));
    a.add(CURSOR, i32::from(ethernet::SIZE));
    a.store(Double, variable::BEFORE, i32::from(ethernet::SIZE));
    let untagged = a.label("untagged");
    for tags in 1..=TAGS {
        let tagged = a.label("tagged");
        a.note("A VLAN tag, inner or outer: what is behind it?");
        a.jump_if(CARRIED, Equal, big(ethernet::VLAN), tagged);
        a.jump_if(CARRIED, NotEqual, big(ethernet::VLAN_OUTER), untagged);
        a.bind(tagged);
        within(a, CURSOR, TAG_SIZE, R2, malformed);
        a.load(Half, CARRIED, CURSOR.at(TAG_TYPE));
        a.add(CURSOR, i32::from(TAG_SIZE));
        a.store(Double, variable::BEFORE, i32::from(ethernet::SIZE + tags * TAG_SIZE));
    }
    a.bind(untagged);
    network::write(a, exits);
}
