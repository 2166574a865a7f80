//! For how many threads a process has mappings, measured before there are many.
//!
//! All limits of the kernel but one make the creation of a thread fail, which is an answer. The one
//! is vm.max_map_count: a thread begins with a stack, and only when it runs does the library map a
//! second one, for the handler that reports a stack overflow (sigaltstack(2)). If there is no room
//! for that, the library aborts the process. So the model that makes a thread for each client must
//! stop before.
//!
//! The others are looked at all the same when somebody says how many clients there will be.
//!
//! Each of the two stacks has a guard page, which is a mapping of its own: four in all. A process
//! that was started with SIGSEGV and SIGBUS ignored has no such handler, and its threads take two.
//! Other C libraries and kernels have other numbers; so they are counted here, not assumed.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, Scope};

use anyhow::bail;

/// Mappings left for everything else that is still to come: buffers, heaps, libraries.
const RESERVE: usize = 256;
/// What a thread takes where it cannot be counted.
const EACH: usize = 4;
/// The C library makes a heap, itself some mappings, for each new thread until there are so many
/// heaps for each CPU (mallopt(3), M_ARENA_MAX).
const HEAPS_PER_CPU: usize = 8;
/// Threads over which the mappings are averaged.
const SAMPLE: usize = 32;

/// The mappings of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mappings {
    /// vm.max_map_count.
    pub limit: usize,
    /// Taken when there are `threads`.
    pub taken: usize,
    /// Threads that there were when they were counted, and that are gone since.
    pub threads: usize,
    /// What one more thread takes.
    pub each: usize,
}

impl Mappings {
    /// Counts what threads with such a stack take.
    #[must_use]
    pub fn count(stack_octets: usize) -> Self {
        let (taken, threads, each) = sample(stack_octets).unwrap_or_else(|_| (count(), 0, EACH));
        let limit = sysctl("vm.max_map_count").unwrap_or(65_530);
        Self { limit, taken, threads, each: each.max(1) }
    }

    /// How many threads there is room for.
    #[must_use]
    pub fn room(self) -> usize {
        self.threads + self.limit.saturating_sub(self.taken + RESERVE) / self.each
    }

    /// Whether there is room for a thread for each of `clients`.
    ///
    /// # Errors
    /// When there is not, with the arithmetic and the way out.
    pub fn check(self, clients: usize) -> anyhow::Result<()> {
        let room = self.room();
        if clients <= room {
            return Ok(());
        }
        let Self { limit, each, .. } = self;
        let need = limit + (clients - room) * each;
        let fewer = if each < EACH { "" } else { WITHOUT_HANDLERS };
        bail!(
            "{clients} clients at once need a thread each, and vm.max_map_count, {limit}, leaves \
             room for {room}, at {each} mappings a thread: sysctl -w vm.max_map_count={need}{fewer}"
        )
    }
}

/// Limits on all threads of the host, which make the creation of one more fail.
const HOST_WIDE: [&str; 2] = ["kernel.threads-max", "kernel.pid_max"];

/// Whether the host has room for a thread for each of `clients` beside those that there are.
///
/// # Errors
/// When it has not, with the arithmetic and the way out.
pub fn check_host(clients: usize) -> anyhow::Result<()> {
    let alive = alive();
    HOST_WIDE.into_iter().try_for_each(|name| match sysctl(name) {
        Some(limit) if limit < clients + alive => bail!(
            "{clients} clients at once need a thread each, and {name}, {limit}, is for all threads \
             of the host, of which there are {alive}: sysctl -w {name}={}",
            clients + alive + SPARE
        ),
        _ => Ok(()),
    })
}

/// Threads that others may make meanwhile.
const SPARE: usize = 1_000;

/// All threads of the host (proc_loadavg(5), the fourth field).
fn alive() -> usize {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let field = text.split_whitespace().nth(3).and_then(|field| field.split_once('/'));
    field.and_then(|(_, all)| all.parse().ok()).unwrap_or(0)
}

fn sysctl(name: &str) -> Option<usize> {
    let path = Path::new("/proc/sys").join(name.replace('.', "/"));
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

const WITHOUT_HANDLERS: &str = ", or start it without handlers of stack overflow, which halves \
                                that (env --ignore-signal=SEGV --ignore-signal=BUS servers ...)";

/// How many mappings there are with how many threads, and what each takes. The first threads bring
/// heaps with them, the others only themselves.
fn sample(stack_octets: usize) -> io::Result<(usize, usize, usize)> {
    let cpus = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let heaps = HEAPS_PER_CPU * cpus;
    let (gate, started) = (Mutex::new(()), AtomicUsize::new(0));
    thread::scope(|scope| {
        let held = gate.lock();
        let counted = wave(scope, &gate, (&started, heaps), stack_octets).and_then(|()| {
            let before = count();
            wave(scope, &gate, (&started, heaps + SAMPLE), stack_octets)?;
            let after = count();
            Ok((after, heaps + SAMPLE, each(before, after)))
        });
        drop(held);
        counted
    })
}

/// What one of the sampled threads takes. Others may give mappings back meanwhile: then there is
/// nothing to be learned from the difference.
const fn each(before: usize, after: usize) -> usize {
    match after.saturating_sub(before) {
        0 => EACH,
        more => (more + SAMPLE / 2) / SAMPLE,
    }
}

/// Makes threads until `wanted` of them have started, and wait at the gate.
fn wave<'scope>(
    scope: &'scope Scope<'scope, '_>,
    gate: &'scope Mutex<()>,
    (started, wanted): (&'scope AtomicUsize, usize),
    stack_octets: usize,
) -> io::Result<()> {
    let there = started.load(Ordering::Acquire);
    for _ in there..wanted {
        Builder::new().stack_size(stack_octets).spawn_scoped(scope, || {
            started.fetch_add(1, Ordering::AcqRel);
            drop(gate.lock());
        })?;
    }
    while started.load(Ordering::Acquire) < wanted {
        thread::yield_now();
    }
    Ok(())
}

fn count() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |text| text.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_what_the_limit_leaves() {
        let mappings = Mappings { limit: 65_530, taken: 274, threads: 48, each: 4 };
        assert_eq!(mappings.room(), 48 + 65_000 / 4);
        assert!(mappings.check(16_298).is_ok());
        let words = mappings.check(20_000).unwrap_err().to_string();
        assert!(words.contains("vm.max_map_count=80338"), "{words}");
        let raised = Mappings { limit: 80_338, ..mappings };
        assert!(raised.check(20_000).is_ok(), "what it asks for is enough");
    }

    #[test]
    fn a_limit_below_what_is_taken_leaves_no_room_and_no_panic() {
        let mappings = Mappings { limit: 100, taken: 274, threads: 0, each: 4 };
        assert_eq!(mappings.room(), 0);
    }

    #[test]
    fn fewer_mappings_than_before_tell_nothing() {
        assert_eq!(each(100, 100 + 2 * SAMPLE + 3), 2);
        assert_eq!((each(100, 99), each(100, 100)), (EACH, EACH));
    }

    #[test]
    fn a_host_without_room_for_so_many_threads_says_which_setting_to_change() {
        assert!(check_host(1).is_ok());
        let words = check_host(1 << 40).unwrap_err().to_string();
        assert!(words.contains("sysctl -w kernel.threads-max="), "{words}");
    }

    /// Other tests make threads at the same time, so the count is not exact here.
    #[test]
    fn a_thread_takes_a_few_mappings() {
        let mappings = Mappings::count(65_536);
        assert!((1..=8).contains(&mappings.each), "{mappings:?}");
    }
}
