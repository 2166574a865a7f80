//! Active health of one backend: what its probes add up to.
//!
//! ```text
//!                fall bad probes in a row
//!        ┌──────────────────────────────────────> down
//!        up <──────────────────────────────────────┘
//!                rise good probes in a row
//! ```
//!
//! It takes more than one probe either way, so that a backend whose probes come out good and bad by
//! turns stays where it is. This is pure: probes come in as events, what is to be done comes out,
//! and whoever owns sockets and clocks does it.
//!
//! Each probe has a number. Only the one under way is listened to: an answer that comes after its
//! deadline, or after the backend was given up, says nothing about now.

/// How many probes in a row it takes.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Bad ones, to be taken out.
    pub fall: u32,
    /// Good ones, to be taken in again. Where nobody in service is well one is enough: there is
    /// nothing to lose.
    pub rise: u32,
}

/// Whether anybody in service is well, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Somebody is.
    Some,
    /// Nobody is, or only who must stay though his probes speak against him.
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
    /// It says otherwise, or nothing in time.
    Ill,
}

/// What is to be done about a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Stay,
    /// It is to be taken out of service.
    Fall,
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

    /// Whether it is in service only because it must stay there.
    #[must_use]
    pub fn is_spared(&self) -> bool {
        self.standing == Standing::Up && self.against >= self.thresholds.fall
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
    /// A fall has to be [confirmed](Self::fell): it may be that this backend must stay in service.
    /// Then the next bad probe says so again.
    pub fn end(&mut self, number: ProbeNumber, sign: Sign, service: Service) -> Verdict {
        if self.awaited != Some(number) {
            return Verdict::Stay;
        }
        self.awaited = None;
        match (self.standing, sign) {
            (Standing::Up, Sign::Well) | (Standing::Down, Sign::Ill) => {
                self.against = 0;
                Verdict::Stay
            }
            (Standing::Up, Sign::Ill) => {
                self.against = self.against.saturating_add(1);
                if self.against < self.thresholds.fall { Verdict::Stay } else { Verdict::Fall }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNS: [Sign; 2] = [Sign::Well, Sign::Ill];

    fn pulse(fall: u32, rise: u32) -> Pulse {
        Pulse::new(Thresholds { fall, rise })
    }

    /// Probes that end with these signs, one after the other, each fall confirmed: the verdicts.
    fn probe(pulse: &mut Pulse, signs: &[Sign], service: Service) -> Vec<Verdict> {
        let end = |&sign: &Sign| {
            let number = pulse.begin();
            let verdict = pulse.end(number, sign, service);
            if verdict == Verdict::Fall {
                pulse.fell();
            }
            verdict
        };
        signs.iter().map(end).collect()
    }

    /// All sequences of so many signs.
    fn sequences(length: u32) -> impl Iterator<Item = Vec<Sign>> {
        (0..2_usize.pow(length))
            .map(move |code| (0..length).map(|at| SIGNS[code / 2_usize.pow(at) % 2]).collect())
    }

    /// How many signs at the end of `signs` are alike in being good, or in being bad.
    fn run(signs: &[Sign]) -> usize {
        let last = signs.last().map(|&sign| sign == Sign::Well);
        signs.iter().rev().take_while(|&&sign| Some(sign == Sign::Well) == last).count()
    }

    #[test]
    fn it_falls_and_rises_after_so_many_in_a_row_and_never_otherwise() {
        let (fall, rise) = (3, 2);
        for signs in sequences(8) {
            let mut pulse = pulse(fall, rise);
            let verdicts = probe(&mut pulse, &signs, Service::Some);
            let mut up = true;
            for (end, verdict) in (1..).zip(verdicts) {
                let (signs, in_row) = (&signs[..end], run(&signs[..end]) as u32);
                let last = signs[end - 1];
                let well = last == Sign::Well;
                let expected = match (up, well) {
                    (true, false) if in_row >= fall => Verdict::Fall,
                    (false, true) if in_row >= rise => Verdict::Rise,
                    _ => Verdict::Stay,
                };
                assert_eq!(verdict, expected, "{signs:?}");
                up = matches!(verdict, Verdict::Rise) || (up && verdict == Verdict::Stay);
            }
            assert_eq!(pulse.standing() == Standing::Up, up, "{signs:?}");
        }
    }

    #[test]
    fn good_and_bad_by_turns_change_nothing() {
        for first in SIGNS {
            let mut pulse = pulse(2, 2);
            let turns = if first == Sign::Well { [first, Sign::Ill] } else { [first, Sign::Well] };
            assert_eq!(probe(&mut pulse, &turns.repeat(50), Service::Some), [Verdict::Stay; 100]);
        }
    }

    #[test]
    fn where_nobody_is_in_service_one_good_probe_is_enough() {
        let mut pulse = pulse(1, 5);
        assert_eq!(probe(&mut pulse, &[Sign::Ill], Service::Some), [Verdict::Fall]);
        assert_eq!(probe(&mut pulse, &[Sign::Well], Service::None), [Verdict::Rise]);
        assert_eq!(pulse.standing(), Standing::Up);
    }

    #[test]
    fn one_that_has_to_stay_is_asked_about_again_at_each_bad_probe() {
        let mut pulse = pulse(3, 2);
        for count in 1..10 {
            let number = pulse.begin();
            let verdict = pulse.end(number, Sign::Ill, Service::Some);
            let expected = if count < 3 { Verdict::Stay } else { Verdict::Fall };
            assert_eq!((verdict, pulse.standing()), (expected, Standing::Up));
            assert_eq!(pulse.is_spared(), count >= 3);
        }
        assert_eq!(probe(&mut pulse, &[Sign::Well, Sign::Ill], Service::Some), [Verdict::Stay; 2]);
        assert!(!pulse.is_spared());
    }

    /// In whatever order late, early and repeated ends come in: only the end of the probe under way
    /// counts, and that once.
    #[test]
    fn an_answer_of_an_old_probe_does_not_count() {
        for signs in sequences(4) {
            let mut pulse = pulse(1, 1);
            let old = signs.iter().map(|_| pulse.begin()).collect::<Vec<_>>();
            let current = pulse.begin();
            for (number, sign) in old.into_iter().zip(&signs) {
                assert_eq!(pulse.end(number, *sign, Service::None), Verdict::Stay);
            }
            assert_eq!(pulse.end(current, Sign::Ill, Service::Some), Verdict::Fall);
            pulse.fell();
            for sign in signs {
                assert_eq!(pulse.end(current, sign, Service::None), Verdict::Stay);
            }
            assert_eq!(pulse.standing(), Standing::Down);
        }
    }
}
