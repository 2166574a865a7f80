//! Whether the logs at hand are those of one run, and all of them.

use std::path::{Path, PathBuf};

use super::agent_log::AgentLog;
use crate::failure::Failure;

/// The files that a folder is searched for.
const EXTENSION: &str = "hlog";

/// What a merge itself writes, and another one must not read.
pub(super) const MERGED: &str = "merged.hlog";

/// The logs of a run, by rank.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub(super) agents: Vec<AgentLog>,
    /// Ranks without a log.
    pub(super) missing: Vec<u32>,
}

/// Whether agents may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    Refused,
    Allowed,
}

impl Roster {
    /// Reads logs, and those in folders.
    ///
    /// # Errors
    /// [`Failure::Failed`] if they are not of one run, [`Failure::Unfit`] if some are missing.
    pub(super) fn read(paths: &[PathBuf], absence: Absence) -> Result<Self, Failure> {
        let files = files(paths)?;
        let agents: Result<Vec<_>, _> = files.iter().map(|file| AgentLog::read(file)).collect();
        Self::of(agents?, absence)
    }

    pub(super) fn of(mut agents: Vec<AgentLog>, absence: Absence) -> Result<Self, Failure> {
        agents.sort_by_key(|agent| agent.identity.rank);
        let Some(first) = agents.first() else {
            return Err(Failure::Usage(format!("there is no .{EXTENSION} file at that place")));
        };
        agents.iter().try_for_each(|agent| same_run(first, agent))?;
        same_layout(&agents)?;
        distinct(&agents)?;
        let size = first.identity.size;
        let there = |rank: &u32| agents.iter().any(|agent| agent.identity.rank == *rank);
        let missing: Vec<_> = (0..size).filter(|rank| !there(rank)).collect();
        if !missing.is_empty() && absence == Absence::Refused {
            return Err(incomplete(&missing, size));
        }
        Ok(Self { agents, missing })
    }
}

/// The files themselves, and what is in folders and in the folders in them.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for entry in entries(path)? {
                files.extend(if entry.is_dir() { entries(&entry)? } else { vec![entry] });
            }
            files.retain(|file| is_log(file));
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn is_log(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == EXTENSION)
        && file.file_name().is_some_and(|name| name != MERGED)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::Failed(format!("{}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

/// Whether a log belongs to the run of the first one.
fn same_run(first: &AgentLog, other: &AgentLog) -> Result<(), Failure> {
    let differ = |what: &str, ours: String, others: String| {
        let (first, other) = (first.path.display(), other.path.display());
        Err(Failure::Failed(format!(
            "{other} is not of the same run as {first}: {what} {others} and not {ours}"
        )))
    };
    let (one, two) = (&first.identity, &other.identity);
    if one.size != two.size {
        return differ("the number of agents is", one.size.to_string(), two.size.to_string());
    }
    if one.workload != two.workload {
        let (ours, others) = (format!("{:?}", one.workload), format!("{:?}", two.workload));
        return differ("it has the", ours, others);
    }
    Ok(())
}

/// Whether all histograms can be added up exactly.
fn same_layout(agents: &[AgentLog]) -> Result<(), Failure> {
    let mut known = None;
    for agent in agents {
        let Some(ours) = agent.layout() else { continue };
        let (first, path) = known.get_or_insert((ours, &agent.path));
        if *first != ours {
            let (one, two) = (path.display(), agent.path.display());
            return Err(Failure::Failed(format!(
                "{two} has histograms of {ours:?}, but {one} of {first:?}"
            )));
        }
    }
    Ok(())
}

/// Whether each rank is there at most once, and is one that there can be.
fn distinct(agents: &[AgentLog]) -> Result<(), Failure> {
    for pair in agents.windows(2) {
        let (one, two, rank) = (&pair[0].path, &pair[1].path, pair[0].identity.rank);
        if rank == pair[1].identity.rank {
            let (one, two) = (one.display(), two.display());
            return Err(Failure::Failed(format!("{one} and {two} are both of rank {rank}")));
        }
    }
    match agents.iter().find(|agent| agent.identity.rank >= agent.identity.size) {
        None => Ok(()),
        Some(agent) => {
            let (path, of) = (agent.path.display(), &agent.identity);
            let (rank, size) = (of.rank, of.size);
            Err(Failure::Failed(format!("{path}: there is no rank {rank} among {size} agents")))
        }
    }
}

fn incomplete(missing: &[u32], size: u32) -> Failure {
    let there = size as usize - missing.len();
    let missing: Vec<_> = missing.iter().map(u32::to_string).collect();
    let missing = missing.join(", ");
    Failure::Unfit(format!(
        "the logs of {there} of {size} agents are there; those of rank {missing} are missing: an \
         agent that was refused or killed leaves none. --allow-partial goes on without them"
    ))
}
