//! Limits, from where the kernel tells them.

mod cgroup;
mod host;
mod numbers;
mod process;

use super::host::{Fact, HostLimits, Setting};
use process::Process;

/// Whose limits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A process that this one would start: it gets the limits of this one.
    Child,
    /// One that runs.
    Running(u32),
}

/// All that can be found out.
pub(super) fn limits(subject: Subject) -> HostLimits {
    let process = Process::read(subject);
    let mut settings: Vec<Setting> = process.settings();
    settings.extend(host::settings(&process));
    settings.extend(cgroup::settings(&process));
    settings.push(numbers::setting(&process));
    let mut facts: Vec<Fact> = process.facts();
    facts.extend(host::facts());
    HostLimits { settings, facts }
}

/// The first number of a file; `None` when there is none.
fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// The number behind a name at the start of a line, as in `Threads:   3`.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}
