//! The main thread's part of a run: it starts the phases and takes readings at their edges.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use nix::sys::prctl;

use super::shared::{self, Pulse, Timeline};
use crate::clock::Moment;
use crate::failure::Failure;
use crate::plan::{Plan, Stop};
use crate::progress::Progress;
use crate::report::Usage;
use crate::usage::{Meters, Readings};

/// All that the main thread has a hand in.
pub(super) struct Conductor<'a> {
    pub(super) plan: &'a Plan,
    pub(super) pulses: &'a [Pulse],
    pub(super) meters: Meters,
    pub(super) orders: Vec<Sender<Timeline>>,
    /// From each thread, at the end of each part, how many connections it had at the beginning.
    pub(super) reported: Receiver<u64>,
}

/// What the main thread knows after the measuring phase.
pub(super) struct Measured {
    pub(super) timeline: Timeline,
    pub(super) client: Usage,
    pub(super) server: Option<Usage>,
}

impl Conductor<'_> {
    /// From the connecting phase to the end of measuring. The connections stay open until the last
    /// reading has been taken; dropping the senders of orders then releases the threads.
    ///
    /// `None` if there is nothing to measure, since no connection could be made.
    pub(super) fn conduct(self, progress: &mut Progress) -> Result<Option<Measured>, Failure> {
        let _ = prctl::set_timerslack(1000);
        if self.await_reports(progress) == 0 {
            return Ok(None);
        }
        let (timeline, first) = self.begin(progress)?;
        match self.plan.stop {
            Stop::After(_) => self.sleep_until(timeline.close, progress),
            Stop::Each(_) => drop(self.await_reports(progress)),
        }
        let last = self.meters.read()?;
        if matches!(self.plan.stop, Stop::After(_)) {
            self.await_reports(progress);
        }
        progress.end();
        let (client, server) = first.until(&last);
        Ok(Some(Measured { timeline, client, server }))
    }

    /// Starts the load, and takes the first reading when measuring begins: without a warm-up that is
    /// just before the first request.
    fn begin(&self, progress: &mut Progress) -> Result<(Timeline, Readings), Failure> {
        let before = self.meters.read()?;
        let timeline = Timeline::new(self.plan, Moment::now());
        for order in &self.orders {
            let _ = order.send(timeline);
        }
        if self.plan.warm_up.is_zero() {
            return Ok((timeline, before));
        }
        self.sleep_until(timeline.open, progress);
        Ok((timeline, self.meters.read()?))
    }

    /// Waits for a report of each thread, and adds them up.
    fn await_reports(&self, progress: &mut Progress) -> u64 {
        let (mut missing, mut sum) = (self.orders.len(), 0);
        while missing > 0 {
            match self.reported.recv_timeout(progress.until_next()) {
                Ok(established) => (missing, sum) = (missing - 1, sum + established),
                Err(RecvTimeoutError::Timeout) => progress.show_counts(shared::so_far(self.pulses)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        sum
    }

    fn sleep_until(&self, when: Moment, progress: &mut Progress) {
        loop {
            let left = Duration::from_nanos(when.nanos_since(Moment::now()));
            if left.is_zero() {
                return;
            }
            let next = progress.until_next();
            thread::sleep(left.min(next));
            if next <= left {
                progress.show_counts(shared::so_far(self.pulses));
            }
        }
    }
}
