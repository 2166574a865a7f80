//! What everybody says in the end, and whether it fits together.

use serde::Deserialize;

use super::{Balancer, CAPACITY, Jobs};
use crate::packets::check::Checks;
use crate::packets::rate::Outcome;

/// What `servers packet jobs-server` ends with.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Worked {
    done: u64,
    most_at_once: u64,
    over_capacity: u64,
    abandoned: u64,
}

/// What a balancer ends with.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Balanced {
    pub(super) submitted: u64,
    pub(super) rejected: u64,
    done: u64,
}

/// What all of them say in the end.
pub(super) struct Account {
    pub(super) asked: u64,
    pub(super) balanced: Balanced,
    pub(super) worked: Vec<Worked>,
    pub(super) seconds: f64,
}

impl Account {
    fn done(&self) -> u64 {
        self.worked.iter().map(|worked| worked.done).sum()
    }

    fn most_at_once(&self) -> u64 {
        self.worked.iter().map(|worked| worked.most_at_once).max().unwrap_or(0)
    }

    pub(super) fn say(&self, checks: &mut Checks<'_>) {
        let accepted = self.balanced.submitted.saturating_sub(self.balanced.rejected);
        let over = self.worked.iter().map(|worked| worked.over_capacity).sum();
        let abandoned = self.worked.iter().map(|worked| worked.abandoned).sum();
        checks.same("jobs that servers did, of those accepted", accepted, self.done());
        checks.same("jobs that the balancer knows to be done", accepted, self.balanced.done);
        checks.at_most("most jobs at once on a server", CAPACITY, self.most_at_once());
        checks.same("jobs that came to a server without a free thread", 0, over);
        checks.same("jobs that servers gave up", 0, abandoned);
    }

    pub(super) fn row(&self, balancer: Balancer) -> Jobs {
        Jobs {
            balancer: balancer.name.to_owned(),
            outcome: Outcome::Ok,
            reason: String::new(),
            asked: self.asked,
            submitted: self.balanced.submitted,
            rejected: self.balanced.rejected,
            done: self.done(),
            most_at_once: self.most_at_once(),
            seconds: self.seconds,
        }
    }
}
