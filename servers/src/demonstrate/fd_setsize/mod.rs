//! `servers demonstrate fd-setsize`: what programs do with a descriptor that an `fd_set` has no
//! room for.
//!
//! An `fd_set` holds the numbers below FD_SETSIZE, 1,024, and `FD_SET` stores a bit at any number.
//! What comes of one beyond depends on who checks; each way is gone in a process made for it, since
//! some of them end it. select(2), BUGS, has the words: the limit is the C library's, not the
//! kernel's.

mod child;
mod fortified;
mod libc_set;
mod nix_set;
mod report;
mod serving;
mod unchecked;

use std::io::{self, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, bail, ensure};
use nix::fcntl::{FcntlArg, fcntl};

use crate::cli::FdSetsize;
use crate::tables;
use report::Row;

/// A number that an `fd_set` has no room for, but two of them side by side have.
const BEYOND: RawFd = 1_500;
/// How many descriptors it takes: for so many clients, for what else we and a server have open, and
/// for what was left open to us.
const ROOM: u64 = serving::CLIENTS as u64 + 100;

/// One way of dealing with such a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its name; that of the model, where a server goes it.
    pub name: &'static str,
    /// Who goes it.
    summary: &'static str,
    deed: Deed,
}

impl Way {
    fn go(&self) -> anyhow::Result<Row> {
        let gone = match self.deed {
            Deed::Store(_) => child::store(self.name),
            Deed::Serve => serving::serve(self.name),
        };
        let (outcome, evidence) = gone.with_context(|| format!("cannot show {}", self.name))?;
        Ok(Row { way: self.name, summary: self.summary, outcome, evidence })
    }

    /// In a process that was made for it, and that it may end.
    fn alone(&self) -> anyhow::Result<String> {
        let Deed::Store(store) = self.deed else { bail!("a server is its own process") };
        child::without_core()?;
        store(beyond()?)
    }
}

/// What is done.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// One descriptor is put into a set; if the process lives on, it says what has become of it.
    Store(fn(OwnedFd) -> anyhow::Result<String>),
    /// A server of that model gets more clients than an `fd_set` has room for.
    Serve,
}

/// All ways, from the worst on.
pub const WAYS: &[Way] = &[
    unchecked::WAY,
    fortified::WAY,
    libc_set::WAY,
    nix_set::WAY,
    serving::SELECT,
    serving::SELECT_WIDE,
];

/// Goes all ways and says what came of them; or goes one, in this process.
///
/// # Errors
/// When the descriptor limit has no room for what is to be shown, when no process can be made, or
/// when `out` does not take the report.
pub fn run(out: &mut impl Write, asked: &FdSetsize) -> anyhow::Result<()> {
    let table = tables::raise_limit();
    ensure!(
        table >= ROOM,
        "it takes {ROOM} descriptors, and the hard limit is {table}: raise that (prlimit \
         --nofile={ROOM} -- servers demonstrate ..., as root)"
    );
    if let Some(way) = asked.way {
        return Ok(writeln!(out, "{}", way.alone()?)?);
    }
    let rows = WAYS.iter().map(Way::go).collect::<anyhow::Result<Vec<_>>>()?;
    report::write(out, asked.format, &rows)
}

/// An open descriptor that is not below [`BEYOND`].
fn beyond() -> anyhow::Result<OwnedFd> {
    let number = fcntl(io::stdin().as_fd(), FcntlArg::F_DUPFD_CLOEXEC(BEYOND));
    let number = number.with_context(|| format!("no descriptor from {BEYOND} on"))?;
    // SAFETY: fcntl has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_is_a_model() {
        for way in WAYS {
            let served = matches!(way.deed, Deed::Serve);
            assert_eq!(crate::models::model(way.name).is_some(), served, "{}", way.name);
        }
    }
}
