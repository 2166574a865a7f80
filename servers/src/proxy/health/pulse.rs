//! Active health of one backend: what its probes add up to.
//!
//! ```text
//!                fall bad probes in a row
//!        ┌──────────────────────────────────────> down
//!        up <──────────────────────────────────────┘
//!                rise good probes in a row
//! ```
//!
//! It takes more than one probe either way, so that a backend whose probes come out good and bad by turns
//! stays where it is. This is pure: probes come in as events, what is to be done comes out, and whoever
//! owns sockets and clocks does it.
//!
//! Each probe has a number. Only the one under way is listened to: an answer that comes after its
//! deadline, or after the backend was given up, says nothing about now.

/// How many probes in a row it takes.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Bad ones, to be taken out.
    pub fall: u32,
    /// Good ones, to be taken in again. Where nobody is in service one is enough: there is nothing
    /// to lose.
    pub rise: u32,
}

/// Whether anybody is in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Somebody is.
    Some,
    /// Nobody is.
    None,
}

/// The number of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeNumber(u64);

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The backend says that it is well.
    Well,
    /// The backend has answered, and not that it is well.
    Ill,
    /// There was no answer.
    Gone,
}

/// What is to be done about a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Stay,
    /// It is to be taken out of service, for this sign.
    Fall(Sign),
    /// It is to be taken in again.
    Rise,
}

/// Where a backend stands by its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is well, as far as is known.
    Up,
    /// It was taken out.
    Down,
}

/// What the probes of one backend add up to.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    thresholds: Thresholds,
    standing: Standing,
    /// Probes in a row that speak against the standing.
    against: u32,
    /// The number of the last probe.
    last: u64,
    /// Whether that one is under way.
    awaited: Option<ProbeNumber>,
}

impl Pulse {
    /// That of a backend of which nothing bad is known.
    #[must_use]
    pub const fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, standing: Standing::Up, against: 0, last: 0, awaited: None }
    }

    /// Where it stands.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// A probe begins. One that was under way is not listened to any more.
    pub const fn begin(&mut self) -> ProbeNumber {
        self.last += 1;
        let number = ProbeNumber(self.last);
        self.awaited = Some(number);
        number
    }

    /// A probe has ended with this sign.
    ///
    /// A fall has to be [confirmed](Self::fell): it may be that this backend must stay in service. Then
    /// the next bad probe says so again.
    pub fn end(&mut self, number: ProbeNumber, sign: Sign, service: Service) -> Verdict {
        if self.awaited != Some(number) {
            return Verdict::Stay;
        }
        self.awaited = None;
        match (self.standing, sign) {
            (Standing::Up, Sign::Well) | (Standing::Down, Sign::Ill | Sign::Gone) => {
                self.against = 0;
                Verdict::Stay
            }
            (Standing::Up, sign) => {
                self.against = self.against.saturating_add(1);
                if self.against < self.thresholds.fall {
                    Verdict::Stay
                } else {
                    Verdict::Fall(sign)
                }
            }
            (Standing::Down, Sign::Well) => self.well_again(service),
        }
    }

    /// It was taken out of service.
    pub const fn fell(&mut self) {
        self.standing = Standing::Down;
        self.against = 0;
    }

    fn well_again(&mut self, service: Service) -> Verdict {
        self.against += 1;
        if self.against < self.thresholds.rise && service == Service::Some {
            return Verdict::Stay;
        }
        self.standing = Standing::Up;
        self.against = 0;
        Verdict::Rise
    }
}
