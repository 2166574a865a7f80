//! The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit
//! words.

use std::net::IpAddr;

/// A sum in the making. Carries are added at the end, so that order does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds octets: an odd one at the end counts as if a zero followed.
    #[must_use]
    pub fn octets(self, octets: &[u8]) -> Self {
        let (words, odd) = octets.as_chunks::<2>();
        let words: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
        let odd = odd.first().map_or(0, |octet| u64::from(*octet) << 8);
        Self(self.0 + words + odd)
    }

    /// Adds one number of 16 bits.
    #[must_use]
    pub fn number(self, number: u16) -> Self {
        Self(self.0 + u64::from(number))
    }

    /// The checksum: folded, and turned round. It is 0 over octets whose checksum is right.
    #[must_use]
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        // No more than 16 bits are left.
        !(sum as u16)
    }
}

/// The checksum of a UDP datagram or TCP segment with its pseudo header (RFC 768; RFC 8200, section
/// 8.1). The field in the segment counts: put 0 there before. A UDP checksum of 0 must go out as
/// 0xffff, because 0 says that there is none.
#[must_use]
pub fn transport_checksum(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    segment: &[u8],
) -> u16 {
    let sum = add_address(add_address(Sum::default(), source), destination);
    let length = segment.len() as u64;
    Sum(sum.0 + length).number(protocol.into()).octets(segment).finish()
}

fn add_address(sum: Sum, address: IpAddr) -> Sum {
    match address {
        IpAddr::V4(address) => sum.octets(&address.octets()),
        IpAddr::V6(address) => sum.octets(&address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_gives_its_sum() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().octets(&octets).finish(), !0xddf2);
    }

    #[test]
    fn carries_go_round_until_none_is_left() {
        assert_eq!(Sum::default().octets(&[0xff; 4]).octets(&[0, 1]).finish(), !1);
        assert_eq!(Sum::default().octets(&[0xff; 65_534]).finish(), 0);
    }

    #[test]
    fn an_odd_octet_counts_as_the_upper_half() {
        assert_eq!(Sum::default().octets(&[0x12]).finish(), !0x1200);
    }

    #[test]
    fn over_a_right_checksum_it_is_zero() {
        // From 10.0.0.1:1000 to 10.0.0.2:2000: `ping`.
        let mut segment = [0x03, 0xe8, 0x07, 0xd0, 0, 12, 0, 0, b'p', b'i', b'n', b'g'];
        let (from, to) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let sum = transport_checksum(from, to, 17, &segment);
        // By hand: 0a00+0001+0a00+0002+0011+000c + 03e8+07d0+000c + 7069+6e67 = feb4.
        assert_eq!(sum, !0xfeb4);
        segment[6..8].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(transport_checksum(from, to, 17, &segment), 0);
    }
}
