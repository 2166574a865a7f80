//! The content that follows a head, sent as the output has room for it.

use super::Content;
use crate::Buffer;

/// Content on its way.
#[derive(Debug)]
pub(crate) struct Sending {
    content: Content,
    /// Octets already sent, of content that lies in memory.
    sent: usize,
    /// Whether the connection stays afterwards.
    pub(crate) persists: bool,
}

impl Sending {
    pub(crate) const fn new(content: Content, persists: bool) -> Self {
        Self { content, sent: 0, persists }
    }

    /// Appends what there is room for; says whether all has been sent.
    pub(crate) fn send(&mut self, output: &mut Buffer) -> bool {
        match &mut self.content {
            Content::Static(octets) => send_rest(octets, &mut self.sent, output),
            Content::Owned(octets) => send_rest(octets, &mut self.sent, output),
            Content::Fill(left) => fill(left, output),
            Content::Outside(left) => *left == 0,
            Content::Empty | Content::RequestBody | Content::Pending => true,
        }
    }

    /// Octets that the caller has still to send itself.
    pub(crate) const fn outside(&self) -> u64 {
        match self.content {
            Content::Outside(left) => left,
            _ => 0,
        }
    }

    /// Takes note that the caller has sent `octets`; says whether those were the last.
    pub(crate) const fn sent_outside(&mut self, octets: u64) -> bool {
        let Content::Outside(left) = &mut self.content else { return false };
        *left = left.saturating_sub(octets);
        *left == 0
    }
}

/// Sends what comes after the first `sent` octets.
fn send_rest(octets: &[u8], sent: &mut usize, output: &mut Buffer) -> bool {
    *sent += output.push(&octets[*sent..]);
    *sent == octets.len()
}

fn fill(left: &mut u64, output: &mut Buffer) -> bool {
    let spare = output.spare();
    let count = usize::try_from(*left).map_or(spare.len(), |left| left.min(spare.len()));
    spare[..count].fill(Content::FILLER);
    output.commit(count);
    *left -= count as u64;
    *left == 0
}
