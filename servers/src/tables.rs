//! How many descriptor tables a server has, and for how many clients they have room.
//!
//! RLIMIT_NOFILE (getrlimit(2)) limits a descriptor table. The threads of a process usually share
//! one, and so the process has as many clients as one table holds. But a thread may leave for a
//! table of its own (unshare(2), CLONE_FILES), and the limit then holds for each: 56 tables of
//! 20,000 descriptors have room for a million clients, where nobody may raise the limit.
//!
//! Each table belongs to a copy of the whole model (see [`crate::copies`]): a table more is a copy
//! more, for every model alike.

use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::str::FromStr;
use std::thread::{self, Builder};

use anyhow::bail;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::models::{AtOnce, Model};

/// The most tables that a server has.
pub const TABLES_MAX: u16 = 1024;
/// What a table holds beside its clients and what the workers open: three standard streams, six
/// descriptors of two keepers, a directory; and some that whoever started us has left open.
const SPARE: u64 = 16;
/// What a worker opens: a listener, a waker, an epoll; and, before backends, one in reserve.
const PER_WORKER: u64 = 4;
/// How many standard deviations above its mean share a table must have room for.
const DEVIATIONS: u64 = 5;

/// How many tables somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// So many.
    Number(u16),
    /// As many as the clients need.
    Auto,
}

impl FromStr for Tables {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number @ 1..=TABLES_MAX) => Ok(Self::Number(number)),
            _ if text == "auto" => Ok(Self::Auto),
            _ => Err(format!("a number from 1 to {TABLES_MAX}, or `auto`")),
        }
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Auto => out.write_str("auto"),
        }
    }
}

/// Takes as many descriptors as we may have without asking anybody; says how many a table holds.
pub fn raise_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    // If it fails, the limit stays as it is; clients beyond it wait until there is room.
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard)
}

/// Gives the calling thread a descriptor table of its own, a copy of the one that it had
/// (unshare(2)). `mine` are descriptors that it alone needs: they are returned, as the caller's.
/// Their owners stay behind, in the table that the thread leaves.
///
/// # Errors
/// When the kernel, or a seccomp filter, refuses to part the tables.
pub fn part(mine: &[RawFd]) -> io::Result<Vec<OwnedFd>> {
    unshare(CloneFlags::CLONE_FILES).map_err(|errno| refused(&errno.into()))?;
    // SAFETY: this thread's table is a fresh copy, in which nobody owns the number yet.
    Ok(mine.iter().map(|&fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect())
}

/// The same, with nothing else in the new table but the standard streams and `common`, which is
/// used in the other table as well. A connection that was open by chance would stay open here when
/// its owner closes it there, and its peer would wait for the end.
///
/// # Errors
/// As above; close_range(2) takes Linux 5.9.
pub fn part_with_only(mine: &[RawFd], common: &[RawFd]) -> io::Result<Vec<OwnedFd>> {
    let own = part(mine)?;
    close_all_but(&[mine, common].concat()).map_err(|error| refused(&error))?;
    Ok(own)
}

fn refused(error: &io::Error) -> io::Error {
    let words = format!("no descriptor table of its own for a copy (unshare(2)): {error}");
    io::Error::new(error.kind(), words)
}

/// Closes all descriptors of this thread's table but these and the standard streams.
fn close_all_but(kept: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|&fd| fd.try_into().ok()).collect();
    kept.push(libc::STDERR_FILENO.unsigned_abs());
    kept.sort_unstable();
    let ends = kept.iter().skip(1).map(|&next| next.wrapping_sub(1)).chain([u32::MAX]);
    for (&before, last) in kept.iter().zip(ends) {
        if before < last {
            close_range(before + 1, last)?;
        }
    }
    Ok(())
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: these are numbers of a table that nobody but this thread has, and which it has not
    // used.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether a thread may leave for a table of its own here: one tries.
#[must_use]
pub fn may_part() -> bool {
    thread::scope(|scope| {
        let parts = || part_with_only(&[], &[]).is_ok();
        let trial = Builder::new().spawn_scoped(scope, parts);
        trial.is_ok_and(|trial| trial.join().unwrap_or(false))
    })
}

/// For how many clients a server has descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How many descriptors a table holds that the model can use.
    table: u64,
    /// What stops at that: the limit of the process, or of the model.
    bound: Bound,
    /// How many tables there are.
    tables: u16,
    /// How many workers there are in each.
    workers: usize,
    /// How many descriptors a client takes, at most.
    each: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Process,
    Model,
}

impl Room {
    /// The room of `model` with so many tables of so many descriptors, and so many workers in each,
    /// for clients that take one descriptor.
    #[must_use]
    pub fn new(model: &Model, limit: u64, tables: u16, workers: usize) -> Self {
        let (table, bound) = match model.at_once {
            AtOnce::Descriptors(ceiling) if u64::from(ceiling.unsigned_abs()) < limit => {
                (ceiling.unsigned_abs().into(), Bound::Model)
            }
            _ => (limit, Bound::Process),
        };
        Self { table, bound, tables, workers, each: 1 }
    }

    /// The room for clients of which each takes up to so many descriptors.
    #[must_use]
    pub fn where_each_takes(self, descriptors: u64) -> Self {
        Self { each: descriptors, ..self }
    }

    /// The fewest tables, not fewer than it has, with which there is room for `clients`.
    #[must_use]
    pub fn enough(self, clients: u64) -> Option<u16> {
        (self.tables..=TABLES_MAX)
            .find(|&tables| Self { tables, ..self }.need(clients) <= self.table)
    }

    /// Whether there is room for `clients` at once.
    ///
    /// # Errors
    /// When there is not: with the arithmetic, and with what to change.
    pub fn check(self, clients: u64) -> anyhow::Result<()> {
        let need = self.need(clients);
        if need <= self.table {
            return Ok(());
        }
        let Self { table, tables, .. } = self;
        let whose = match tables {
            1 => "there is one for all".into(),
            _ => format!("the fullest of {tables} may get so many"),
        };
        let holds = match self.bound {
            Bound::Process => format!("the hard limit is {table}"),
            Bound::Model => format!("the model holds numbers below {table} (FD_SETSIZE)"),
        };
        bail!(
            "{clients} clients at once need a table of {need} descriptors ({whose}), and {holds}: \
             {}",
            self.way_out(clients, need)
        )
    }

    fn way_out(self, clients: u64, need: u64) -> String {
        let raise = match self.bound {
            Bound::Process => {
                format!("raise that (prlimit --nofile={need} -- servers ..., as root)")
            }
            Bound::Model => "take another model, such as select-wide".into(),
        };
        match self.enough(clients) {
            Some(tables) => format!("{raise}, or take --tables {tables}"),
            None => raise,
        }
    }

    /// How many descriptors the fullest table must hold for so many clients.
    ///
    /// SO_REUSEPORT deals clients out by a hash of their addresses, that is, by chance: a table's
    /// share is binomial, its variance not above its mean.
    fn need(self, clients: u64) -> u64 {
        let share = clients.div_ceil(self.tables.into());
        let chance = if self.tables > 1 { DEVIATIONS * (share.isqrt() + 1) } else { 0 };
        (share + chance) * self.each + PER_WORKER * self.workers as u64 + SPARE
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::models::model;

    const LIMIT: u64 = 20_000;

    fn room(name: &str, tables: u16) -> Room {
        Room::new(model(name).unwrap(), LIMIT, tables, 1)
    }

    fn check(name: &str, tables: u16, clients: u64) -> Result<(), String> {
        room(name, tables).check(clients).map_err(|error| error.to_string())
    }

    #[test]
    fn a_connection_that_nobody_named_does_not_stay_open_in_the_new_table() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (kept, mut other_end) = UnixStream::pair().unwrap();
        let (say, said) = channel();
        thread::scope(|scope| {
            let (say, kept) = (say, kept.as_raw_fd());
            let (end, over) = channel::<()>();
            scope.spawn(move || {
                let mine = part_with_only(&[kept], &[]).unwrap();
                let _ = say.send(());
                let _ = over.recv();
                drop(mine);
            });
            said.recv().unwrap();
            drop(near);
            assert_eq!(far.read(&mut [0]).unwrap(), 0, "its owner has closed it");
            other_end.set_nonblocking(true).unwrap();
            assert!(other_end.read(&mut [0]).is_err(), "that one is still open");
            drop(end);
        });
    }

    #[test]
    fn one_table_holds_as_many_as_the_limit_says() {
        assert_eq!(check("poll", 1, 19_900), Ok(()));
        let words = check("poll", 1, 20_000).unwrap_err();
        assert!(words.contains("20020 descriptors") && words.contains("prlimit"), "{words}");
        assert!(words.ends_with("--tables 2"), "{words}");
    }

    #[test]
    fn a_client_of_a_proxy_has_a_connection_to_a_backend_too() {
        let check = |clients| room("poll", 1).where_each_takes(2).check(clients);
        assert!(check(9_990).is_ok());
        let words = check(10_000).unwrap_err().to_string();
        assert!(words.contains("20020 descriptors") && words.ends_with("--tables 2"), "{words}");
    }

    #[test]
    fn as_many_tables_are_asked_for_as_are_enough() {
        let words = check("reactors", 50, 1_000_000).unwrap_err();
        let asked = words.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(check("reactors", asked, 1_000_000), Ok(()), "{words}");
        assert!(check("reactors", asked - 1, 1_000_000).is_err(), "{words}");
        assert_eq!(room("reactors", 1).enough(1_000_000), Some(asked));
    }

    #[test]
    fn what_a_model_cannot_hold_no_limit_of_the_process_helps() {
        let words = check("select", 1, 2_000).unwrap_err();
        assert!(words.contains("FD_SETSIZE") && words.contains("--tables 3"), "{words}");
        assert!(!words.contains("prlimit"), "{words}");
    }

    #[test]
    fn what_no_number_of_tables_can_hold_needs_another_limit() {
        let words = check("poll", 2, u64::from(u32::MAX)).unwrap_err();
        assert!(words.contains("prlimit") && !words.contains("--tables"), "{words}");
    }

    #[test]
    fn a_number_of_tables_is_a_number_or_a_word() {
        assert_eq!("7".parse(), Ok(Tables::Number(7)));
        assert_eq!("auto".parse(), Ok(Tables::Auto));
        assert!(["0", "1025", "many"].iter().all(|text| text.parse::<Tables>().is_err()));
    }
}
