//! The octets of a proxied client on their way: four buffers, each there only while something is in
//! it.

use wire::Buffer;

use crate::buffers::Buffers;
use crate::session::End;

/// What is on its way, by end and direction.
#[derive(Debug, Default)]
pub(super) struct Octets {
    pub(super) client_in: Option<Buffer>,
    pub(super) client_out: Option<Buffer>,
    pub(super) upstream_in: Option<Buffer>,
    pub(super) upstream_out: Option<Buffer>,
}

impl Octets {
    /// Gives back the buffers that nothing is in.
    pub(super) fn give_back(&mut self, buffers: &mut Buffers) {
        let all = [
            &mut self.client_in,
            &mut self.client_out,
            &mut self.upstream_in,
            &mut self.upstream_out,
        ];
        for place in all {
            if let Some(buffer) = place.take_if(|buffer| buffer.is_empty()) {
                buffers.take_back(buffer);
            }
        }
    }

    /// Where reads from that end go.
    pub(super) fn input(&mut self, end: End) -> &mut Option<Buffer> {
        match end {
            End::Client => &mut self.client_in,
            End::Upstream => &mut self.upstream_in,
        }
    }

    /// Where writes to that end come from.
    pub(super) fn output(&mut self, end: End) -> &mut Option<Buffer> {
        match end {
            End::Client => &mut self.client_out,
            End::Upstream => &mut self.upstream_out,
        }
    }
}

/// The buffer of that place, lent now if there is none.
pub(super) fn lent<'b>(place: &'b mut Option<Buffer>, buffers: &mut Buffers) -> &'b mut Buffer {
    place.get_or_insert_with(|| buffers.lend())
}

/// Whether something is in it.
pub(super) fn holds_any(place: &Option<Buffer>) -> bool {
    place.as_ref().is_some_and(|buffer| !buffer.is_empty())
}
