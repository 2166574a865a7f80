//! Letters to the balancer and from it: messages in frames, as a network would carry them.

use std::net::SocketAddrV4;

use packet::bpf::{Action, Trial, Verdict};
use packet::frame::{self, Route, Sum, transport_checksum};
use packet::jobs::message::Message;

/// Where the balancer is.
pub(crate) const BALANCER: &str = "192.168.1.250:50001";
const BALANCER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xff];

/// The hardware address of whoever has an address.
pub(crate) fn mac(address: SocketAddrV4) -> [u8; 6] {
    let [a, b, c, d] = address.ip().octets();
    [2, a, b, c, d, 1]
}

/// A frame with a message.
pub(crate) fn letter(from: SocketAddrV4, message: &Message) -> Vec<u8> {
    payload(from, &message.encode())
}

pub(crate) fn payload(from: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let route = Route {
        source_mac: mac(from),
        destination_mac: BALANCER_MAC,
        source: from.into(),
        destination: BALANCER.parse().unwrap(),
    };
    route.udp(payload).unwrap()
}

/// What came of a letter: a job for a server, or nothing.
pub(crate) fn send(
    trial: &mut Trial<'_>,
    from: SocketAddrV4,
    message: &Message,
) -> Option<(SocketAddrV4, Message)> {
    let Verdict { action, frame } = trial.run(&letter(from, message)).unwrap();
    match action {
        Action::Drop => None,
        Action::Transmit => Some(read(&frame)),
        other => panic!("{other:?} for {message:?}"),
    }
}

/// A job on its way to a server, with all that is around it.
fn read(octets: &[u8]) -> (SocketAddrV4, Message) {
    let frame = frame::parse(octets).unwrap();
    let (packet, udp) = (frame.packet().unwrap(), frame.udp().unwrap());
    let to = match packet.destination {
        std::net::IpAddr::V4(address) => SocketAddrV4::new(address, udp.destination),
        std::net::IpAddr::V6(address) => panic!("{address}"),
    };
    assert_eq!((frame.source, frame.destination), (BALANCER_MAC, mac(to)));
    assert_eq!(std::net::SocketAddr::from((packet.source, udp.source)).to_string(), BALANCER);
    let (header, segment) =
        (packet.network_at..packet.transport_at, packet.transport_at..packet.end);
    assert_eq!(Sum::default().octets(&octets[header]).finish(), 0, "checksum of IPv4");
    let whole = transport_checksum(packet.source, packet.destination, 17, &octets[segment]);
    assert_eq!(whole, 0, "checksum of UDP");
    assert_ne!(udp.checksum, 0, "that means none");
    (to, Message::decode(udp.payload).unwrap())
}
