//! The files of a run: a row a trial, and the kernel's objects by name.
//!
//! All amounts are whole octets of the whole trial, so that a reader can add them up: the holders'
//! columns sum to the total exactly. `_each` columns are divided by the connections.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use csv::Writer;

use super::anatomy::Anatomy;
use super::holder::Holder;
use super::switches::Switches;
use super::trial::{Found, Held, Outcome};
use crate::folder::Folder;

/// The name of the experiment, and of its folder.
pub const NAME: &str = "memory";

/// The names of the files in the folder of a run.
pub mod file {
    /// A row a model and number of connections.
    pub const LEDGER: &str = "ledger.csv";
    /// A row a trial and kind of object of the kernel.
    pub const OBJECTS: &str = "objects.csv";
    /// A row a size of stacks.
    pub const THREADS: &str = "threads.csv";
    /// A row a model.
    pub const SWITCHES: &str = "switches.csv";
}

const OBJECTS: [&str; 7] =
    ["model", "app", "connections", "name", "objects", "object_octets", "slab_octets"];
const SWITCHES: [&str; 7] = [
    "model",
    "connections",
    "threads",
    "requests",
    "voluntary_switches",
    "involuntary_switches",
    "switches_each",
];
const THREADS: [&str; 14] = [
    "stack_octets",
    "overflow",
    "threads",
    "outcome",
    "reason",
    "addresses_each",
    "mappings_each",
    "stack_each",
    "other_user_each",
    "kernel_stack_each",
    "page_tables_each",
    "objects_each",
    "sending_each",
    "memory_each",
];

/// The folder of a run; each row is on disk when the next trial begins.
#[derive(Debug)]
pub struct Recorder {
    folder: Folder,
    ledger: Writer<File>,
    objects: Writer<File>,
    threads: Writer<File>,
    switches: Writer<File>,
}

impl Recorder {
    /// Makes a new folder `root/memory/run`, with `-2`, `-3`, … behind it where there is one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(root: &Path, run: &str) -> Result<Self> {
        let folder = Folder::create(root, NAME, run)?;
        Ok(Self {
            ledger: table(&folder, file::LEDGER, &head())?,
            objects: table(&folder, file::OBJECTS, &OBJECTS)?,
            threads: table(&folder, file::THREADS, &THREADS)?,
            switches: table(&folder, file::SWITCHES, &SWITCHES)?,
            folder,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Adds a trial to the ledger.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn ledger(&mut self, held: &Held) -> Result<()> {
        append(&mut self.ledger, [row(held)])?;
        let objects = held.found.iter().flat_map(|found| &found.account.objects);
        let hold = &held.hold;
        let rows = objects.map(|(name, added)| {
            let what = [hold.model.clone(), hold.app.to_string(), hold.connections.to_string()];
            let octets = [added.object_octets.to_string(), added.octets.to_string()];
            what.into_iter()
                .chain([name.clone(), added.objects.to_string()])
                .chain(octets)
                .collect()
        });
        append(&mut self.objects, rows)
    }

    /// Adds a size of stacks.
    ///
    /// # Errors
    /// As [`Self::ledger`].
    pub fn threads(&mut self, held: &Held) -> Result<()> {
        append(&mut self.threads, [thread_row(held)])
    }

    /// Adds the switches of a model.
    ///
    /// # Errors
    /// As [`Self::ledger`].
    pub fn switches(&mut self, switches: &Switches) -> Result<()> {
        let Switches { model, connections, requests, voluntary, involuntary, threads } = switches;
        let counts = [connections, threads, requests, voluntary, involuntary];
        let counts = counts.map(ToString::to_string);
        let each = switches.each().map_or_else(String::new, |each| format!("{each:.3}"));
        let row = [model.clone()].into_iter().chain(counts).chain([each]).collect();
        append(&mut self.switches, [row])
    }
}

fn table(folder: &Folder, name: &str, head: &[&str]) -> Result<Writer<File>> {
    let mut table = folder.begin_table(name)?;
    append(&mut table, [head.iter().map(|name| (*name).to_owned()).collect()])?;
    Ok(table)
}

fn append(table: &mut Writer<File>, rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    rows.into_iter().try_for_each(|row| table.write_record(row)).context("writing a row")?;
    table.flush().context("writing a row")
}

/// The columns of the ledger.
#[must_use]
pub fn head() -> Vec<&'static str> {
    let first = ["model", "app", "connections", "outcome", "reason", "total_octets"];
    let last = [
        "total_each",
        "unexplained_percent",
        "believed",
        "foreign_sockets",
        "background_octets",
        "server_base_octets",
        "server_charged_octets",
        "client_charged_octets",
        "uncharged_octets",
        "socket_buffers_octets",
        "left_octets",
        "server_threads",
        "server_mappings",
        "attempts",
    ];
    first.into_iter().chain(Holder::ALL.map(Holder::column)).chain(last).collect()
}

fn row(held: &Held) -> Vec<String> {
    let hold = &held.hold;
    let mut row = vec![
        hold.model.clone(),
        hold.app.to_string(),
        hold.connections.to_string(),
        held.outcome.word().into(),
        held.reason.clone(),
    ];
    match &held.found {
        Some(found) => row.extend(amounts(found, hold.connections)),
        None => row.resize(head().len() - 1, String::new()),
    }
    row.push(held.attempts.to_string());
    row
}

fn amounts(found: &Found, connections: u64) -> Vec<String> {
    let Found { base, account, server: (_, full), left } = found;
    let known = |value: Option<i64>| value.map_or_else(String::new, |value| value.to_string());
    let items = Holder::ALL.map(|holder| account.of(holder).to_string());
    let rest = [
        format!("{:.1}", account.total as f64 / connections.max(1) as f64),
        account.unexplained_percent().map_or_else(String::new, |percent| format!("{percent:.2}")),
        if account.believed(connections) { "yes" } else { "no" }.into(),
        account.foreign_sockets.to_string(),
        account.background.to_string(),
        base.total.to_string(),
        known(account.server_charged),
        known(account.client_charged),
        known(account.uncharged()),
        account.socket_buffers.to_string(),
        left.to_string(),
        full.threads.to_string(),
        full.user.mappings.to_string(),
    ];
    [account.total.to_string()].into_iter().chain(items).chain(rest).collect()
}

fn thread_row(held: &Held) -> Vec<String> {
    let (hold, anatomy) = (&held.hold, Anatomy::of(held));
    // Without a thread for each client the model is another one.
    let outcome = if anatomy.is_none() && held.outcome == Outcome::Held {
        Outcome::Failed
    } else {
        held.outcome
    };
    let mut row = vec![
        hold.stack.map_or_else(String::new, |octets| octets.to_string()),
        hold.overflow.word().into(),
        anatomy.map_or(0.0, |anatomy| anatomy.threads).to_string(),
        outcome.word().into(),
        held.reason.clone(),
    ];
    let Some(a) = anatomy else {
        row.resize(THREADS.len(), String::new());
        return row;
    };
    let user = [a.addresses, a.mappings, a.stack, a.user];
    let kernel = [a.kernel_stack, a.page_tables, a.objects, a.sending, a.memory()];
    row.extend(user.iter().chain(&kernel).map(|each| format!("{each:.2}")));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::ledger::account::Account;
    use crate::ledger::moment::Role;
    use crate::ledger::trial::{Hold, Overflow};

    fn held(found: Option<Found>) -> Held {
        let (model, overflow) = ("poll".to_owned(), Overflow::Handled);
        let hold = Hold { model, app: App::Echo, connections: 10, stack: None, overflow };
        Held { hold, outcome: Outcome::Held, reason: "a, b".into(), found, attempts: 1 }
    }

    fn found() -> Found {
        let mut account = Account { total: 1_000, ..Account::default() };
        account.items.insert(Holder::Sockets, 900);
        account.items.insert(Holder::Unexplained, 100);
        let roles = (Role::default(), Role::default());
        Found { base: Account::default(), account, server: roles, left: 0 }
    }

    #[test]
    fn each_row_is_as_wide_as_the_head() {
        assert_eq!(row(&held(None)).len(), head().len());
        assert_eq!(row(&held(Some(found()))).len(), head().len());
        assert_eq!(thread_row(&held(None)).len(), THREADS.len());
    }

    #[test]
    fn too_much_unexplained_is_marked() {
        let row = row(&held(Some(found())));
        let of = |name| row[head().iter().position(|column| *column == name).unwrap()].as_str();
        assert_eq!((of("unexplained_percent"), of("believed")), ("10.00", "no"));
        assert_eq!((of("total_each"), of("uncharged_octets")), ("100.0", ""));
    }
}
