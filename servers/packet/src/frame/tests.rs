//! A frame written by hand, frames built and bent, and octets of no sense at all.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

/// 4 from 10.0.0.1:40000 to 10.0.0.2:50001, octet by octet, without a UDP checksum.
const BY_HAND: [u8; 46] = [
    0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00, // Ethernet
    0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, 17, 0x26, 0xca, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
    0x9c, 0x40, 0xc3, 0x51, 0, 12, 0, 0, // UDP
    4, 0, 0, 0,
];

fn route(source: &str, destination: &str) -> Route {
    Route {
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 2],
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

fn routes() -> [Route; 2] {
    [route("10.0.0.1:40000", "10.0.0.2:50001"), route("[fd00::1]:40000", "[fd00::2]:50001")]
}

/// The frame with other octets from `at` on.
fn bent(frame: &[u8], at: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + octets.len()].copy_from_slice(octets);
    frame
}

/// An IPv6 frame with `extensions` between the fixed header and the datagram; `first` names the
/// first.
fn extended(first: u8, extensions: &[u8]) -> Vec<u8> {
    let plain = routes()[1].udp(&4_u32.to_le_bytes()).unwrap();
    let length = u16::try_from(12 + extensions.len()).unwrap().to_be_bytes();
    let head = bent(&plain[..54], 18, &[length[0], length[1], first]);
    [&head, extensions, &plain[54..]].concat()
}

#[test]
fn a_datagram_is_read_to_its_last_field() {
    let frame = parse(&BY_HAND).unwrap();
    let packet = frame.packet().unwrap();
    assert_eq!((packet.network_at, packet.transport_at, packet.end), (14, 34, 46));
    assert_eq!(packet.source, IpAddr::from([10, 0, 0, 1]));
    assert_eq!(Sum::default().octets(&BY_HAND[14..34]).finish(), 0);
    let udp = frame.udp().unwrap();
    assert_eq!((udp.source, udp.destination, udp.checksum), (40_000, 50_001, 0));
    assert_eq!(udp.payload, [4, 0, 0, 0]);
}

#[test]
fn what_is_built_is_what_is_read() {
    for route in routes() {
        let frame = route.udp(b"payload").unwrap();
        let frame = parse(&frame).unwrap();
        assert_eq!((frame.source, frame.destination), (route.source_mac, route.destination_mac));
        let packet = frame.packet().unwrap();
        assert_eq!(
            (packet.source, packet.destination),
            (route.source.ip(), route.destination.ip())
        );
        assert_eq!(frame.udp().unwrap().payload, b"payload");

        let frame = route.tcp(0xdead_beef, 0x18, b"octets").unwrap();
        let frame = parse(&frame).unwrap();
        let tcp = frame.tcp().unwrap();
        assert_eq!((tcp.sequence, tcp.flags, tcp.payload), (0xdead_beef, 0x18, &b"octets"[..]));
    }
}

#[test]
fn checksums_of_what_is_built_are_right() {
    for route in routes() {
        for (frame, protocol) in [
            (route.udp(b"odd").unwrap(), number::UDP),
            (route.tcp(1, 2, b"").unwrap(), number::TCP),
        ] {
            let read = parse(&frame).unwrap();
            let packet = read.packet().unwrap();
            let segment = &frame[packet.transport_at..packet.end];
            let sum = transport_checksum(packet.source, packet.destination, protocol, segment);
            assert_eq!(sum, 0);
        }
    }
    let ipv4 = routes()[0].udp(b"").unwrap();
    assert_eq!(Sum::default().octets(&ipv4[14..34]).finish(), 0);
}

#[test]
fn a_payload_that_fits_no_packet_is_not_built() {
    let longest = vec![0; 65_507];
    assert!(routes()[0].udp(&longest).is_some());
    assert!(routes()[0].udp(&[longest, vec![0]].concat()).is_none());
}

#[test]
fn padding_is_no_payload() {
    let padded = [&BY_HAND[..], &[0xff; 14]].concat();
    let frame = parse(&padded).unwrap();
    assert_eq!(frame.udp().unwrap().payload, [4, 0, 0, 0]);
    assert_eq!(frame.packet().unwrap().end, 46);
}

#[test]
fn the_udp_length_ends_the_payload_before_the_packet_does() {
    let frame = bent(&BY_HAND, 38, &[0, 9]);
    assert_eq!(parse(&frame).unwrap().udp().unwrap().payload, [4]);
}

#[test]
fn options_are_skipped() {
    let options = [&BY_HAND[..34], &[1, 1, 1, 0], &BY_HAND[34..]].concat();
    let frame = bent(&bent(&options, 14, &[0x46]), 16, &[0, 36]);
    let read = parse(&frame).unwrap();
    assert_eq!((read.packet().unwrap().transport_at, read.udp().unwrap().payload.len()), (38, 4));

    let plain = routes()[0].tcp(7, 0, b"x").unwrap();
    let options = [&plain[..54], &[1, 1, 1, 0], &plain[54..]].concat();
    let frame = bent(&bent(&options, 16, &[0, 45]), 46, &[6 << 4]);
    assert_eq!(parse(&frame).unwrap().tcp().unwrap().payload, b"x");
}

#[test]
fn tags_are_looked_behind_up_to_two() {
    let one = tagged(&BY_HAND, number::VLAN, 7);
    let two = tagged(&one, number::VLAN_OUTER, 8);
    let three = tagged(&two, number::VLAN_OUTER, 9);
    for (frame, tags) in [(&one, 1), (&two, 2)] {
        let read = parse(frame).unwrap();
        assert_eq!((read.tags, read.packet().unwrap().network_at), (tags, 14 + 4 * tags));
        assert!(read.udp().is_some());
    }
    assert_eq!(parse(&three).unwrap().content, Content::Other(number::VLAN));
}

#[test]
fn no_part_of_a_cut_up_packet_is_a_datagram() {
    for part in [[0x20, 0], [0, 1], [0x1f, 0xff], [0x3f, 0xff]] {
        let frame = bent(&BY_HAND, 20, &part);
        assert_eq!(parse(&frame).unwrap().packet().unwrap().transport, Transport::Fragment);
    }
    // "Don't fragment" says nothing of the kind.
    assert!(parse(&bent(&BY_HAND, 20, &[0x40, 0])).unwrap().udp().is_some());

    for part in [[0, 1], [0, 8], [0xff, 0xf8]] {
        let header = [number::UDP, 0, part[0], part[1], 0, 0, 0, 9];
        let frame = extended(number::FRAGMENT, &header);
        assert_eq!(parse(&frame).unwrap().packet().unwrap().transport, Transport::Fragment);
    }
}

#[test]
fn extension_headers_are_skipped() {
    let option = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let alone = [number::UDP, 0, 0, 0, 0, 0, 0, 9];
    let chains = [
        (number::HOP_BY_HOP, option(number::UDP).to_vec()),
        (number::FRAGMENT, alone.to_vec()),
        (number::ROUTING, [option(number::DESTINATION_OPTIONS), option(number::UDP)].concat()),
        (number::DESTINATION_OPTIONS, [&[number::UDP, 1][..], &[0; 14]].concat()),
    ];
    for (first, chain) in chains {
        let frame = extended(first, &chain);
        let read = parse(&frame).unwrap();
        assert_eq!(read.udp().unwrap().payload, [4, 0, 0, 0], "{chain:?}");
        assert_eq!(read.packet().unwrap().transport_at, 54 + chain.len());
    }
    let many = option(number::DESTINATION_OPTIONS).repeat(EXTENSIONS_MAX);
    let frame = extended(number::DESTINATION_OPTIONS, &many);
    let expected = Transport::Other(number::DESTINATION_OPTIONS);
    assert_eq!(parse(&frame).unwrap().packet().unwrap().transport, expected);
}

#[test]
fn a_length_of_zero_is_all_of_it_in_ipv6_only() {
    let six = routes()[1].udp(b"four").unwrap();
    assert_eq!(parse(&bent(&six, 58, &[0, 0])).unwrap().udp().unwrap().payload, b"four");
    assert_eq!(parse(&bent(&BY_HAND, 38, &[0, 0])), Err(Malformed::Udp));
}

#[test]
fn contradictions_are_named() {
    let six = routes()[1].udp(b"four").unwrap();
    let tcp = routes()[0].tcp(1, 2, b"").unwrap();
    let cases = [
        (BY_HAND[..13].to_vec(), Malformed::Ethernet),
        (tagged(&BY_HAND[..14], number::VLAN, 1)[..15].to_vec(), Malformed::Vlan),
        (BY_HAND[..33].to_vec(), Malformed::Ipv4),
        (bent(&BY_HAND, 14, &[0x44]), Malformed::Ipv4),
        (bent(&BY_HAND, 14, &[0x65]), Malformed::Ipv4),
        (bent(&BY_HAND, 16, &[0, 19]), Malformed::Ipv4),
        (bent(&BY_HAND, 16, &[0, 33]), Malformed::Ipv4),
        (bent(&BY_HAND, 38, &[0, 7]), Malformed::Udp),
        (bent(&BY_HAND, 38, &[0, 13]), Malformed::Udp),
        (bent(&six, 14, &[0x45]), Malformed::Ipv6),
        (bent(&six, 18, &[0, 13]), Malformed::Ipv6),
        (extended(number::ROUTING, &[17, 2, 0, 0, 0, 0, 0, 0]), Malformed::Extension),
        (bent(&tcp, 46, &[4 << 4]), Malformed::Tcp),
        (bent(&tcp, 46, &[6 << 4]), Malformed::Tcp),
    ];
    for (frame, expected) in cases {
        assert_eq!(parse(&frame), Err(expected), "{frame:x?}");
    }
}

#[test]
fn other_protocols_are_said_by_number() {
    let arp = bent(&BY_HAND, 12, &[0x08, 0x06]);
    assert_eq!(parse(&arp).unwrap().content, Content::Other(0x0806));
    let icmp = bent(&BY_HAND, 23, &[1]);
    assert_eq!(parse(&icmp).unwrap().packet().unwrap().transport, Transport::Other(1));
}

#[test]
fn every_cut_is_an_error_or_what_it_was() {
    let [four, six] = routes();
    for whole in [four.udp(b"four").unwrap(), six.tcp(1, 2, b"four").unwrap()] {
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length} octets");
        }
    }
}

/// Bent frames get further than random octets do: both are read.
#[test]
fn no_octets_make_it_panic_or_point_outside() {
    let mut random = SmallRng::seed_from_u64(1);
    let [four, six] = routes();
    let whole = [
        four.udp(b"four").unwrap(),
        six.udp(b"four").unwrap(),
        tagged(&four.tcp(1, 2, b"four").unwrap(), number::VLAN, 1),
        extended(number::HOP_BY_HOP, &[number::UDP, 0, 1, 4, 0, 0, 0, 0]),
    ];
    let mut understood = 0;
    for turn in 0..200_000 {
        let mut frame = whole[turn % whole.len()].clone();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..frame.len());
            frame[at] = random.random();
        }
        frame.truncate(random.random_range(0..=frame.len() * 2));
        let Ok(read) = parse(&frame) else { continue };
        let Some(packet) = read.packet() else { continue };
        assert!(packet.network_at < packet.transport_at && packet.transport_at <= packet.end);
        assert!(packet.end <= frame.len());
        understood += 1;
    }
    assert!(understood > 10_000, "{understood}");
}
