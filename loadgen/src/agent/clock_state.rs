//! What the kernel knows about the wall clock: whether something keeps it in step with the world.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::seat::Seat;
use crate::failure::Failure;

/// The state of the clock by adjtimex(2), which an NTP or PTP daemon keeps up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// Whether it is synchronised: neither `TIME_ERROR` nor `STA_UNSYNC`.
    pub synchronised: bool,
    /// The largest error that it may have, in microseconds.
    pub max_error_us: i64,
    /// The estimated error in microseconds.
    pub estimated_error_us: i64,
}

/// Who says that the clock can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The kernel has to.
    Kernel,
    /// The user does (`--trust-clock`).
    User,
}

impl ClockState {
    /// Asks the kernel. Nothing is changed, so no privilege is needed.
    ///
    /// # Errors
    /// [`Failure::Unfit`] where the call is forbidden.
    pub fn read() -> Result<Self, Failure> {
        // SAFETY: all fields of `timex` are integers, for which zero is a value; `modes` being zero
        // makes the call a reading one.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        // SAFETY: it points to a `timex` that lives through the call.
        let state = unsafe { libc::adjtimex(&raw mut timex) };
        if state < 0 {
            let error = Errno::last();
            return Err(Failure::Unfit(format!("the state of the clock (adjtimex): {error}")));
        }
        Ok(Self {
            synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
            max_error_us: timex.maxerror,
            estimated_error_us: timex.esterror,
        })
    }

    /// Whether an agent may begin with such a clock. One that is alone may always: then nothing is
    /// compared with other clocks.
    ///
    /// # Errors
    /// [`Failure::Unfit`] if not.
    pub fn check(&self, seat: Seat, trust: Trust) -> Result<(), Failure> {
        if self.synchronised || seat.size == 1 || trust == Trust::User {
            return Ok(());
        }
        let (Seat { rank, size }, error) = (seat, self.max_error_us);
        Err(Failure::Unfit(format!(
            "rank {rank} of {size}: the kernel says that nothing keeps the clock of this host right \
             (adjtimex: error up to {error} µs), and agents begin by the clock: run chrony or \
             another time service, or give --trust-clock if all agents are on this host"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: ClockState =
        ClockState { synchronised: false, max_error_us: 16_000_000, estimated_error_us: 0 };
    const KEPT: ClockState = ClockState { synchronised: true, ..FREE };
    const OF_TWO: Seat = Seat { rank: 1, size: 2 };

    #[test]
    fn a_clock_that_nobody_keeps_is_refused_among_several() {
        let failure = FREE.check(OF_TWO, Trust::Kernel).expect_err("nobody keeps it");
        assert_eq!(failure.status(), 4);
        let text = failure.to_string();
        assert!(text.contains("rank 1 of 2") && text.contains("16000000 µs"), "{text}");
        for (state, seat, trust) in [
            (KEPT, OF_TWO, Trust::Kernel),
            (FREE, Seat::ALONE, Trust::Kernel),
            (FREE, OF_TWO, Trust::User),
        ] {
            assert_eq!(state.check(seat, trust), Ok(()));
        }
    }

    #[test]
    fn the_kernel_is_asked() {
        let state = ClockState::read().expect("reading needs no privilege");
        assert!(state.max_error_us >= 0);
    }
}
