//! What stopped a step, from all that is known of it: what the clients saw, what the server
//! counted, how it ended, what the kernel denied it.
//!
//! Where the load generator was the limit, that is an outcome of its own, and never taken for the
//! model's.

use std::os::unix::process::ExitStatusExt;

use loadgen::report::Summary;
use loadgen::search::{Condition, Objective};
use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::host::Limit;
use super::outcome::{Denied, Outcome, Shortage};
use crate::launch::Counters;
use crate::launch::child::{Ended, ending};
use crate::restraint::Events;

/// How the load generator got on.
#[derive(Debug)]
pub enum Load {
    /// It came to its end.
    Found(Box<Summary>),
    /// It gave up.
    Failed(Ended),
    /// It did not end in time, and was killed.
    Hung,
}

/// All that is known of a step.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// How many clients there were to be.
    pub clients: u64,
    /// What the load generator found.
    pub load: &'a Load,
    /// What the server counted; nothing when it did not end by itself.
    pub counters: Option<Counters>,
    /// How the server ended.
    pub server: &'a Ended,
    /// What the response times have to keep.
    pub objective: Option<&'a Objective>,
}

impl Evidence<'_> {
    /// What it says, from the most certain to the least.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        died(self.server)
            .or_else(|| self.generator())
            .or_else(|| self.denied())
            .unwrap_or_else(|| self.heard())
    }

    /// Clients that were answered while all were connected.
    #[must_use]
    pub fn served(&self) -> u64 {
        match self.load {
            Load::Found(summary) => summary.connections.served,
            Load::Failed(_) | Load::Hung => 0,
        }
    }

    /// The load generator says by its status whether the host let it do its work (4), or nothing
    /// could be connected (1), which may be the server's doing.
    fn generator(&self) -> Option<Outcome> {
        let Load::Failed(ended) = self.load else { return None };
        let refused = self.counters.is_some_and(|counters| counters.refused > 0);
        let what = format!("{}: {}", ending(ended.status), ended.words);
        (ended.status.code() != Some(1) || !refused).then_some(Outcome::GeneratorLimit { what })
    }

    /// What the server counted among the clients that it could not take.
    fn denied(&self) -> Option<Outcome> {
        let counted = self.counters?;
        let refused = |count: u64, of| Some(Outcome::RefusedByModel { count, of });
        if counted.refused_no_thread > 0 {
            let errno = counted.spawn_errno.unwrap_or(Errno::EAGAIN as i32);
            return Some(Outcome::SpawnFailed { errno, cgroup: denied_by(self.server.events) });
        }
        if counted.refused_no_mappings > 0 {
            return refused(counted.refused_no_mappings, Some(Limit::MaxMapCount));
        }
        if counted.refused_number > 0 {
            return refused(counted.refused_number, Some(Limit::FdSetsize));
        }
        if counted.refused_no_watch > 0 {
            return refused(counted.refused_no_watch, Some(Limit::EpollWatches));
        }
        if counted.refused > 0 {
            return refused(counted.refused, None);
        }
        // A server may stumble over its limit after the clients have begun to leave; what counts is
        // whether one of them was left without an answer.
        let short = counted.accepts_without_room > 0 && self.served() < self.clients;
        short.then(|| no_room(&self.server.words))
    }

    /// What the clients say.
    fn heard(&self) -> Outcome {
        let Load::Found(summary) = self.load else {
            return Outcome::TimedOut { clients: self.clients };
        };
        let (errors, requests) = (&summary.errors, &summary.requests);
        let wrong = errors.mismatch + errors.status + requests.unasked;
        let lost = errors.reset + errors.closed + errors.read + errors.write;
        if wrong + lost > 0 {
            return Outcome::Broken { clients: wrong + lost };
        }
        let of = &summary.connections;
        let least = of.established.min(of.served).min(requests.answered);
        if least < self.clients || errors.total() > 0 || of.abandoned > 0 {
            return Outcome::TimedOut { clients: self.clients.saturating_sub(least).max(1) };
        }
        self.objective.and_then(|objective| missed(objective, summary)).unwrap_or(Outcome::Served)
    }
}

fn died(server: &Ended) -> Option<Outcome> {
    if server.status.success() {
        return None;
    }
    let killed = server.status.signal() == Some(Signal::SIGKILL as i32);
    if killed && server.events.oom_kills > 0 {
        return Some(Outcome::Memory { how: Shortage::Killed });
    }
    let how = format!("{}: {}", ending(server.status), server.words);
    Some(Outcome::ServerDied { how: how.trim_end_matches(": ").to_owned() })
}

const fn denied_by(events: Events) -> Denied {
    if events.forks_denied > 0 { Denied::ByCgroup } else { Denied::Otherwise }
}

/// An accept that found no room says which on standard error: `(os error 24)`.
fn no_room(words: &str) -> Outcome {
    let number = words.rsplit("os error ").next().and_then(|rest| rest.split(')').next());
    let errno = number.and_then(|number| number.parse().ok()).map(Errno::from_raw);
    match errno {
        Some(Errno::ENOMEM | Errno::ENOBUFS) => Outcome::Memory { how: Shortage::Denied },
        Some(errno) => Outcome::DescriptorLimit { errno: errno as i32 },
        None => Outcome::DescriptorLimit { errno: Errno::EMFILE as i32 },
    }
}

/// The first condition that the response times miss. What the sample is too small for is not
/// missed.
fn missed(objective: &Objective, summary: &Summary) -> Option<Outcome> {
    objective.conditions().iter().find_map(|condition| {
        let Condition::Latency { percent, .. } = condition else { return None };
        let found = summary.latency.at(*percent)?;
        (found > condition.longest_ns()?).then(|| Outcome::LatencyObjective {
            percent: format!("p{percent}"),
            microseconds: found / 1_000,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use loadgen::report::{Connections, Errors, Latency, Percentile, Requests};

    use super::*;

    /// A wait status: an exit code in the second octet, a signal in the first (wait(2)).
    fn ended(status: i32, words: &str) -> Ended {
        let status = ExitStatus::from_raw(status);
        Ended { status, output: String::new(), words: words.into(), events: Events::default() }
    }

    fn summary(asked: u64, served: u64, errors: Errors) -> Summary {
        Summary {
            connections: Connections {
                asked,
                established: asked,
                served,
                ..Connections::default()
            },
            requests: Requests { sent: asked, answered: served, ..Requests::default() },
            errors,
            ..Summary::default()
        }
    }

    fn outcome(found: &Summary, counters: Counters, server: &Ended) -> Outcome {
        let (clients, counters) = (found.connections.asked, Some(counters));
        let load = &Load::Found(Box::new(found.clone()));
        Evidence { clients, load, counters, server, objective: None }.outcome()
    }

    #[test]
    fn all_served_is_served_also_when_the_server_stumbled_afterwards() {
        let found = summary(9, 9, Errors::default());
        assert_eq!(outcome(&found, Counters::default(), &ended(0, "")), Outcome::Served);
        let stumbled = Counters { accepts_without_room: 1, ..Counters::default() };
        assert_eq!(outcome(&found, stumbled, &ended(0, "")), Outcome::Served);
    }

    #[test]
    fn one_client_less_is_not_served() {
        for missing in [
            summary(9, 8, Errors::default()),
            summary(9, 9, Errors { timeout: 1, ..Errors::default() }),
        ] {
            let found = outcome(&missing, Counters::default(), &ended(0, ""));
            assert_eq!(found, Outcome::TimedOut { clients: 1 });
        }
    }

    #[test]
    fn what_the_server_counted_says_why() {
        let found = summary(9, 5, Errors { closed: 4, ..Errors::default() });
        let why = |counters| outcome(&found, counters, &ended(0, ""));
        let of = |of| Outcome::RefusedByModel { count: 4, of };
        let base = Counters { refused: 4, ..Counters::default() };
        assert_eq!(why(base), of(None));
        assert_eq!(why(Counters { refused_number: 4, ..base }), of(Some(Limit::FdSetsize)));
        assert_eq!(why(Counters { refused_no_mappings: 4, ..base }), of(Some(Limit::MaxMapCount)));
        let spawn = Counters { refused_no_thread: 4, spawn_errno: Some(12), ..base };
        let cgroup = Denied::Otherwise;
        assert_eq!(why(spawn), Outcome::SpawnFailed { errno: 12, cgroup });
        assert_eq!(why(Counters::default()), Outcome::Broken { clients: 4 });
    }

    #[test]
    fn an_accept_without_room_is_told_by_its_errno() {
        let found = summary(9, 5, Errors { timeout: 4, ..Errors::default() });
        let counted = Counters { accepts_without_room: 7, ..Counters::default() };
        let why = |words| outcome(&found, counted, &ended(0, words));
        let files = "cannot accept for now: Too many open files";
        let table = format!("{files} (os error 24)");
        let host = format!("{files} in system (os error 23)");
        assert_eq!(why(&table), Outcome::DescriptorLimit { errno: 24 });
        assert_eq!(why(&host), Outcome::DescriptorLimit { errno: 23 });
        let memory = Outcome::Memory { how: Shortage::Denied };
        assert_eq!(why("Cannot allocate memory (os error 12)"), memory);
    }

    #[test]
    fn a_server_that_died_is_no_time_out() {
        let found = summary(9, 5, Errors { reset: 4, ..Errors::default() });
        let died = outcome(&found, Counters::default(), &ended(6, "thread panicked"));
        assert!(died.explanation().contains("SIGABRT"), "{}", died.explanation());
        let mut server = ended(9, "");
        assert!(matches!(
            outcome(&found, Counters::default(), &server),
            Outcome::ServerDied { .. }
        ));
        server.events.oom_kills = 1;
        let killed = Outcome::Memory { how: Shortage::Killed };
        assert_eq!(outcome(&found, Counters::default(), &server), killed);
    }

    #[test]
    fn the_limit_of_the_load_generator_is_not_the_models() {
        let (server, unfit) = (&ended(0, ""), ended(4 << 8, "needs 70000 descriptors"));
        let (load, counters) = (&Load::Failed(unfit), Some(Counters::default()));
        let evidence = Evidence { clients: 9, load, counters, server, objective: None };
        let Outcome::GeneratorLimit { what } = evidence.outcome() else { panic!("{evidence:?}") };
        assert!(what.contains("status 4: needs 70000"), "{what}");
    }

    #[test]
    fn an_objective_is_missed_by_its_percentile() {
        let percentile =
            Percentile { percent: 99.0, value_ns: Some(6_000_000), ..Percentile::default() };
        let latency = Latency { percentiles: vec![percentile], ..Latency::default() };
        let found = Summary { latency, ..summary(9, 9, Errors::default()) };
        let (load, server) = (&Load::Found(Box::new(found)), &ended(0, ""));
        let outcome = |objective: &str| {
            let objective = Some(&objective.parse().unwrap());
            Evidence { clients: 9, load, counters: None, server, objective }.outcome()
        };
        assert_eq!(outcome("p99<7ms"), Outcome::Served);
        let missed = Outcome::LatencyObjective { percent: "p99".into(), microseconds: 6_000 };
        assert_eq!(outcome("p99<=5ms"), missed);
        assert_eq!(outcome("p50<1ms"), Outcome::Served, "no such percentile in a small sample");
    }
}
