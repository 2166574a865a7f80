//! What the filter should say, by the headers one after the other: slow, and hard to get wrong.
//!
//! `None` means that something is cut off.

use packet::frame::{EXTENSIONS_MAX, TAGS_MAX};
use packet::programs::filter::{Counter, Decision};

/// How much of a datagram a packet has.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    First,
    Later,
}

/// What an IP header says about what is in it.
struct Packet<'a> {
    version: u8,
    protocol: u8,
    part: Part,
    payload: &'a [u8],
}

/// What the filter should say about a frame.
pub(crate) fn decide(counter: Counter, port: u16, frame: &[u8]) -> Decision {
    judge(counter, port, frame).unwrap_or(Decision::Malformed)
}

fn judge(counter: Counter, port: u16, frame: &[u8]) -> Option<Decision> {
    let (mut carried, mut rest) = (number(frame, 12)?, frame.get(14..)?);
    for _ in 0..TAGS_MAX {
        if [0x8100, 0x88a8].contains(&carried) {
            (carried, rest) = (number(rest, 2)?, rest.get(4..)?);
        }
    }
    let packet = match carried {
        0x0800 => version_4(rest)?,
        0x86dd => version_6(rest)?,
        _ => return Some(Decision::NotOurs),
    };
    match (packet.part, counter, packet.protocol) {
        (Part::Later, _, _) => Some(Decision::LaterFragment),
        (_, Counter::UdpPayload, 17) => udp(port, &packet),
        (_, Counter::TcpSequence, 6) => tcp(port, packet.payload),
        _ => Some(Decision::NotOurs),
    }
}

fn version_4(octets: &[u8]) -> Option<Packet<'_>> {
    let header = octets.get(..20)?;
    let (length, total) = (usize::from(header[0] & 15) * 4, usize::from(number(header, 2)?));
    if header[0] >> 4 != 4 || length < 20 {
        return None;
    }
    let fragment = number(header, 6)?;
    let part = match (fragment & 0x1fff, fragment & 0x2000) {
        (0, 0) => Part::Whole,
        (0, _) => Part::First,
        _ => Part::Later,
    };
    let payload = octets.get(..total)?.get(length..)?;
    Some(Packet { version: 4, protocol: header[9], part, payload })
}

fn version_6(octets: &[u8]) -> Option<Packet<'_>> {
    let header = octets.get(..40).filter(|header| header[0] >> 4 == 6)?;
    let all = octets.get(40..)?;
    let length = match usize::from(number(header, 4)?) {
        0 if header[6] == 0 => all.len(),
        length => length,
    };
    let mut payload = all.get(..length)?;
    let (mut protocol, mut part) = (header[6], Part::Whole);
    for _ in 0..EXTENSIONS_MAX {
        let length = match protocol {
            0 | 43 | 60 => (usize::from(*payload.get(1)?) + 1) * 8,
            44 => 8,
            _ => break,
        };
        let extension = payload.get(..length)?;
        if protocol == 44 {
            match (number(extension, 2)? & 0xfff8, number(extension, 2)? & 1) {
                (0, 0) => {}
                (0, _) => part = Part::First,
                _ => return Some(Packet { version: 6, protocol, part: Part::Later, payload }),
            }
        }
        (protocol, payload) = (extension[0], &payload[length..]);
    }
    Some(Packet { version: 6, protocol, part, payload })
}

fn udp(port: u16, packet: &Packet<'_>) -> Option<Decision> {
    let header = packet.payload.get(..8)?;
    if number(header, 2)? != port {
        return Some(Decision::NotOurs);
    }
    let length = match usize::from(number(header, 4)?) {
        0 if packet.version == 6 => packet.payload.len(),
        length => length,
    };
    if length < 8 || packet.part == Part::Whole && length > packet.payload.len() {
        return None;
    }
    let here = &packet.payload[8..length.min(packet.payload.len())];
    let counter = here.first_chunk().map(|octets| u32::from_le_bytes(*octets));
    Some(counter.map_or(Decision::NoCounter, by_parity))
}

fn tcp(port: u16, segment: &[u8]) -> Option<Decision> {
    let header = segment.get(..20)?;
    if number(header, 2)? != port {
        return Some(Decision::NotOurs);
    }
    let length = usize::from(header[12] >> 4) * 4;
    let data = segment.get(length..).filter(|_| length >= 20)?;
    if data.is_empty() || header[13] & 2 != 0 {
        return Some(Decision::NoCounter);
    }
    Some(by_parity(u32::from_be_bytes(*header[4..].first_chunk()?)))
}

fn by_parity(counter: u32) -> Decision {
    if counter.is_multiple_of(2) { Decision::EvenDropped } else { Decision::OddPassed }
}

fn number(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}
