//! A client that behaves: one request each few milliseconds, whatever else goes on.
//!
//! Requests are due at fixed times, and a latency counts from then. So a second in which the server
//! answers nobody is not one slow request but a hundred, as it would be for a hundred visitors.
//! Patience counts from then too: a request that can't even be sent in time is given up unsent.

use std::net::TcpStream;
use std::time::Duration;

use super::arguments::Plan;
use super::conversation::{Next, ask};
use super::felt::Felt;
use super::timeline::{Timeline, sleep_until};
use crate::clock::Moment;
use crate::fault::Fault;

/// How a polite client comes to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has one, and keeps it.
    Regular,
    /// It takes a new one for each request.
    Newcomer,
}

/// A polite client.
#[derive(Debug)]
pub(super) struct Polite<'a> {
    plan: &'a Plan,
    kind: Kind,
    timeline: Timeline,
    stream: Option<TcpStream>,
    /// Of the request that is out: no other one of any client has it.
    number: u64,
}

impl<'a> Polite<'a> {
    /// The client of that number, which has not begun.
    pub(super) fn new(plan: &'a Plan, kind: Kind, which: u32, timeline: Timeline) -> Self {
        Self { plan, kind, timeline, stream: None, number: u64::from(which) << 32 }
    }

    /// Asks until the end, and says what it felt before, during and after the attack.
    pub(super) fn live(mut self) -> [Felt; 3] {
        let mut felt = [Felt::new(), Felt::new(), Felt::new()];
        let mut due = self.timeline.start;
        while due < self.timeline.stop {
            sleep_until(due);
            let (phase, deadline) = (self.timeline.phase(due), due.after(self.plan.patience));
            let felt = &mut felt[phase as usize];
            if Moment::now() < deadline {
                let outcome = self.ask(deadline);
                felt.record(outcome, Moment::now().nanos_since(due));
            } else {
                felt.unsent += 1;
            }
            due = due.after(self.plan.every);
        }
        felt
    }

    fn ask(&mut self, deadline: Moment) -> Result<(), Fault> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect(deadline)?,
        };
        self.number += 1;
        let next = ask(&mut stream, &self.plan.target, self.number, deadline)?;
        if self.kind == Kind::Regular && next == Next::Same {
            self.stream = Some(stream);
        }
        Ok(())
    }

    fn connect(&self, deadline: Moment) -> Result<TcpStream, Fault> {
        let left = Duration::from_nanos(deadline.nanos_since(Moment::now()));
        if left.is_zero() {
            return Err(Fault::Connect);
        }
        let stream = TcpStream::connect_timeout(&self.plan.target.address, left);
        let stream = stream.map_err(|_| Fault::Connect)?;
        stream.set_nodelay(true).map_err(|_| Fault::Connect)?;
        Ok(stream)
    }
}
