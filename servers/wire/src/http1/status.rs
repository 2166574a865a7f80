//! Status codes (RFC 9110, 15).

/// The status of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCode(u16);

/// Builds the constants and the reasons of [`StatusCode`] from one table.
macro_rules! statuses {
    ($($name:ident $code:literal $reason:literal,)*) => {
        impl StatusCode {
            $(
                #[doc = concat!(stringify!($code), " ", $reason)]
                pub const $name: Self = Self($code);
            )*

            /// The words that go with the code. They mean nothing to a program.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 { $($code => $reason,)* _ => "" }
            }
        }
    };
}

statuses! {
    OK 200 "OK",
    NO_CONTENT 204 "No Content",
    NOT_MODIFIED 304 "Not Modified",
    BAD_REQUEST 400 "Bad Request",
    FORBIDDEN 403 "Forbidden",
    NOT_FOUND 404 "Not Found",
    METHOD_NOT_ALLOWED 405 "Method Not Allowed",
    REQUEST_TIMEOUT 408 "Request Timeout",
    CONTENT_TOO_LARGE 413 "Content Too Large",
    URI_TOO_LONG 414 "URI Too Long",
    EXPECTATION_FAILED 417 "Expectation Failed",
    HEADER_FIELDS_TOO_LARGE 431 "Request Header Fields Too Large",
    INTERNAL_SERVER_ERROR 500 "Internal Server Error",
    NOT_IMPLEMENTED 501 "Not Implemented",
    BAD_GATEWAY 502 "Bad Gateway",
    SERVICE_UNAVAILABLE 503 "Service Unavailable",
    GATEWAY_TIMEOUT 504 "Gateway Timeout",
    HTTP_VERSION_NOT_SUPPORTED 505 "HTTP Version Not Supported",
}

impl StatusCode {
    /// The three digits as a number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether a response with this status has no content, whatever its fields say (RFC 9112, 6.3).
    pub(crate) const fn forbids_content(self) -> bool {
        matches!(self.0, 100..=199 | 204 | 304)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_a_code_and_a_reason() {
        assert_eq!(StatusCode::URI_TOO_LONG.code(), 414);
        assert_eq!(StatusCode::URI_TOO_LONG.reason(), "URI Too Long");
    }

    #[test]
    fn only_some_statuses_forbid_content() {
        assert!(StatusCode::NO_CONTENT.forbids_content());
        assert!(StatusCode::NOT_MODIFIED.forbids_content());
        assert!(!StatusCode::OK.forbids_content());
    }
}
