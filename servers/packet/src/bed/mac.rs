//! Addresses of Ethernet interfaces.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address of an Ethernet interface (IEEE 802 MAC-48), written `02:00:0a:4d:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// One that nobody has been assigned (the bit "locally administered" is set), from the address
    /// that the interface has in IPv4.
    #[must_use]
    pub const fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no Ethernet address such as 02:00:0a:4d:00:01");
        let octet = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
        let octets: Option<Vec<_>> = text.split(':').map(octet).collect();
        octets.and_then(|octets| octets.try_into().ok()).map(Self).ok_or_else(wrong)
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let mac = Mac::of(Ipv4Addr::new(10, 77, 0, 255));
        assert_eq!(mac.to_string(), "02:00:0a:4d:00:ff");
        assert_eq!(mac.to_string().parse(), Ok(mac));
        for odd in
            ["", "02:00:0a:4d:00", "02:00:0a:4d:00:ff:00", "2:0:a:4d:0:ff", "0g:00:00:00:00:00"]
        {
            assert!(odd.parse::<Mac>().unwrap_err().contains("Ethernet"), "{odd}");
        }
    }
}
