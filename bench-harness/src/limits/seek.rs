//! Looks for the most clients that are served.
//!
//! A prediction says where to look first, and is never believed: there has to be a success at the
//! limit, and a failure just above it. A step that failed says, by how many were served, where to
//! look next; that is only a hint too. Without any hint it doubles, then halves.

use anyhow::Result;

use super::outcome::Outcome;

/// Where to look, and how closely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Clients of the first step, where nobody predicts anything.
    pub first: u64,
    /// The most clients that are tried.
    pub most: u64,
    /// How far the lowest failure may lie above the highest success, as a share of it. One client
    /// is always close enough.
    pub grain: f64,
    /// What is predicted.
    pub hint: Option<u64>,
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// How many clients there were to be.
    pub clients: u64,
    /// How many of them were served.
    pub served: u64,
    /// What came out.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The most clients that were served; 0 when not even one was.
    pub served: u64,
    /// The failure nearest above it; `None` when [`Search::most`] were served, or time was up
    /// before.
    pub failed: Option<Step>,
    /// Why it ended.
    pub end: End,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Success and failure are as close as was asked for.
    Close,
    /// The most that were to be tried were served.
    Most,
    /// Time was up.
    Budget,
}

/// Makes steps until the limit is found. `attempt` makes one with so many clients, or none when
/// time is up.
///
/// # Errors
/// Those of a step.
pub fn seek(
    search: &Search,
    mut attempt: impl FnMut(u64) -> Result<Option<Step>>,
) -> Result<Found> {
    let mut bracket = Bracket::new(*search);
    loop {
        let Some(clients) = bracket.next() else { return Ok(bracket.found(End::Close)) };
        let Some(step) = attempt(clients)? else { return Ok(bracket.found(End::Budget)) };
        // A busy moment must not pass for a limit: what may be chance has to happen twice.
        let step = match step.outcome.may_be_chance() {
            false => step,
            true => match attempt(clients)? {
                Some(again) => again,
                None => return Ok(bracket.found(End::Budget)),
            },
        };
        bracket.take(step);
        if bracket.served >= search.most {
            return Ok(bracket.found(End::Most));
        }
    }
}

/// What is known.
#[derive(Debug)]
struct Bracket {
    search: Search,
    /// The highest success.
    served: u64,
    /// The lowest failure.
    failed: Option<Step>,
    /// How far the next step goes from the last, while one side is unknown; it doubles each time.
    reach: u64,
}

impl Bracket {
    fn new(search: Search) -> Self {
        Self { search, served: 0, failed: None, reach: 0 }
    }

    /// How close is close enough.
    fn grain(&self, clients: u64) -> u64 {
        ((clients as f64 * self.search.grain) as u64).max(1)
    }

    /// How many clients to try next; nothing when it is known closely enough.
    fn next(&mut self) -> Option<u64> {
        let most = self.search.most.max(1);
        match self.failed.as_ref().map(|step| (step.clients, step.served)) {
            None if self.served == 0 => {
                Some(self.search.hint.unwrap_or(self.search.first).clamp(1, most))
            }
            None => Some(self.above().min(most)),
            Some((failed, _)) if failed - self.served <= self.grain(self.served) => None,
            Some((failed, served)) => Some(self.within(failed, served)),
        }
    }

    /// Above a success, where no failure is known: from a prediction on in small steps that grow,
    /// otherwise twice as many.
    fn above(&mut self) -> u64 {
        let small = self.search.hint.map_or(self.served, |_| self.grain(self.served));
        self.reach = (2 * self.reach).max(small);
        self.served.saturating_add(self.reach)
    }

    /// Between a success, or nothing, and a failure: where the failure points to, or half-way.
    fn within(&self, failed: u64, served: u64) -> u64 {
        let just_above = self.served + self.grain(self.served);
        let known = self.served > 0;
        match served {
            served if served > self.served && served < failed => served,
            served if known && served == self.served && just_above < failed => just_above,
            _ => u64::midpoint(self.served, failed).max(self.served + 1),
        }
    }

    fn take(&mut self, step: Step) {
        if step.outcome.served() {
            self.served = self.served.max(step.clients);
        } else {
            self.failed = Some(step);
        }
    }

    fn found(self, end: End) -> Found {
        Found { served: self.served, failed: self.failed, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search { first: 16, most: 100_000, grain: 0.01, hint: None };

    /// What a failure shows of the limit.
    #[derive(Clone, Copy)]
    enum Shows {
        Limit,
        Nothing,
    }

    fn step(clients: u64, limit: u64, shows: Shows) -> Step {
        let outcome = match clients <= limit {
            true => Outcome::Served,
            false => Outcome::DescriptorLimit { errno: 24 },
        };
        let served = match (outcome.served(), shows) {
            (false, Shows::Nothing) => 0,
            _ => limit.min(clients),
        };
        Step { clients, served, outcome, seconds: 0.0 }
    }

    /// What is found, and with how many steps.
    fn find(search: Search, limit: u64, shows: Shows) -> (Found, usize) {
        let mut steps = 0;
        let found = seek(&search, |clients| {
            steps += 1;
            assert!(steps < 60, "it goes on and on");
            Ok(Some(step(clients, limit, shows)))
        });
        (found.unwrap(), steps)
    }

    fn check(search: Search, limit: u64, shows: Shows) -> usize {
        let (found, steps) = find(search, limit, shows);
        let failed = found.failed.expect("a failure above").clients;
        assert!(found.served <= limit && limit < failed, "{limit}: {} {failed}", found.served);
        let grain = ((found.served as f64 * search.grain) as u64).max(1);
        assert!(failed - found.served <= grain, "{limit}: {} {failed}", found.served);
        steps
    }

    #[test]
    fn every_planted_limit_is_found_with_any_hint_or_none() {
        for limit in [1, 2, 3, 10, 15, 16, 17, 255, 487, 1_014, 5_000, 19_987, 99_998] {
            for shows in [Shows::Limit, Shows::Nothing] {
                for grain in [0.0, 0.01] {
                    check(Search { grain, ..SEARCH }, limit, shows);
                    for hint in [1, limit, limit + 1, limit * 2, limit / 2, 1_000_000] {
                        check(Search { grain, hint: Some(hint), ..SEARCH }, limit, shows);
                    }
                }
            }
        }
    }

    #[test]
    fn a_right_prediction_takes_two_steps_and_a_near_one_four() {
        for limit in [10, 487, 19_987] {
            let exact = Search { hint: Some(limit), ..SEARCH };
            assert_eq!(check(exact, limit, Shows::Nothing), 2);
            for off in [limit + limit / 50, limit - limit / 50] {
                let near = Search { hint: Some(off), ..SEARCH };
                assert!(check(near, limit, Shows::Limit) <= 4, "{limit} {off}");
            }
        }
    }

    #[test]
    fn a_failure_that_shows_the_limit_saves_the_halving() {
        let blind = check(SEARCH, 19_987, Shows::Nothing);
        let shown = check(SEARCH, 19_987, Shows::Limit);
        assert!(shown + 4 <= blind, "{shown} {blind}");
    }

    #[test]
    fn the_most_that_may_be_tried_are_tried_and_no_more() {
        for hint in [None, Some(5), Some(700), Some(9_000)] {
            let search = Search { most: 700, hint, ..SEARCH };
            let (found, _) = find(search, 800, Shows::Limit);
            assert_eq!((found.served, found.end, found.failed), (700, End::Most, None));
        }
    }

    #[test]
    fn none_at_all_is_an_answer() {
        let (found, _) = find(SEARCH, 0, Shows::Limit);
        assert_eq!((found.served, found.failed.map(|step| step.clients)), (0, Some(1)));
    }

    #[test]
    fn a_failure_by_chance_is_not_taken_for_a_limit() {
        let mut attempts = 0;
        let found = seek(&SEARCH, |clients| {
            attempts += 1;
            let mut step = step(clients, 487, Shows::Limit);
            // Each second attempt fails, wherever it is; but never twice in a row at one place.
            if attempts % 2 == 1 && clients <= 487 {
                step.outcome = Outcome::TimedOut { clients: 1 };
                step.served = clients - 1;
            }
            Ok(Some(step))
        });
        assert_eq!(found.unwrap().served, 487);
    }

    #[test]
    fn when_time_is_up_what_is_known_is_told() {
        let mut left = 7;
        let found = seek(&SEARCH, |clients| {
            left -= 1;
            Ok((left > 0).then(|| step(clients, 900, Shows::Nothing)))
        });
        let found = found.unwrap();
        assert_eq!((found.served, found.end), (512, End::Budget));
    }
}
