//! What is to be done when the clock ticks, and when the server is to stop.

use std::os::fd::AsFd;

use nix::poll::PollFlags;

use super::client::Farewell;
use super::ring::{Ask, Name, Ring, What};
use super::{Gate, KEEPER, LISTENER, Proactor, WAKER, only};
use crate::control::Phase;

impl<R: Ring> Proactor<'_, R> {
    pub(super) fn look_at_waker(&mut self) {
        let ask = Ask::Poll(self.waker.as_fd(), PollFlags::POLLIN);
        // SAFETY: the waker is dropped after the ring.
        unsafe { self.ring.ask(Name { what: What::Look, token: WAKER }, ask) };
    }

    pub(super) fn look_at_keeper(&mut self) {
        let Some(keeper) = self.keeper else { return };
        let ask = Ask::Poll(keeper.as_fd(), PollFlags::POLLIN);
        // SAFETY: the keeper outlives the ring.
        unsafe { self.ring.ask(Name { what: What::Look, token: KEEPER }, ask) };
    }

    pub(super) fn keep(&mut self) {
        let Some(keeper) = self.keeper else { return };
        keeper.keep(self.worker.control);
        self.look_at_keeper();
    }

    /// The clock has ticked, or the server is to stop.
    pub(super) fn wake_up(&mut self) {
        self.waker.rest();
        self.look_at_waker();
        self.hear_appeal();
        if self.gate == Gate::Paused {
            self.open_gate();
        }
        if self.worker.control.phase() != Phase::Serving {
            self.drain();
        }
        self.expire();
        self.go_through_links();
        self.look_after_the_silent();
    }

    /// Asks all sessions to finish, each for the first time when the grace is over and it is known
    /// what its client has sent by now: for that, a receive that waits is cancelled, and a last
    /// read looks for itself.
    fn drain(&mut self) {
        if self.gate == Gate::Open {
            self.gate = Gate::Closing;
            self.cancel(LISTENER, only(What::Accept));
        }
        let now = self.worker.control.now();
        for token in self.slots.tokens() {
            let Some((client, _)) = self.slots.of(token) else { continue };
            match client.farewell {
                Farewell::No => {
                    client.farewell = Farewell::Soon(now);
                    continue;
                }
                Farewell::Soon(since) if since.grace_is_over(now) => {
                    client.farewell = Farewell::Due;
                    if client.line.asked.has(What::Receive) {
                        self.cancel(token, only(What::Receive));
                    }
                }
                Farewell::Said if !client.is_sending() => {
                    client.session.close_soon(&mut self.worker);
                }
                Farewell::Soon(_) | Farewell::Due | Farewell::Said => continue,
            }
            self.advance(token);
        }
    }

    fn expire(&mut self) {
        let now = self.worker.control.now();
        if now < self.earliest {
            return;
        }
        for token in self.slots.overdue(now) {
            let Some((client, _)) = self.slots.of(token) else { continue };
            // One whose output is being sent is looked at again at the next tick.
            if !client.is_sending() {
                client.session.expire(&mut self.worker);
                self.advance(token);
            }
        }
        self.earliest = self.slots.earliest();
    }
}
