//! A number that two equal schedules share: FNV-1a with 64 bits (Fowler, Noll and Vo).

/// The hash so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fingerprint {
    #[must_use]
    pub(crate) fn octets(self, octets: &[u8]) -> Self {
        let mix = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01B3);
        Self(octets.iter().fold(self.0, mix))
    }

    #[must_use]
    pub(crate) fn number(self, number: u64) -> Self {
        self.octets(&number.to_le_bytes())
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_published_values() {
        let hash = |text: &str| Fingerprint::default().octets(text.as_bytes()).value();
        assert_eq!(hash(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(hash("a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(hash("foobar"), 0x8594_4171_F739_67E8);
    }
}
