//! What a sub-command of the servers has on offer, such as its pollers, and what is chosen of it.

use std::time::Duration;

use anyhow::Result;

use crate::fault::usage;
use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;

/// How long the servers may take to tell.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names, in the order in which the servers tell them.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What one of them is, for people.
    what: &'static str,
    names: Vec<String>,
}

impl Offer {
    /// What `servers COMMAND --list` tells.
    ///
    /// # Errors
    /// When the servers do not tell.
    pub fn of(binaries: &Binaries, command: &str, what: &'static str) -> Result<Self> {
        let line = [command, "--list"].map(ToOwned::to_owned);
        let cpus = Pinning::of_this_host()?.server;
        let text = Child::start(&binaries.servers, &line, &cpus)?.finish(PATIENCE)?;
        Ok(Self { what, names: text.lines().map(ToOwned::to_owned).collect() })
    }

    /// Those that are asked for; all, if none is.
    ///
    /// # Errors
    /// A usage error with the names when one is not on offer.
    pub fn chosen(self, asked: &[String]) -> Result<Vec<String>> {
        let Self { what, names } = self;
        if let Some(unknown) = asked.iter().find(|name| !names.contains(name)) {
            return usage(format!("no {what} {unknown}; there are {}", names.join(", ")));
        }
        if asked.is_empty() {
            return Ok(names);
        }
        Ok(names.into_iter().filter(|name| asked.contains(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_order_of_the_offer_and_unknown_ones_are_answered_with_all() {
        let names = ["select", "poll", "epoll-edge"].map(String::from).to_vec();
        let offer = || Offer { what: "poller", names: names.clone() };
        let asked = ["epoll-edge", "select"].map(String::from);
        assert_eq!(offer().chosen(&asked).unwrap(), ["select", "epoll-edge"]);
        assert_eq!(offer().chosen(&[]).unwrap(), names);
        let words = offer().chosen(&["kqueue".into()]).unwrap_err().to_string();
        assert_eq!(words, "no poller kqueue; there are select, poll, epoll-edge");
    }
}
