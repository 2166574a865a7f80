//! What came out of a step: every client was served, or what stopped it, in words.

use nix::errno::Errno;

use super::host::Limit;
use crate::report::number;

/// What came out of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every client had its correct answer while all of them were connected.
    Served,
    /// The model turned clients away, before the host had to.
    RefusedByModel {
        /// How often.
        count: u64,
        /// What it ran out of, where it counts that.
        of: Option<Limit>,
    },
    /// The kernel made no thread for a client.
    SpawnFailed {
        /// Why, as pthread_create(3) said it.
        errno: i32,
        /// Whether it was the `pids` cgroup that denied it.
        cgroup: Denied,
    },
    /// There was no descriptor for a client, who waits in the accept queue.
    DescriptorLimit {
        /// EMFILE for the table, ENFILE for the host (accept(2)).
        errno: i32,
    },
    /// Memory ran out.
    Memory {
        /// Whether the kernel ended the server, or denied it something.
        how: Shortage,
    },
    /// Clients had no answer in time.
    TimedOut {
        /// How many.
        clients: u64,
    },
    /// All were answered, but not as soon as the objective asks for.
    LatencyObjective {
        /// The percentile that missed it.
        percent: String,
        /// Its value in microseconds.
        microseconds: u64,
    },
    /// Clients had a wrong answer, or lost their connection.
    Broken {
        /// How many.
        clients: u64,
    },
    /// The server ended.
    ServerDied {
        /// How, and its last words.
        how: String,
    },
    /// The server did not start.
    NotStarted {
        /// Its words.
        why: String,
    },
    /// The load generator or the host it runs on was the limit. Says nothing about the model.
    GeneratorLimit {
        /// What it was short of.
        what: String,
    },
}

/// Whether a cgroup denied a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Its counter says so.
    ByCgroup,
    /// Something else did, or nobody counts.
    Otherwise,
}

/// How memory ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The kernel ended the server to keep its memory cgroup within its limit.
    Killed,
    /// A system call said ENOMEM or ENOBUFS.
    Denied,
}

impl Outcome {
    /// Whether the model served that many.
    #[must_use]
    pub fn served(&self) -> bool {
        *self == Self::Served
    }

    /// Whether a busy moment of the host could have done the same, so that it takes a second look.
    #[must_use]
    pub fn may_be_chance(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Broken { .. } | Self::LatencyObjective { .. })
    }

    /// Its name in tables.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::RefusedByModel { .. } => "refused by the model",
            Self::SpawnFailed { .. } => "no thread",
            Self::DescriptorLimit { .. } => "no descriptor",
            Self::Memory { .. } => "no memory",
            Self::TimedOut { .. } => "timed out",
            Self::LatencyObjective { .. } => "too slow",
            Self::Broken { .. } => "broken",
            Self::ServerDied { .. } => "server died",
            Self::NotStarted { .. } => "did not start",
            Self::GeneratorLimit { .. } => "load generator",
        }
    }

    /// What happened, in one sentence.
    #[must_use]
    pub fn explanation(&self) -> String {
        match self {
            Self::Served => "each client had its answer while all were connected".into(),
            Self::RefusedByModel { count, of } => {
                let often = if *count == 1 { "once".into() } else { format!("{count} times") };
                format!("the server turned clients away {often}: {}", lack(*of))
            }
            Self::SpawnFailed { errno, cgroup } => no_thread(*errno, *cgroup),
            Self::DescriptorLimit { errno } => no_descriptor(*errno),
            Self::Memory { how: Shortage::Killed } => {
                "the kernel ended the server to keep its memory cgroup within its limit".into()
            }
            Self::Memory { how: Shortage::Denied } => {
                "accept(2) found no memory for a client; it waits in the accept queue".into()
            }
            Self::TimedOut { clients } => {
                format!("{} had no answer in time", number_of(*clients))
            }
            Self::LatencyObjective { percent, microseconds } => {
                format!("{percent} was {}", number::time(*microseconds as f64))
            }
            Self::Broken { clients } => {
                format!("{} had a wrong answer or lost the connection", number_of(*clients))
            }
            Self::ServerDied { how } => format!("the server {how}"),
            Self::NotStarted { why } => why.clone(),
            Self::GeneratorLimit { what } => {
                format!("not the model but the load generator stopped here: {what}")
            }
        }
    }
}

fn number_of(clients: u64) -> String {
    let plural = if clients == 1 { "" } else { "s" };
    format!("{} client{plural}", number::grouped(clients as f64))
}

fn lack(of: Option<Limit>) -> &'static str {
    match of {
        Some(Limit::MaxMapCount) => "vm.max_map_count leaves no mappings for another thread",
        Some(Limit::FdSetsize) => {
            "their descriptors have numbers that an fd_set does not hold (FD_SETSIZE)"
        }
        Some(Limit::EpollWatches) => "the kernel did not take their descriptors to watch",
        _ => "it does not say why",
    }
}

fn no_thread(errno: i32, cgroup: Denied) -> String {
    let name = Errno::from_raw(errno);
    let who = match (cgroup, name) {
        (Denied::ByCgroup, _) => "pids.max of its cgroup is reached",
        (_, Errno::EAGAIN) => {
            "RLIMIT_NPROC, kernel.threads-max or kernel.pid_max is reached, or vm.max_map_count"
        }
        (_, Errno::ENOMEM) => "no memory for its stack",
        _ => "see pthread_create(3)",
    };
    format!("no thread for a client, who is turned away: {name:?}, {who}")
}

fn no_descriptor(errno: i32) -> String {
    let whose = match Errno::from_raw(errno) {
        Errno::ENFILE => "the host's (ENFILE, fs.file-max)",
        _ => "the table's (EMFILE, RLIMIT_NOFILE)",
    };
    format!("no descriptor for a client, who waits in the accept queue: the limit is {whose}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_kernel_is_named_with_the_limits_that_make_it() {
        let spawn = |errno: Errno, cgroup| {
            Outcome::SpawnFailed { errno: errno as i32, cgroup }.explanation()
        };
        assert!(spawn(Errno::EAGAIN, Denied::Otherwise).contains("EAGAIN, RLIMIT_NPROC"));
        assert!(spawn(Errno::EAGAIN, Denied::ByCgroup).contains("EAGAIN, pids.max"));
        assert!(spawn(Errno::ENOMEM, Denied::Otherwise).contains("ENOMEM, no memory"));
        let table = |errno: Errno| Outcome::DescriptorLimit { errno: errno as i32 }.explanation();
        assert!(table(Errno::EMFILE).contains("RLIMIT_NOFILE"));
        assert!(table(Errno::ENFILE).contains("fs.file-max"));
    }
}
