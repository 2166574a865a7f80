//! A datagram turned round: what came from there to here goes from here to there.

use std::net::IpAddr;
use std::ops::Range;

use crate::frame::{number, parse, transport_checksum};

/// How much has been turned round, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The frame, without padding.
    pub frame: usize,
    /// What the datagram holds.
    pub payload: usize,
}

/// Turns a frame round that holds a UDP datagram to `port`. Returns `None`, and leaves it as it is,
/// if it holds anything else, or the datagram has options or extensions before it: they would go
/// back with it, and some of them say which way.
///
/// The checksum is made anew. Turned round, the sum of the same octets is the same; but a sender of
/// this host may have left the checksum to hardware that is not there, and then it has never been
/// right.
#[must_use]
pub fn turn_round(frame: &mut [u8], port: u16) -> Option<Turned> {
    let ends = ends(frame, port)?;
    let (addresses, length) = if ends.source.is_ipv4() { (12, 4) } else { (8, 16) };
    swap(frame, 0, 6)?;
    swap(frame, ends.network_at + addresses, length)?;
    swap(frame, ends.datagram.start, 2)?;
    // Without a checksum it has come, and without one it goes.
    if ends.checksum != 0 {
        renew_checksum(frame.get_mut(ends.datagram.clone())?, &ends)?;
    }
    Some(Turned { frame: ends.packet_end, payload: ends.datagram.len() - 8 })
}

/// What is to be known of a datagram before its frame is changed.
struct Ends {
    source: IpAddr,
    destination: IpAddr,
    network_at: usize,
    datagram: Range<usize>,
    packet_end: usize,
    checksum: u16,
}

fn ends(frame: &[u8], port: u16) -> Option<Ends> {
    let read = parse(frame).ok()?;
    let (packet, udp) = (read.packet()?, read.udp()?);
    let header = if packet.source.is_ipv4() { 20 } else { 40 };
    let plain = packet.transport_at == packet.network_at + header;
    (plain && udp.destination == port).then_some(Ends {
        source: packet.source,
        destination: packet.destination,
        network_at: packet.network_at,
        datagram: packet.transport_at..packet.transport_at + 8 + udp.payload.len(),
        packet_end: packet.end,
        checksum: udp.checksum,
    })
}

/// Swaps `length` octets from `at` on with as many behind them.
fn swap(frame: &mut [u8], at: usize, length: usize) -> Option<()> {
    let (one, other) = frame.get_mut(at..at + 2 * length)?.split_at_mut_checked(length)?;
    one.swap_with_slice(other);
    Some(())
}

fn renew_checksum(datagram: &mut [u8], ends: &Ends) -> Option<()> {
    let at = 6..8;
    datagram.get_mut(at.clone())?.fill(0);
    // Which of the two is the source makes no difference to the sum.
    let sum = transport_checksum(ends.source, ends.destination, number::UDP, datagram);
    let sum = if sum == 0 { 0xffff } else { sum };
    datagram.get_mut(at)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::frame::{Route, tagged};

    fn route(source: &str, destination: &str) -> Route {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        Route {
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: [2, 0, 0, 0, 0, 2],
            source: address(source),
            destination: address(destination),
        }
    }

    fn back(route: &Route) -> Route {
        Route {
            source_mac: route.destination_mac,
            destination_mac: route.source_mac,
            source: route.destination,
            destination: route.source,
        }
    }

    fn routes() -> [Route; 2] {
        [route("10.0.0.1:4000", "10.0.0.2:7"), route("[fd00::1]:4000", "[fd00::2]:7")]
    }

    #[test]
    fn it_is_what_the_other_side_would_have_sent() {
        for route in routes() {
            for payload in [&b""[..], b"odd", b"even"] {
                let mut frame = route.udp(payload).unwrap();
                let turned = Turned { frame: frame.len(), payload: payload.len() };
                assert_eq!(turn_round(&mut frame, 7), Some(turned));
                assert_eq!(frame, back(&route).udp(payload).unwrap());
            }
        }
    }

    #[test]
    fn padding_does_not_go_back_and_tags_do() {
        let [route, _] = routes();
        let whole = tagged(&route.udp(b"x").unwrap(), number::VLAN, 9);
        let mut frame = [&whole[..], &[0xee; 13]].concat();
        let turned = Turned { frame: whole.len(), payload: 1 };
        assert_eq!(turn_round(&mut frame, 7), Some(turned));
        let expected = tagged(&back(&route).udp(b"x").unwrap(), number::VLAN, 9);
        assert_eq!(frame[..whole.len()], expected);
    }

    #[test]
    fn a_checksum_left_to_hardware_is_made_and_a_missing_one_is_left_out() {
        let [route, _] = routes();
        let mut frame = route.udp(b"payload").unwrap();
        frame[40..42].copy_from_slice(&[0x12, 0x34]);
        turn_round(&mut frame, 7).unwrap();
        assert_eq!(frame, back(&route).udp(b"payload").unwrap());
        frame[40..42].fill(0);
        turn_round(&mut frame, 4_000).unwrap();
        assert_eq!(frame[40..42], [0, 0]);
    }

    #[test]
    fn what_is_no_plain_datagram_to_this_port_is_left_as_it_is() {
        let [four, six] = routes();
        let options = {
            let mut frame = four.udp(&[0; 8]).unwrap();
            // Four octets more of header, four less of payload.
            frame[14] = 0x46;
            frame.copy_within(34..42, 38);
            frame[43] = 12;
            frame
        };
        let others = [four.tcp(1, 2, b"").unwrap(), four.udp(b"x").unwrap(), vec![0; 60], options];
        for other in others {
            let mut frame = other.clone();
            assert_eq!(turn_round(&mut frame, 8), None);
            assert_eq!(frame, other);
        }
        let mut cut = six.udp(b"x").unwrap();
        cut.pop();
        assert_eq!(turn_round(&mut cut, 7), None);
    }

    #[test]
    fn no_octets_make_it_panic_or_grow() {
        let mut random = SmallRng::seed_from_u64(2);
        for turn in 0..100_000 {
            let mut frame = routes()[turn % 2].udp(b"payload").unwrap();
            for _ in 0..random.random_range(0..3) {
                let at = random.random_range(0..frame.len());
                frame[at] = random.random();
            }
            frame.truncate(random.random_range(0..=frame.len() * 2));
            let longest = frame.len();
            assert!(turn_round(&mut frame, 7).is_none_or(|turned| turned.frame <= longest));
        }
    }
}
