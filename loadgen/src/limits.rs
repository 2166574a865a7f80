//! What a run needs of the host, and whether the host lets it have it: asked before the first
//! socket is opened, with the arithmetic and the way out.
//!
//! A descriptor table holds no more than the hard limit of RLIMIT_NOFILE says, and only a process
//! with CAP_SYS_RESOURCE may raise that. But each thread can have a table of its own
//! (`unshare(CLONE_FILES)`, unshare(2)), so many threads hold what one can't.

use std::fs;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::failure::Failure;
use crate::memory;
use crate::plan::{Plan, Tables};

/// Descriptors besides the connections and one epoll instance a thread: the three standard streams,
/// and what reading /proc and writing the results takes at any one time.
const BESIDES: u64 = 9;

/// Kernel memory of a connection in octets, both ends: 8.4 kB with a million of them on Linux 6.18,
/// and some more for what is under way.
const KERNEL_OCTETS: u64 = 9 << 10;

/// How many threads hold so many connections, and whether in tables of their own, if the number of
/// threads may be chosen.
#[must_use]
pub fn threads_for(connections: usize, asked: Option<usize>) -> (usize, Tables) {
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, hard)| hard);
    divide(connections as u64, asked, hard)
}

fn divide(connections: u64, asked: Option<usize>, hard: u64) -> (usize, Tables) {
    let threads = asked.unwrap_or(1);
    if connections + threads as u64 + BESIDES <= hard {
        return (threads, Tables::Shared);
    }
    // One for the epoll instance, one since active and silent connections are dealt out apart.
    let room = hard.saturating_sub(BESIDES + 2).max(1);
    let needed = usize::try_from(connections.div_ceil(room)).unwrap_or(usize::MAX);
    match asked {
        None => (needed, Tables::Own),
        Some(asked) if asked >= needed => (asked, Tables::Own),
        Some(asked) => (asked, Tables::Shared),
    }
}

/// Asks for all that a plan needs: descriptors, open files, memory. Raises the limit on descriptors
/// as far as the plan needs, and not further.
///
/// # Errors
/// If one can't be had; says how much it is, how much there is, and what to do.
pub fn admit(plan: &Plan) -> Result<(), Failure> {
    admit_descriptors(plan)?;
    admit_files(plan, &fs::read_to_string("/proc/sys/fs/file-nr").unwrap_or_default())?;
    admit_memory(plan, memory::available())
}

fn admit_descriptors(plan: &Plan) -> Result<(), Failure> {
    let need = descriptors(plan);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| Failure::Unfit(format!("the limit on descriptors: {error}")))?;
    if need <= soft {
        return Ok(());
    }
    // Beyond the hard limit this takes CAP_SYS_RESOURCE, and ends at fs.nr_open (getrlimit(2)).
    setrlimit(Resource::RLIMIT_NOFILE, need, hard.max(need))
        .map_err(|error| Failure::Unfit(refusal(plan, need, hard, error)))
}

/// How many descriptors a plan needs in its fullest table.
#[must_use]
pub fn descriptors(plan: &Plan) -> u64 {
    let connections = plan.connections + plan.idle;
    match plan.tables {
        Tables::Shared => (connections + plan.threads) as u64 + BESIDES,
        Tables::Own => {
            let most = plan.connections.div_ceil(plan.threads) + plan.idle.div_ceil(plan.threads);
            (most + 1) as u64 + BESIDES
        }
    }
}

fn refusal(plan: &Plan, need: u64, hard: u64, error: Errno) -> String {
    let idle = if plan.idle > 0 { format!(" --idle {}", plan.idle) } else { String::new() };
    let (threads, _) = divide((plan.connections + plan.idle) as u64, None, hard);
    format!(
        "--connections {}{idle} needs {need} descriptors; the hard limit is {hard} (raise it with: \
         prlimit --pid $$ --nofile={need}:{need}, as root; {error}; or use --threads {threads}, \
         each with a descriptor table of its own)",
        plan.connections
    )
}

/// `file_nr` has the open files of the host, an old zero, and fs.file-max (proc_sys_fs(5)).
fn admit_files(plan: &Plan, file_nr: &str) -> Result<(), Failure> {
    let mut fields = file_nr.split_whitespace().map(|field| field.parse::<u64>().ok());
    let (Some(Some(open)), Some(_), Some(Some(most))) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Ok(());
    };
    let ends = ends(plan);
    let need = open.saturating_add((plan.connections + plan.idle) as u64 * ends);
    if need <= most {
        return Ok(());
    }
    Err(Failure::Unfit(format!(
        "{} connections need {need} open files on this host ({open} are open already, and {ends} \
         come with each connection); fs.file-max is {most} (raise it with: sysctl \
         fs.file-max={need})",
        plan.connections + plan.idle
    )))
}

fn admit_memory(plan: &Plan, available: Option<u64>) -> Result<(), Failure> {
    let connections = (plan.connections + plan.idle) as u64;
    let need = connections.saturating_mul(KERNEL_OCTETS) / 2 * ends(plan);
    match available {
        Some(available) if need > available => Err(Failure::Unfit(format!(
            "{connections} connections need some {} MiB of kernel memory; {} MiB are available \
             (use fewer, or free memory)",
            need >> 20,
            available >> 20
        ))),
        _ => Ok(()),
    }
}

/// How many ends of a connection are on this host, as far as the target's address tells.
fn ends(plan: &Plan) -> u64 {
    if plan.target.address.ip().is_loopback() { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan_of;

    fn plan(line: &str) -> Plan {
        plan_of(&format!("--target tcp://127.0.0.1:7 {line}")).expect("a plan")
    }

    #[test]
    fn counts_connections_threads_and_a_few_more() {
        let mut plan = plan("--connections 40000 --idle 5 --threads 2");
        plan.tables = Tables::Shared;
        assert_eq!(descriptors(&plan), 40_016);
        plan.tables = Tables::Own;
        assert_eq!(descriptors(&plan), 20_013);
    }

    #[test]
    fn threads_have_tables_of_their_own_where_one_is_too_small() {
        assert_eq!(divide(19_990, None, 20_000), (1, Tables::Shared));
        assert_eq!(divide(19_991, None, 20_000), (2, Tables::Own));
        assert_eq!(divide(1_000_000, None, 20_000), (51, Tables::Own));
        assert_eq!(divide(1_000_000, Some(60), 20_000), (60, Tables::Own));
        assert_eq!(divide(1_000_000, Some(50), 20_000), (50, Tables::Shared));
    }

    #[test]
    fn no_table_is_fuller_than_it_may_be() {
        for connections in [19_991, 39_980, 39_981, 100_000, 1_000_000] {
            let mut plan = plan(&format!("--connections {connections}"));
            (plan.threads, plan.tables) = divide(connections, None, 20_000);
            assert!(descriptors(&plan) <= 20_000, "{connections}: {}", descriptors(&plan));
        }
    }

    #[test]
    fn a_refusal_names_both_numbers_and_the_way_out() {
        let mut plan = plan("--connections 40000 --threads 1");
        plan.tables = Tables::Shared;
        let text = refusal(&plan, descriptors(&plan), 20_000, Errno::EPERM);
        let start = "--connections 40000 needs 40010 descriptors; the hard limit is 20000 (raise";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("--threads 3"), "{text}");
    }

    #[test]
    fn open_files_and_memory_are_counted_for_both_ends() {
        let plan = plan("--connections 1000");
        assert!(admit_files(&plan, "500 0 2500\n").is_ok());
        let failure = admit_files(&plan, "501 0 2500\n").expect_err("too few");
        assert!(failure.to_string().contains("sysctl fs.file-max=2501"), "{failure}");
        assert!(admit_memory(&plan, Some(11 << 20)).is_ok());
        assert_eq!(admit_memory(&plan, Some(8 << 20)).expect_err("too little").status(), 4);
    }
}
