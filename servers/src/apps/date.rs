//! The `Date` field of a response, put together once a second and not once a response.

use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

thread_local! {
    static LAST: Cell<(u64, [u8; 29])> = const { Cell::new((u64::MAX, [0; 29])) };
}

/// `unix_seconds` as an IMF-fixdate (RFC 9110, section 5.6.7).
pub(crate) fn imf_fixdate(unix_seconds: u64) -> [u8; 29] {
    let (second, text) = LAST.get();
    if second == unix_seconds {
        return text;
    }
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_seconds));
    let text = text.as_bytes().try_into().unwrap_or([b' '; 29]);
    LAST.set((unix_seconds, text));
    text
}

#[cfg(test)]
mod tests {
    use super::imf_fixdate;

    #[test]
    fn is_that_of_the_second_asked_for() {
        assert_eq!(&imf_fixdate(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&imf_fixdate(784_111_778), b"Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(&imf_fixdate(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
