//! Sends a request on to the replica whose turn it is, and to the next one when that does not answer.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rand::Rng;

use super::exchange::{Question, Reply};
use super::membership::View;

/// The ids that requests get, by chance: six digits.
const IDS: std::ops::RangeInclusive<u64> = 100_000..=999_999;

/// Which requests go to replicas, and how.
#[derive(Debug)]
pub(crate) struct Forward {
    /// Paths, and beginnings of paths that end with a slash.
    paths: Vec<String>,
    patience: Duration,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// No replica is in service.
    NobodyThere,
    /// None of those that were asked has answered in time.
    Silent,
}

impl Forward {
    pub(crate) const fn new(paths: Vec<String>, patience: Duration) -> Self {
        Self { paths, patience }
    }

    /// Whether requests for that path go to replicas.
    pub(crate) fn takes(&self, path: &str) -> bool {
        self.paths
            .iter()
            .any(|taken| path == taken || taken.ends_with('/') && path.starts_with(taken))
    }

    /// Asks the replica whose turn it is, and others in their order until one answers or the time is up.
    ///
    /// # Errors
    /// When none has answered.
    pub(crate) fn ask(&self, view: &View, target: &str) -> Result<Reply, Unanswered> {
        let deadline = Instant::now() + self.patience;
        let mut outcome = Err(Unanswered::NobodyThere);
        view.successors(rand::rng().random_range(IDS), &mut |address| {
            let left = deadline.saturating_duration_since(Instant::now());
            outcome = Question::get(target).ask(address, left).map_err(|_| Unanswered::Silent);
            let done = outcome.is_ok() || Instant::now() >= deadline;
            if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_is_or_by_its_beginning() {
        let forward = Forward::new(vec!["/home".into(), "/bytes/".into()], Duration::ZERO);
        assert!(["/home", "/bytes/", "/bytes/7"].into_iter().all(|path| forward.takes(path)));
        assert!(["/", "/home/", "/homes", "/bytes"].into_iter().all(|path| !forward.takes(path)));
    }
}
