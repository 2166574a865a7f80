//! Which octets may stand where. One look-up an octet, so that checking a head costs about as much
//! as reading it.

/// A set of octets.
pub(crate) type Set = [bool; 256];

/// `tchar` (RFC 9110, 5.6.2): what methods and field names are made of.
pub(crate) const TOKEN: Set = letters_digits_and(b"!#$%&'*+-.^_`|~");

/// What a URI is made of (RFC 3986, appendix A). No `#`: a fragment is never sent.
pub(crate) const TARGET: Set = letters_digits_and(b"-._~:/?[]@!$&'()*+,;=%");

/// `reg-name` and an IPv4 address (RFC 3986, 3.2.2).
pub(crate) const HOST_NAME: Set = letters_digits_and(b"-._~!$&'()*+,;=%");

/// What stands within the brackets of an IPv6 address, or of one from the future.
pub(crate) const HOST_LITERAL: Set = letters_digits_and(b"-._~!$&'()*+,;=:");

const fn letters_digits_and(others: &[u8]) -> Set {
    let mut set = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        set[octet] = (octet as u8).is_ascii_alphanumeric();
        octet += 1;
    }
    let mut other = 0;
    while other < others.len() {
        set[others[other] as usize] = true;
        other += 1;
    }
    set
}

/// Whether all octets are in `set`.
pub(crate) fn all_in(set: &Set, octets: &[u8]) -> bool {
    octets.iter().all(|&octet| set[usize::from(octet)])
}

/// Whether all octets may stand in a field value: no control characters but HTAB (RFC 9110, 5.5).
///
/// Does not stop at the first bad one: without that branch it is done 16 octets at a time.
pub(crate) fn is_field_value(octets: &[u8]) -> bool {
    !octets.iter().fold(false, |bad, &octet| bad | is_control(octet))
}

const fn is_control(octet: u8) -> bool {
    ((octet < 0x20) & (octet != b'\t')) | (octet == 0x7f)
}

/// SP or HTAB (`WSP`, of which `OWS` is made).
pub(crate) const fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Without the white space at both ends.
pub(crate) const fn trimmed(mut octets: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = octets
        && is_space(*first)
    {
        octets = rest;
    }
    while let [rest @ .., last] = octets
        && is_space(*last)
    {
        octets = rest;
    }
    octets
}

/// The number that decimal digits stand for. `None` where there is none or something else, and
/// `Some(None)` where it is 2^64 or more.
pub(crate) fn decimal(octets: &[u8]) -> Option<Option<u64>> {
    if octets.is_empty() || !octets.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(octets.iter().try_fold(0_u64, |number, octet| {
        number.checked_mul(10)?.checked_add(u64::from(octet - b'0'))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_no_delimiters() {
        for octet in *b"\"(),/:;<=>?@[\\]{} \t\r\n\0\x7f\x80\xff" {
            assert!(!TOKEN[usize::from(octet)], "{octet:#x}");
        }
        assert!(all_in(&TOKEN, b"!#$%&'*+-.^_`|~09azAZ"));
    }

    #[test]
    fn field_values_have_any_octet_but_controls() {
        assert!(is_field_value(b"\tplain text, \x80\xff and more than sixteen octets of it"));
        for octet in (0..0x20).filter(|&octet| octet != b'\t').chain([0x7f]) {
            assert!(!is_field_value(&[octet]), "{octet:#x}");
        }
    }

    #[test]
    fn trimming_leaves_the_inside_alone() {
        assert_eq!(trimmed(b" \t a  b\t "), b"a  b");
        assert_eq!(trimmed(b" \t"), b"");
    }

    #[test]
    fn decimal_numbers_are_digits_and_less_than_2_to_the_64() {
        assert_eq!(decimal(b"0018446744073709551615"), Some(Some(u64::MAX)));
        assert_eq!(decimal(b"18446744073709551616"), Some(None));
        for bad in [&b""[..], b"+5", b"-1", b"0x5", b"5 5", b"5,5", b"5."] {
            assert_eq!(decimal(bad), None);
        }
    }
}
