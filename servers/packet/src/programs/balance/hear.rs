//! Which message it is, if it is one.

use super::counts::{self, Count, count};
use super::layout::{message, variable};
use super::outcome::{Outcome, end_with};
use super::{Parameters, Ways};
use crate::asm::Condition::{AnyBit, Equal, NotEqual};
use crate::asm::Size::{Byte, Double, Half, Word};
use crate::asm::{Assembler, Helper, Order, Register::*};
use crate::jobs::message::{Kind, MAGIC, SIZE};
use crate::programs::frame::{self, IP, PAYLOAD, START, UDP, big, ethernet, ipv4, udp};

/// The lengths that the headers of a message say.
const UDP_LENGTH: u16 = udp::SIZE as u16 + SIZE as u16;
pub(super) const IP_LENGTH: u16 = ipv4::SIZE as u16 + UDP_LENGTH;

pub(super) fn write(a: &mut Assembler, parameters: &Parameters, ways: &Ways) {
    let (foreign, nowhere) = (a.label("foreign"), a.label("nowhere"));
    counts::find(a, nowhere);
    frame::plain_udp(a, parameters.port, SIZE as i16, foreign);
    is_message(a, foreign);
    remember(a);
    a.note("Who says what?");
    a.load(Byte, R2, START.at(PAYLOAD + message::KIND));
    a.jump_if(R2, Equal, Kind::Submit as i32, ways.submit);
    a.jump_if(R2, Equal, Kind::Register as i32, ways.register);
    a.jump_if(R2, Equal, Kind::Done as i32, ways.done);
    a.note("A job is for servers, and what else there is is for nobody.");
    count(a, Count::Nonsense);
    end_with(a, Outcome::Nonsense, ways.about_job);
    a.bind(foreign);
    a.note("Not for a balancer: let the stack see it.");
    count(a, Count::Passed);
    a.bind(nowhere);
    a.jump(ways.pass);
}

/// Goes to `foreign` unless the lengths in the headers are those of a message, whatever the length
/// of the frame, and it is addressed to us alone and says that it is one.
fn is_message(a: &mut Assembler, foreign: crate::asm::Label) {
    a.note("A message, by the lengths that the headers say: a frame may be padded.");
    a.load(Half, R2, START.at(IP + ipv4::LENGTH));
    a.jump_if(R2, NotEqual, big(IP_LENGTH), foreign);
    a.load(Half, R2, START.at(UDP + udp::LENGTH));
    a.jump_if(R2, NotEqual, big(UDP_LENGTH), foreign);
    a.load(Word, R2, START.at(PAYLOAD + message::MAGIC));
    a.swap(Order::Little, 32, R2);
    a.jump_if(R2, NotEqual, MAGIC as i32, foreign);
    a.note("Not for a group: its address can't be where our answer comes from.");
    a.load(Byte, R2, START.at(ethernet::DESTINATION));
    a.jump_if(R2, AnyBit, 1, foreign);
}

/// Keeps what is needed of the message, and when it came. Numbers of clients and servers that are
/// only kept and given back stay in the order in which they came.
fn remember(a: &mut Assembler) {
    a.note("Keep the id, and where the message is from.");
    a.load(Double, R2, START.at(PAYLOAD + message::ID));
    a.store(Double, variable::ID, R2);
    a.load(Word, R2, START.at(IP + ipv4::SOURCE));
    a.store(Word, variable::FROM, R2);
    a.load(Half, R2, START.at(UDP + udp::SOURCE));
    a.store(Half, variable::FROM_PORT, R2);
    a.store(Half, variable::FROM_REST, 0);
    a.note("When is it?");
    a.call(Helper::KtimeNs);
    a.store(Double, variable::NOW, R0);
}
