//! Who shares a descriptor table, and how many clients there is room for.
//!
//! RLIMIT_NOFILE (getrlimit(2)) limits a descriptor table. The threads of a process usually share one,
//! and so the process has as many clients as one table holds. But a thread may leave for a table of its
//! own (unshare(2), CLONE_FILES), and the limit then holds for each of them: 56 workers with 20,000
//! descriptors each have room for a million clients, where nobody may raise the limit.
//!
//! In tables that have parted, one number means two things. So a descriptor that a worker opens is
//! used and closed by that worker alone, and what all of them use is opened before they part: the
//! wakers, the keeper, the directory of files.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use anyhow::bail;
use clap::ValueEnum;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The most workers that the command line takes.
pub const WORKERS_MAX: u16 = 1024;
/// What a table holds beside clients and wakers: three standard streams, the keeper's three, a
/// listener, an epoll, a directory; and some that whoever started us has left open.
const SPARE: u64 = 16;
/// How many standard deviations above its mean share a worker must have room for.
const DEVIATIONS: u64 = 5;

/// Who shares a descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Descriptors {
    /// All workers
    Shared,
    /// Nobody: each worker has one of its own. For models whose workers accept for themselves
    Own,
}

/// Takes as many descriptors as we may have without asking anybody; says how many a table holds.
pub fn raise_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    // If it fails, the limit stays as it is; clients beyond it wait until there is room.
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard)
}

/// Gives the calling thread a descriptor table of its own, a copy of the one that it had (unshare(2)).
///
/// `mine` and `others` are descriptors of which each worker needs only one. Their owners stay behind,
/// in the table that the thread leaves. In the new one the others are closed, and `mine` is returned,
/// as the caller's.
///
/// # Errors
/// When the kernel, or a seccomp filter, refuses to part the tables.
pub fn part(mine: RawFd, others: &[RawFd]) -> io::Result<OwnedFd> {
    unshare(CloneFlags::CLONE_FILES).map_err(|errno| {
        let error = io::Error::from(errno);
        let words = format!("no descriptor table of its own for a worker (unshare(2)): {error}");
        io::Error::new(error.kind(), words)
    })?;
    for &other in others {
        // SAFETY: this thread's table is a fresh copy, in which nobody owns the number yet.
        drop(unsafe { OwnedFd::from_raw_fd(other) });
    }
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(mine) })
}

/// How many descriptors a server has.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How many a table holds.
    pub table: u64,
    /// Who shares a table.
    pub descriptors: Descriptors,
    /// How many workers there are.
    pub workers: usize,
}

impl Room {
    /// Whether there is room for `clients` at once.
    ///
    /// # Errors
    /// When there is not: with the arithmetic, and with what to change.
    pub fn check(self, clients: u64) -> anyhow::Result<()> {
        let need = self.need(clients);
        if need <= self.table {
            return Ok(());
        }
        let Self { table, workers, .. } = self;
        let whose = match self.descriptors {
            Descriptors::Shared => "they all share one".into(),
            Descriptors::Own => format!("the fullest of {workers} workers may get so many"),
        };
        let more = (1..=WORKERS_MAX).find(|&workers| {
            let apart = Self { descriptors: Descriptors::Own, workers: workers.into(), ..self };
            apart.need(clients) <= table
        });
        let apart = more.map_or(String::new(), |workers| {
            format!(", or take --model reactors --descriptors own --workers {workers}")
        });
        bail!(
            "{clients} clients at once need a table of {need} descriptors ({whose}), and the hard \
             limit is {table}: raise that (prlimit --nofile={need} -- servers ..., as root){apart}"
        )
    }

    /// How many descriptors the fullest table must hold for so many clients.
    ///
    /// SO_REUSEPORT deals clients out by a hash of their addresses, that is, by chance: a worker's share
    /// is binomial, its variance not above its mean.
    fn need(self, clients: u64) -> u64 {
        let workers = self.workers as u64;
        match self.descriptors {
            Descriptors::Shared => clients + 3 * workers + SPARE,
            Descriptors::Own => {
                let share = clients.div_ceil(workers);
                let chance = if workers > 1 { DEVIATIONS * (share.isqrt() + 1) } else { 0 };
                share + chance + workers + SPARE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 20_000;

    fn check(descriptors: Descriptors, workers: usize, clients: u64) -> Result<(), String> {
        let room = Room { table: LIMIT, descriptors, workers };
        room.check(clients).map_err(|error| error.to_string())
    }

    #[test]
    fn a_shared_table_holds_no_more_however_many_workers_there_are() {
        assert_eq!(check(Descriptors::Shared, 2, 19_900), Ok(()));
        let words = check(Descriptors::Shared, 56, 20_000).unwrap_err();
        assert!(words.contains("20184 descriptors") && words.contains("share"), "{words}");
        assert!(words.contains("--descriptors own --workers 2"), "{words}");
    }

    #[test]
    fn as_many_workers_are_asked_for_as_are_enough() {
        let words = check(Descriptors::Own, 50, 1_000_000).unwrap_err();
        let asked = words.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(check(Descriptors::Own, asked, 1_000_000), Ok(()), "{words}");
        assert!(check(Descriptors::Own, asked - 1, 1_000_000).is_err(), "{words}");
    }

    #[test]
    fn what_no_number_of_workers_can_hold_needs_another_limit() {
        let words = check(Descriptors::Own, 2, u64::from(u32::MAX)).unwrap_err();
        assert!(words.contains("prlimit") && !words.contains("--workers"), "{words}");
    }
}
