//! The limits on threads, raised for a run and put back after it.
//!
//! A thread takes a number for itself and mappings for its stacks, and the defaults of the kernel
//! have room for some ten thousand of them. A run that asks for more clients than that raises the
//! limits as far as those clients need, under a guard that puts them back however the run ends.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::experiment::Cell;
use crate::restraint::{Hold, Restraint, Sysctl};

/// How long another run that has changed the host is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Mappings of a thread: two stacks, each with a guard page.
const MAPPINGS: u64 = 4;

/// What is left for everything else, of each kind.
const SPARE: u64 = 4_096;

/// Raises what is too low for the clients of these cells; `None` when nothing is.
///
/// # Errors
/// When this process may not, or another run goes on for too long.
pub(super) fn hold(cells: &[&Cell]) -> Result<Option<Hold>> {
    let clients = cells.iter().map(|cell| cell.connections + cell.idle).max().unwrap_or(0);
    let host = raised(clients, |sysctl| sysctl.value().ok());
    if host.is_empty() {
        return Ok(None);
    }
    let program = env::current_exe().context("finding the running program")?;
    let restraint = Restraint { host, ..Restraint::default() };
    Hold::take(&restraint, &program, PATIENCE).map(Some)
}

/// What has to be raised for a thread for each client, and to what.
fn raised(clients: u64, now: impl Fn(Sysctl) -> Option<u64>) -> BTreeMap<Sysctl, u64> {
    let need = [
        (Sysctl::MaxMapCount, clients * MAPPINGS + SPARE),
        (Sysctl::PidMax, clients + SPARE),
        (Sysctl::ThreadsMax, clients + SPARE),
    ];
    let low = |(sysctl, need): &(Sysctl, u64)| now(*sysctl).is_some_and(|now| now < *need);
    need.into_iter().filter(low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_low_is_raised_and_only_as_far_as_needed() {
        let now = |sysctl| match sysctl {
            Sysctl::MaxMapCount => Some(65_530),
            Sysctl::PidMax => Some(32_768),
            _ => Some(192_730),
        };
        assert!(raised(5_000, now).is_empty(), "there is room for so many");
        let all: Vec<_> = raised(35_000, now).into_iter().collect();
        assert_eq!(all, [(Sysctl::MaxMapCount, 144_096), (Sysctl::PidMax, 39_096)]);
    }
}
