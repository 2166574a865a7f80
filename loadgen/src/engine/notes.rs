//! The log of every request, if there is one.

use super::outstanding::Asked;
use super::worker::{Phase, Worker};
use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::records::{Outcome, Record};

impl<E: Exchange> Worker<'_, E> {
    /// Writes down a request that has come to its end now, well or badly.
    #[inline]
    pub(super) fn note_end(&mut self, index: usize, asked: Asked, fault: Option<Fault>) {
        if self.lines.pen.is_none() || self.phase == Phase::WarmUp {
            return;
        }
        let (sent, ended) = (self.offset(asked.sent), self.offset(self.now));
        let outcome = match fault {
            None => Outcome::Answered { sent, ended },
            Some(fault) => Outcome::Failed { fault, sent, ended },
        };
        self.note(self.identity(index) as u32, asked.planned, outcome);
    }

    /// Writes down the requests that have no answer when the phase is over to which they belong.
    pub(super) fn note_lost(&mut self) {
        if self.lines.pen.is_none() {
            return;
        }
        for index in 0..self.slots.len() {
            let out: Vec<_> = self.slots[index].out.iter().collect();
            for asked in out {
                let counted = self.pacer.is_none() || asked.planned >= self.timeline.open;
                if counted {
                    let sent = self.offset(asked.sent);
                    let connection = self.identity(index) as u32;
                    self.note(connection, asked.planned, Outcome::Lost { sent });
                }
            }
        }
    }

    /// Writes down a request that was never sent.
    pub(super) fn note_unsent(&mut self, planned: Moment) {
        self.note(0, planned, Outcome::NeverSent);
    }

    fn note(&mut self, connection: u32, planned: Moment, outcome: Outcome) {
        let planned = self.offset(planned);
        if let Some(pen) = &mut self.lines.pen {
            pen.note(&Record { planned, connection, outcome });
        }
    }

    /// Nanoseconds since measuring began.
    fn offset(&self, moment: Moment) -> i64 {
        moment.as_nanos() as i64 - self.timeline.open.as_nanos() as i64
    }
}
