//! A frame from the wire, read slowly and obviously: Ethernet, VLAN tags, IPv4 and IPv6, UDP and
//! TCP.
//!
//! This is the measure for everything faster: what a program in the kernel decides about a frame is
//! compared with what is read here. So there is no cleverness below, each length is looked at
//! before the octets that it promises, and no octets make it panic.
//!
//! ```text
//! destination source [tag [tag]] type │ version … protocol … │ ports … │ payload │ padding
//!        Ethernet, 14 to 22           │    IPv4 or IPv6      │ UDP, TCP │
//! ```
//!
//! It is as strict as the stack of Linux, and not stricter: a frame that the stack would give to a
//! socket is never called malformed, for otherwise it would be a way past a filter.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod build;
mod checksum;

pub use build::{Route, tagged};
pub use checksum::{Sum, transport_checksum};

/// A hardware address.
pub type Mac = [u8; 6];

/// The numbers of the protocols that are read, as IANA assigned them.
pub mod number {
    /// Ether type of IPv4 (RFC 894).
    pub const IPV4: u16 = 0x0800;
    /// Ether type of IPv6 (RFC 2464).
    pub const IPV6: u16 = 0x86dd;
    /// Ether type of a VLAN tag (IEEE 802.1Q).
    pub const VLAN: u16 = 0x8100;
    /// Ether type of the outer of two VLAN tags (IEEE 802.1ad).
    pub const VLAN_OUTER: u16 = 0x88a8;
    /// IP protocol TCP.
    pub const TCP: u8 = 6;
    /// IP protocol UDP.
    pub const UDP: u8 = 17;
    /// IPv6 hop-by-hop options (RFC 8200, section 4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// IPv6 routing header (RFC 8200, section 4.4).
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header (RFC 8200, section 4.5).
    pub const FRAGMENT: u8 = 44;
    /// IPv6 destination options (RFC 8200, section 4.6).
    pub const DESTINATION_OPTIONS: u8 = 60;
}

/// How many VLAN tags are looked behind.
pub const TAGS_MAX: usize = 2;
/// How many extension headers of IPv6 are looked behind.
pub const EXTENSIONS_MAX: usize = 8;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The hardware address it goes to.
    pub destination: Mac,
    /// The hardware address it comes from.
    pub source: Mac,
    /// How many VLAN tags it has, at most [`TAGS_MAX`].
    pub tags: usize,
    /// What is in it.
    pub content: Content<'a>,
}

/// What is behind the Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// IPv4 or IPv6.
    Ip(Packet<'a>),
    /// Another protocol: its Ether type; a VLAN's where there are too many tags.
    Other(u16),
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes to.
    pub destination: IpAddr,
    /// Where the IP header begins, in octets from the frame's beginning.
    pub network_at: usize,
    /// Where the IP header and its options or extensions end.
    pub transport_at: usize,
    /// Where the packet ends; what comes after it is padding.
    pub end: usize,
    /// What is in it.
    pub transport: Transport<'a>,
}

/// What is behind the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A UDP datagram (RFC 768).
    Udp(Udp<'a>),
    /// A TCP segment (RFC 9293).
    Tcp(Tcp<'a>),
    /// A part of a packet that was cut up: the first one may begin with ports, and the others do
    /// not.
    Fragment,
    /// Another protocol: its number; an extension header's where there are too many of them.
    Other(u8),
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp<'a> {
    /// The port it comes from.
    pub source: u16,
    /// The port it goes to.
    pub destination: u16,
    /// As it stands there; it is not checked. 0 means that there is none.
    pub checksum: u16,
    /// As long as the length in the UDP header says.
    pub payload: &'a [u8],
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// The port it comes from.
    pub source: u16,
    /// The port it goes to.
    pub destination: u16,
    /// The sequence number of the first octet.
    pub sequence: u32,
    /// CWR, ECE, URG, ACK, PSH, RST, SYN and FIN, from the highest bit to the lowest.
    pub flags: u8,
    /// Behind the options.
    pub payload: &'a [u8],
}

/// Which header promises what the frame does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer than 14 octets.
    Ethernet,
    /// A tag that is cut off.
    Vlan,
    /// A wrong version or length, or cut off.
    Ipv4,
    /// A wrong version or length, or cut off.
    Ipv6,
    /// An extension header that is cut off.
    Extension,
    /// A wrong length, or cut off.
    Udp,
    /// A wrong length of the header, or cut off.
    Tcp,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ethernet => "the Ethernet header is cut off",
            Self::Vlan => "a VLAN tag is cut off",
            Self::Ipv4 => "the IPv4 header is cut off, or has a wrong version or length",
            Self::Ipv6 => "the IPv6 header is cut off, or has a wrong version or length",
            Self::Extension => "an IPv6 extension header is cut off",
            Self::Udp => "the UDP header is cut off, or has a wrong length",
            Self::Tcp => "the TCP header is cut off, or has a wrong length",
        })
    }
}

impl std::error::Error for Malformed {}

/// Reads a frame, from its destination address on.
///
/// # Errors
/// Which header is cut off or contradicts itself. The stack drops such a frame.
pub fn parse(frame: &[u8]) -> Result<Frame<'_>, Malformed> {
    let mut rest = frame;
    let destination = *take::<6>(&mut rest).ok_or(Malformed::Ethernet)?;
    let source = *take::<6>(&mut rest).ok_or(Malformed::Ethernet)?;
    let mut ether_type = number_of(&mut rest).ok_or(Malformed::Ethernet)?;
    let mut tags = 0;
    while matches!(ether_type, number::VLAN | number::VLAN_OUTER) && tags < TAGS_MAX {
        let _priority_and_vlan = number_of(&mut rest).ok_or(Malformed::Vlan)?;
        ether_type = number_of(&mut rest).ok_or(Malformed::Vlan)?;
        tags += 1;
    }
    let at = frame.len() - rest.len();
    let content = match ether_type {
        number::IPV4 => Content::Ip(ipv4(rest, at)?),
        number::IPV6 => Content::Ip(ipv6(rest, at)?),
        other => Content::Other(other),
    };
    Ok(Frame { destination, source, tags, content })
}

impl<'a> Frame<'a> {
    /// The IP packet in it.
    #[must_use]
    pub fn packet(&self) -> Option<&Packet<'a>> {
        match &self.content {
            Content::Ip(packet) => Some(packet),
            Content::Other(_) => None,
        }
    }

    /// The UDP datagram in it.
    #[must_use]
    pub fn udp(&self) -> Option<&Udp<'a>> {
        match &self.packet()?.transport {
            Transport::Udp(udp) => Some(udp),
            _ => None,
        }
    }

    /// The TCP segment in it.
    #[must_use]
    pub fn tcp(&self) -> Option<&Tcp<'a>> {
        match &self.packet()?.transport {
            Transport::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }
}

/// RFC 791, section 3.1. `at` is where it begins in the frame.
fn ipv4(octets: &[u8], at: usize) -> Result<Packet<'_>, Malformed> {
    let fixed = octets.first_chunk::<20>().ok_or(Malformed::Ipv4)?;
    let header = usize::from(fixed[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if fixed[0] >> 4 != 4 || header < 20 || total < header {
        return Err(Malformed::Ipv4);
    }
    let packet = octets.get(..total).ok_or(Malformed::Ipv4)?;
    let payload = packet.get(header..).ok_or(Malformed::Ipv4)?;
    // "More fragments", or an offset: not the whole packet.
    let cut_up = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x3fff != 0;
    Ok(Packet {
        source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]).into(),
        destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]).into(),
        network_at: at,
        transport_at: at + header,
        end: at + total,
        transport: if cut_up { Transport::Fragment } else { transport(fixed[9], payload, 8)? },
    })
}

/// RFC 8200, section 3. `at` is where it begins in the frame.
fn ipv6(octets: &[u8], at: usize) -> Result<Packet<'_>, Malformed> {
    let mut rest = octets;
    let fixed = take::<8>(&mut rest).ok_or(Malformed::Ipv6)?;
    let source = *take::<16>(&mut rest).ok_or(Malformed::Ipv6)?;
    let destination = *take::<16>(&mut rest).ok_or(Malformed::Ipv6)?;
    let length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    if fixed[0] >> 4 != 6 {
        return Err(Malformed::Ipv6);
    }
    // With hop-by-hop options 0 means that one of them says the length (RFC 2675); Linux takes it
    // for all there is, whether one does or not.
    let length = match (length, fixed[6]) {
        (0, number::HOP_BY_HOP) => rest.len(),
        _ => length,
    };
    let payload = rest.get(..length).ok_or(Malformed::Ipv6)?;
    let end = at + 40 + length;
    let (protocol, segment) = behind_extensions(fixed[6], payload)?;
    Ok(Packet {
        source: Ipv6Addr::from(source).into(),
        destination: Ipv6Addr::from(destination).into(),
        network_at: at,
        transport_at: end - segment.len(),
        end,
        transport: match protocol {
            number::FRAGMENT => Transport::Fragment,
            // A UDP length of 0 means "all of it" (RFC 2675, section 4), and Linux asks no more.
            protocol => transport(protocol, segment, 0)?,
        },
    })
}

/// The first protocol that is no extension header, and what is there. A part of a cut up packet
/// stays at its fragment header: what comes behind it depends on the other parts.
fn behind_extensions(first: u8, payload: &[u8]) -> Result<(u8, &[u8]), Malformed> {
    let (mut protocol, mut rest) = (first, payload);
    for _ in 0..EXTENSIONS_MAX {
        let skipped = match protocol {
            number::HOP_BY_HOP | number::ROUTING | number::DESTINATION_OPTIONS => {
                let length = *rest.get(1).ok_or(Malformed::Extension)?;
                (usize::from(length) + 1) * 8
            }
            number::FRAGMENT if is_whole(rest)? => 8,
            _ => break,
        };
        protocol = *rest.first().ok_or(Malformed::Extension)?;
        rest = rest.get(skipped..).ok_or(Malformed::Extension)?;
    }
    Ok((protocol, rest))
}

/// Whether a fragment header belongs to a packet of one part (RFC 6946).
fn is_whole(header: &[u8]) -> Result<bool, Malformed> {
    let header = header.first_chunk::<8>().ok_or(Malformed::Extension)?;
    Ok(u16::from_be_bytes([header[2], header[3]]) & 0xfff9 == 0)
}

fn transport(protocol: u8, segment: &[u8], udp_least: usize) -> Result<Transport<'_>, Malformed> {
    match protocol {
        number::UDP => udp(segment, udp_least).ok_or(Malformed::Udp).map(Transport::Udp),
        number::TCP => tcp(segment).ok_or(Malformed::Tcp).map(Transport::Tcp),
        other => Ok(Transport::Other(other)),
    }
}

/// `least` is 8, or 0 where a length of 0 means "all of it".
fn udp(segment: &[u8], least: usize) -> Option<Udp<'_>> {
    let mut rest = segment;
    let source = number_of(&mut rest)?;
    let destination = number_of(&mut rest)?;
    let length = usize::from(number_of(&mut rest)?);
    let checksum = number_of(&mut rest)?;
    let end = if length == 0 && least == 0 { segment.len() } else { length };
    Some(Udp { source, destination, checksum, payload: segment.get(8..end)? })
}

fn tcp(segment: &[u8]) -> Option<Tcp<'_>> {
    let fixed = segment.first_chunk::<20>()?;
    let header = usize::from(fixed[12] >> 4) * 4;
    if header < 20 {
        return None;
    }
    Some(Tcp {
        source: u16::from_be_bytes([fixed[0], fixed[1]]),
        destination: u16::from_be_bytes([fixed[2], fixed[3]]),
        sequence: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        flags: fixed[13],
        payload: segment.get(header..)?,
    })
}

/// The next `N` octets.
fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(first)
}

/// The next two octets, as a number in network order.
fn number_of(rest: &mut &[u8]) -> Option<u16> {
    take(rest).map(|octets| u16::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests;
