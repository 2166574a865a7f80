//! The way back: a backend's reply, passed on to the client as it comes.

use super::carrier::{Carried, Carrier, Wrapping};
use super::heads::{self, Forwarder, Named};
use super::{Asked, Gateway, Outbound, Progress, Reuse, persistence};
use crate::Buffer;
use crate::http1::body::Body;
use crate::http1::reply::{ReplyHead, Whole};
use crate::http1::{Error, Framing, Limits, Version};

/// Interim replies before a final one that a gateway passes on.
const INTERIM_REPLIES: u32 = 16;

impl Gateway {
    /// Takes the reply from the backend's `input` to the client's `output`, as far as it is there
    /// and there is room.
    ///
    /// # Errors
    /// The rule that the backend has broken.
    pub fn answer(
        &mut self,
        input: &mut Buffer,
        by: &Forwarder<'_>,
        output: &mut Buffer,
    ) -> Result<Progress, Error> {
        while let Outbound::Head(head) = &mut self.outbound {
            // What came before goes out first. Then there is room for any head that comes, and for
            // what this gateway says in its place.
            if !output.is_empty() {
                return Ok(Progress::Waits);
            }
            let capacity = input.capacity();
            let Some(whole) = head.read(input.filled(), capacity, &self.limits)? else {
                return Ok(Progress::Waits);
            };
            self.pass_head(whole, input, by, output)?;
        }
        if let Outbound::Content(carrier, reuse) = &mut self.outbound
            && carrier.carry(input, output)? == Carried::All
        {
            self.outbound = Outbound::Done(*reuse);
        }
        Ok(self.progress(input))
    }

    /// The backend has closed its direction: that may be how the reply ends.
    ///
    /// # Errors
    /// [`Error::NoReply`] or [`Error::CutShort`] when it is not.
    pub fn answer_ends(&mut self, output: &mut Buffer) -> Result<Progress, Error> {
        match &mut self.outbound {
            Outbound::Head(_) if !output.is_empty() => Ok(Progress::Waits),
            Outbound::Head(head) if head.begun() => Err(Error::CutShort),
            Outbound::Head(_) => Err(Error::NoReply),
            Outbound::Content(carrier, _) if carrier.ends_with_input() => {
                if !carrier.end(output) {
                    return Ok(Progress::Waits);
                }
                self.outbound = Outbound::Done(Reuse::No);
                Ok(Progress::Done(Reuse::No))
            }
            Outbound::Content(..) => Err(Error::CutShort),
            Outbound::Done(_) => Ok(Progress::Done(Reuse::No)),
        }
    }

    /// Passes the head of a reply on, to an output that is empty: what does not fit never will.
    fn pass_head(
        &mut self,
        whole: Whole,
        input: &mut Buffer,
        by: &Forwarder<'_>,
        output: &mut Buffer,
    ) -> Result<(), Error> {
        let Some(&asked) = self.asked() else { return Err(Error::Unasked) };
        match whole.status {
            101 => return Err(Error::UnaskedUpgrade),
            100..=199 => return self.pass_interim(whole, asked, input, output),
            _ => {}
        }
        let (carrier, reuse) = self.carrier_of(whole, asked);
        let wrapping = carrier.as_ref().map(Carrier::wrapping);
        let persists = self.persists() && wrapping != Some(Wrapping::Nothing);
        let persistence = persistence(asked.version, persists);
        let octets = &input.filled()[..whole.length];
        if !heads::write_reply(
            octets,
            Named::when(whole.connection_names),
            wrapping,
            persistence,
            by,
            output,
        ) {
            return Err(Error::HeadTooLarge);
        }
        input.consume(whole.length);
        self.closing |= !persists;
        self.ends_by_closing = wrapping == Some(Wrapping::Nothing);
        self.outbound = match carrier {
            Some(carrier) => Outbound::Content(carrier, reuse),
            None => Outbound::Done(reuse),
        };
        Ok(())
    }

    /// What carries the content of the reply, if it has any, and whether the backend stays.
    fn carrier_of(&self, whole: Whole, asked: Asked) -> (Option<Carrier>, Reuse) {
        let bare = asked.head_only || matches!(whole.status, 204 | 304);
        let stays = whole.persists && (bare || whole.framing != Framing::None);
        let reuse = if stays { Reuse::Yes } else { Reuse::No };
        if bare || whole.framing == Framing::Length(0) {
            return (None, reuse);
        }
        let limits = Limits { body: u64::MAX, ..self.limits };
        let carrier = match (whole.framing, asked.version) {
            (Framing::None, Version::Http10) => Carrier::rest(Wrapping::Nothing),
            (Framing::None, Version::Http11) => Carrier::rest(Wrapping::Chunks),
            (Framing::Chunked, Version::Http10) => {
                Carrier::framed(Body::new(whole.framing, &limits), Wrapping::Nothing)
            }
            (framing, _) => Carrier::framed(Body::new(framing, &limits), Wrapping::of(framing)),
        };
        (Some(carrier), reuse)
    }

    /// A client that waits for a word before it goes on gets it; one of HTTP/1.0 knows no such
    /// word.
    fn pass_interim(
        &mut self,
        whole: Whole,
        asked: Asked,
        input: &mut Buffer,
        output: &mut Buffer,
    ) -> Result<(), Error> {
        if self.interim == INTERIM_REPLIES {
            return Err(Error::TooManyInterim);
        }
        let head = &input.filled()[..whole.length];
        if asked.version == Version::Http11
            && !heads::write_interim(head, Named::when(whole.connection_names), output)
        {
            return Err(Error::HeadTooLarge);
        }
        input.consume(whole.length);
        self.awaits_word &= whole.status != 100;
        self.interim += 1;
        self.outbound = Outbound::Head(ReplyHead::default());
        Ok(())
    }

    /// A backend that says more than was asked for is not used again.
    fn progress(&self, input: &Buffer) -> Progress {
        match self.outbound {
            Outbound::Done(Reuse::Yes) if input.is_empty() && !self.wants_content() => {
                Progress::Done(Reuse::Yes)
            }
            Outbound::Done(_) => Progress::Done(Reuse::No),
            _ => Progress::Waits,
        }
    }
}
