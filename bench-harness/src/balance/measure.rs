//! The run: what `servers place` prints, table by table, and the folder that keeps it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::live::{Live, Trial};
use super::published;
use super::row::{Cost, Move, Share, Slot, methods, parse};
use crate::folder::Folder;
use crate::interrupt;
use crate::launch::child::Child;
use crate::launch::process::Binaries;
use crate::manifest::{Beginning, Place};
use crate::probe::quiet::Interval;

/// The name of the experiment, and of its folder.
pub const NAME: &str = "balance";
/// How many keys each node got.
pub const SHARES: &str = "shares.csv";
/// Which keys moved.
pub const MOVES: &str = "moves.csv";
/// What a look-up costs.
pub const COSTS: &str = "costs.csv";
/// The slots of the rings.
pub const SLOTS: &str = "slots.csv";

/// Who answered whom, in a balancer at work.
pub const LIVE: &str = "live.csv";

/// Requests to one balancer at work, at most: as many as the published counts are of, where there
/// are such counts.
const REQUESTS: u32 = 10_000;
/// The same where there are none: enough to see that it asks whom it should.
const REQUESTS_UNPUBLISHED: u32 = 2_000;

/// How long one table may take before it is taken for hung: a method that hashes every id by
/// SHA-256 in a program that was not optimised takes a minute.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is to be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The fewest nodes.
    pub fewest: u32,
    /// The most.
    pub most: u32,
    /// Keys to place.
    pub keys: u32,
    /// Where they come from.
    pub seed: u64,
    /// How long to time the look-ups of one method among so many nodes, in milliseconds.
    pub budget_ms: u64,
}

/// The file `manifest.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Complete when all tables are there.
    #[serde(flatten)]
    pub beginning: Beginning,
    /// The methods, in the order of `servers place --list`.
    pub methods: Vec<String>,
    /// Tables during which other programs used the CPUs, with how many CPUs they used.
    pub disturbed: Vec<String>,
    /// Balancers that could not be asked, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What was placed.
    pub extent: Extent,
    /// Where; the methods ran on the server's CPUs.
    #[serde(flatten)]
    pub place: Place,
}

/// The run and what it has so far.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub folder: Folder,
    /// What it is.
    pub manifest: Manifest,
    /// How many keys each node got.
    pub shares: Vec<Share>,
    /// Which keys moved.
    pub moves: Vec<Move>,
    /// What a look-up costs.
    pub costs: Vec<Cost>,
    /// The slots of the rings, with the most nodes.
    pub slots: Vec<Slot>,
    /// Who answered whom, in a balancer at work.
    pub live: Vec<Live>,
}

impl Run {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(
        root: &Path,
        binaries: &Binaries,
        methods: Vec<String>,
        extent: Extent,
    ) -> Result<Self> {
        let place = Place::look(binaries)?;
        let folder = Folder::create(root, NAME, &place.run_name())?;
        let beginning = Beginning::now(NAME, folder.run());
        let manifest =
            Manifest { beginning, methods, disturbed: vec![], missing: vec![], extent, place };
        let (shares, moves, costs) = (vec![], vec![], vec![]);
        let (slots, live) = (vec![], vec![]);
        let run = Self { folder, manifest, shares, moves, costs, slots, live };
        run.keep()?;
        Ok(run)
    }

    /// Reads the run in a folder. One that was cut short has the tables that it got to.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: Folder) -> Result<Self> {
        Ok(Self {
            manifest: folder.manifest()?,
            shares: folder.table_if_there(SHARES)?,
            moves: folder.table_if_there(MOVES)?,
            costs: folder.table_if_there(COSTS)?,
            slots: folder.table_if_there(SLOTS)?,
            live: folder.table_if_there(LIVE)?,
            folder,
        })
    }

    /// Fills all tables, and keeps each as soon as it is there. A balancer that fails is noted, and
    /// the others are asked.
    ///
    /// # Errors
    /// When a table of `servers place` fails, or the user interrupts: what was there is kept.
    pub fn measure(&mut self, binaries: &Binaries) -> Result<()> {
        let Extent { fewest, most, .. } = self.manifest.extent;
        let (all, methods) = (format!("{fewest}..{most}"), self.manifest.methods.clone());
        self.shares = self.table(binaries, "shares", &methods, &all)?;
        self.moves = self.table(binaries, "moves", &methods, &all)?;
        self.costs = self.table(binaries, "costs", &methods, &all)?;
        let rings: Vec<_> =
            methods.into_iter().filter(|method| method.starts_with("ring-")).collect();
        if !rings.is_empty() {
            self.slots = self.table(binaries, "slots", &rings, &most.to_string())?;
        }
        self.put_to_work(binaries)?;
        self.manifest.beginning.complete();
        self.keep()
    }

    /// Has one table printed, and keeps it.
    fn table<T: DeserializeOwned>(
        &mut self,
        binaries: &Binaries,
        show: &str,
        methods: &[String],
        nodes: &str,
    ) -> Result<Vec<T>> {
        eprintln!("{show} of {} methods, {nodes} nodes", methods.len());
        let interval = Interval::start();
        let line = self.manifest.extent.arguments(show, methods, nodes);
        let mut child =
            Child::start(&binaries.servers, &line, &self.manifest.place.pinning.server)?;
        let text = child.finish(PATIENCE);
        drop(child);
        if interrupt::requested() {
            bail!("interrupted at the {show}; the rest is in {}", self.folder.path().display());
        }
        let text = text.with_context(|| format!("the {show} of all methods"))?;
        if let Some(cpus) = interval.end().disturbance() {
            self.manifest.disturbed.push(format!("{show}: {cpus:.2} CPUs"));
        }
        self.folder.keep(&format!("{show}.csv"), text.as_bytes())?;
        self.keep()?;
        parse(&text)
    }

    /// Asks balancers that go by each method that places by the key alone.
    fn put_to_work(&mut self, binaries: &Binaries) -> Result<()> {
        let Extent { fewest, most, .. } = self.manifest.extent;
        for method in by_key(&self.shares) {
            eprintln!("requests to balancers of {fewest} to {most} replicas, {method}");
            (fewest..=most).try_for_each(|nodes| self.ask(binaries, &method, nodes))?;
        }
        Ok(())
    }

    /// Asks one balancer, and keeps its counts, or why there are none.
    fn ask(&mut self, binaries: &Binaries, method: &str, nodes: u32) -> Result<()> {
        let unpublished = published::counts(method, nodes).is_empty();
        let most = if unpublished { REQUESTS_UNPUBLISHED } else { REQUESTS };
        let (pinning, requests) =
            (&self.manifest.place.pinning, self.manifest.extent.keys.min(most));
        let rows = Trial { binaries, pinning, method, nodes, requests }.rows(&self.shares);
        if interrupt::requested() {
            bail!("interrupted at a balancer; the rest is in {}", self.folder.path().display());
        }
        match rows {
            Ok(rows) => self.live.extend(rows),
            Err(error) => {
                let words = format!("{method}, {nodes} replicas: {error:#}");
                eprintln!("{words}");
                self.manifest.missing.push(words.split_whitespace().collect::<Vec<_>>().join(" "));
                self.keep()?;
            }
        }
        self.folder.keep_table(LIVE, &self.live)
    }

    fn keep(&self) -> Result<()> {
        self.folder.keep_manifest(&self.manifest)
    }
}

/// The methods that go by the key alone, in the order of the rows: their shares are exact. Those
/// that go by loads as well have none, and `servers balance` does not take them.
fn by_key(shares: &[Share]) -> Vec<String> {
    let exact = |method: &&str| {
        shares.iter().any(|share| share.method == *method && share.expected.is_some())
    };
    methods(shares).into_iter().filter(exact).map(ToOwned::to_owned).collect()
}

impl Extent {
    /// The command line of `servers place` for a table.
    fn arguments(&self, show: &str, methods: &[String], nodes: &str) -> Vec<String> {
        let line = [
            ("--show", show.to_owned()),
            ("--methods", methods.join(",")),
            ("--nodes", nodes.to_owned()),
            ("--keys", self.keys.to_string()),
            ("--seed", self.seed.to_string()),
            ("--budget", format!("{}ms", self.budget_ms)),
            ("--format", "csv".into()),
        ];
        let line = line.into_iter().flat_map(|(name, value)| [name.into(), value]);
        std::iter::once("place".into()).chain(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balancers_are_put_to_work_by_the_methods_whose_shares_are_exact() {
        let text = "method,nodes,node,keys,count,expected\nmaglev,2,Server-1,10,4,5\n\
                    maglev,2,Server-2,10,6,5\nbounded,2,Server-1,10,4,\njump,2,Server-1,10,4,5\n";
        assert_eq!(by_key(&parse(text).unwrap()), ["maglev", "jump"]);
    }

    #[test]
    fn a_line_says_what_to_show_and_for_which_keys() {
        let extent = Extent { fewest: 2, most: 6, keys: 500, seed: 7, budget_ms: 3 };
        let line = extent.arguments("moves", &["jump".into(), "anchor".into()], "2..6").join(" ");
        let expected = "place --show moves --methods jump,anchor --nodes 2..6 --keys 500 --seed 7 \
                        --budget 3ms --format csv";
        assert_eq!(line, expected);
    }
}
