//! Frames made from scratch: for a generator, and to test those who read frames.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Mac, Sum, number, transport_checksum};

/// From where to where frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The hardware address they come from.
    pub source_mac: Mac,
    /// The hardware address they go to.
    pub destination_mac: Mac,
    /// The address and port they come from.
    pub source: SocketAddr,
    /// The address and port they go to. When one of the two is IPv6, both are written as such.
    pub destination: SocketAddr,
}

impl Route {
    /// A UDP datagram in an IP packet in a frame, with right checksums and without padding. `None`
    /// when the payload is longer than a packet can be.
    #[must_use]
    pub fn udp(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let length = u16::try_from(payload.len() + 8).ok()?;
        let mut segment = Vec::with_capacity(payload.len() + 8);
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        segment.extend(length.to_be_bytes());
        segment.extend([0, 0]);
        segment.extend(payload);
        let checksum = match self.checksum(number::UDP, &segment) {
            0 => 0xffff,
            checksum => checksum,
        };
        segment[6..8].copy_from_slice(&checksum.to_be_bytes());
        self.ip(number::UDP, &segment)
    }

    /// A TCP segment without options, likewise. `flags` as in [`super::Tcp::flags`].
    #[must_use]
    pub fn tcp(&self, sequence: u32, flags: u8, payload: &[u8]) -> Option<Vec<u8>> {
        let mut segment = Vec::with_capacity(payload.len() + 20);
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        segment.extend(sequence.to_be_bytes());
        segment.extend([0; 4]);
        // Five words of header; a window of all that can be said without scaling.
        segment.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(payload);
        let checksum = self.checksum(number::TCP, &segment);
        segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        self.ip(number::TCP, &segment)
    }

    fn checksum(&self, protocol: u8, segment: &[u8]) -> u16 {
        transport_checksum(self.source.ip(), self.destination.ip(), protocol, segment)
    }

    fn ip(&self, protocol: u8, segment: &[u8]) -> Option<Vec<u8>> {
        let (ether_type, header) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = ipv4(source.octets(), destination.octets(), protocol, segment.len())?;
                (number::IPV4, header.to_vec())
            }
            (source, destination) => {
                let header = ipv6(six(source), six(destination), protocol, segment.len())?;
                (number::IPV6, header)
            }
        };
        let ether_type = ether_type.to_be_bytes();
        Some([&self.destination_mac, &self.source_mac, &ether_type[..], &header, segment].concat())
    }
}

/// The frame with a VLAN tag before what is in it: the outermost one, if it has some already.
#[must_use]
pub fn tagged(frame: &[u8], ether_type: u16, vlan: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(frame.len().min(12));
    [addresses, &ether_type.to_be_bytes(), &vlan.to_be_bytes(), rest].concat()
}

fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, length: usize) -> Option<[u8; 20]> {
    let total = u16::try_from(length + 20).ok()?.to_be_bytes();
    let mut header = [0; 20];
    header[0] = 4 << 4 | 5;
    header[2..4].copy_from_slice(&total);
    // Don't fragment; 64 hops.
    header[6] = 0x40;
    header[8] = 64;
    header[9] = protocol;
    header[12..16].copy_from_slice(&source);
    header[16..20].copy_from_slice(&destination);
    let checksum = Sum::default().octets(&header).finish();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    Some(header)
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: usize) -> Option<Vec<u8>> {
    let length = u16::try_from(length).ok()?.to_be_bytes();
    let fixed = [6 << 4, 0, 0, 0, length[0], length[1], protocol, 64];
    Some([&fixed[..], &source.octets(), &destination.octets()].concat())
}

fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
