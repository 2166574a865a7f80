//! What a gateway must remember of a request while it is under way.

use crate::http1::{Framing, Request, Version};

/// A request, without its octets.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Octets of its head, the empty line included.
    pub(super) length: usize,
    /// Where its target stands in that: the first octet, and the one after the last.
    pub(super) target: (usize, usize),
    pub(super) version: Version,
    pub(super) framing: Framing,
    /// Whether the client's connection may stay afterwards.
    pub(super) persists: bool,
    /// A reply to it has no content: HEAD.
    pub(super) head_only: bool,
    /// It is for this gateway and nobody behind it.
    pub(super) is_for_us: bool,
    expects_continue: bool,
    idempotent: bool,
    /// `Connection` names fields that are about the client's connection only.
    pub(super) connection_names: bool,
}

/// Whether a request may be sent again after a part of it has been sent (RFC 9110, 9.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Twice is as good as once.
    Harmless,
    /// The backend may have done already what it was asked to do.
    Dangerous,
}

impl Asked {
    pub(super) fn of(request: &Request<'_>) -> Self {
        let method = request.method();
        Self {
            length: request.length(),
            target: request.target_range(),
            version: request.version(),
            framing: request.body_length(),
            persists: request.persists(),
            head_only: request.asks_for_head(),
            is_for_us: method == "OPTIONS" && forwards_left(request) == Some(0),
            expects_continue: request.expects_continue(),
            connection_names: request.connection_names(),
            idempotent: !matches!(method, "POST" | "PATCH"),
        }
    }

    /// Whether content follows its head.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        !matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// Whether the client waits for a `100 Continue` before it sends content.
    #[must_use]
    pub const fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether it may be sent again after a part of it has been sent. With content it can't be:
    /// that is not kept.
    #[must_use]
    pub const fn repeat(&self) -> Repeat {
        if self.idempotent && !self.has_content() { Repeat::Harmless } else { Repeat::Dangerous }
    }
}

/// What `Max-Forwards` says (RFC 9110, 7.6.2).
pub(super) fn forwards_left(request: &Request<'_>) -> Option<u64> {
    let field = request.fields().find(|(name, _)| name.eq_ignore_ascii_case("max-forwards"));
    field.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok())
}
