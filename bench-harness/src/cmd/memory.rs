//! `memory`: what an idle connection, or a thread, costs in memory.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{print, verify};
use crate::cli::Places;
use crate::experiment::App;
use crate::experiment::model::Model;
use crate::fault::Unfit;
use crate::folder::file;
use crate::interrupt;
use crate::launch::process::{Binaries, Processes};
use crate::ledger::finding::Results;
use crate::ledger::moment::{page_octets, spare};
use crate::ledger::record::{NAME, Recorder};
use crate::ledger::slabs::Slabs;
use crate::ledger::switches::{Load, Switches};
use crate::ledger::trial::{Held, Hold, Outcome, Overflow, Site, beyond};
use crate::ledger::words;
use crate::manifest::{Manifest, Place};
use crate::plot;
use crate::report::number::{grouped, octets};
use crate::restraint;
use crate::results::Scratch;

/// The model whose stacks are looked at, and the one it is compared with.
const THREAD: &str = "thread";
const REACTOR: &str = "epoll-level";

/// What a connection takes in a model that has not been measured with fewer, in octets: both ends
/// of it with something to spare, and with a thread.
const CAUTIOUS: f64 = 12.0 * 1024.0;
const CAUTIOUS_THREAD: f64 = 128.0 * 1024.0;

/// `memory`
#[derive(Debug, Args)]
pub struct Memory {
    /// Only these models [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Idle connections to hold, one number after the other
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1000,10000",
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub connections: Vec<u64>,
    /// What the servers are for: echo or http
    #[arg(long, value_name = "APP", default_value = "echo", value_parser = app)]
    pub app: App,
    /// Stacks of the model `thread` to compare, such as 16KiB,8MiB
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',',
          default_value = "16KiB,64KiB,1MiB,8MiB", value_parser = size)]
    pub stacks: Vec<u64>,
    /// A try: memory gets little time to settle, and few threads are looked at
    #[arg(long)]
    pub quick: bool,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// How long another run that changes the host is waited for.
const OTHERS: Duration = Duration::from_secs(10);

/// What a try does less of.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// How long memory may take to settle.
    patience: Duration,
    /// How often a trial is made at most, where other programs disturb it.
    attempts: u32,
    /// Threads whose stacks are looked at.
    threads: u64,
    /// The load under which context switches are counted.
    load: Load,
}

impl Effort {
    fn of(options: &Memory) -> Self {
        let load = |connections, ms| Load { connections, measure: Duration::from_millis(ms) };
        if options.quick {
            let patience = Duration::from_millis(500);
            return Self { patience, attempts: 1, threads: 100, load: load(100, 300) };
        }
        let patience = Duration::from_secs(5);
        Self { patience, attempts: 3, threads: 1_000, load: load(1_000, 2_000) }
    }
}

/// Runs the sub-command.
///
/// # Errors A usage error before anything is started; [`Unfit`] where the kernel's counters can't
/// be read, or no trial was held. An interrupted run is kept, and is an error.
pub fn run(options: &Memory, places: &Places) -> Result<()> {
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let offered = binaries.models()?;
    verify::check_names(&options.models, &offered)?;
    let chosen = |model: &&Model| options.models.is_empty() || options.models.contains(&model.name);
    let models: Vec<_> = offered.iter().filter(chosen).cloned().collect();
    if let Err(error) = Slabs::read(page_octets()) {
        return Err(Unfit(format!("{error:#}: only root may; run this as root")).into());
    }
    interrupt::listen()?;
    let mut session = Session::open(options, binaries, &models)?;
    let trials = session.ledger(options, &models).and_then(|()| session.threads(options, &models));
    session.publish()?;
    trials
}

/// A run that is being made.
struct Session {
    site: Site,
    effort: Effort,
    recorder: Recorder,
    manifest: Manifest,
    ledger: Vec<Held>,
    threads: Vec<Held>,
    switches: Vec<Switches>,
}

impl Session {
    fn open(options: &Memory, binaries: Binaries, models: &[Model]) -> Result<Self> {
        let effort = Effort::of(options);
        let place = Place::look(&binaries)?;
        let pinning = place.pinning.clone();
        let trials = models.len() * options.connections.len();
        let recorder = Recorder::create(&options.out, &place.run_name())?;
        let manifest = Manifest::begin(NAME, recorder.folder().run(), trials, models, place);
        let program = std::env::current_exe().context("finding the running program")?;
        let counting = RefCell::new(restraint::Hold::to_count(&program, OTHERS)?);
        let site = Site { binaries, pinning, patience: effort.patience, counting };
        let (ledger, threads, switches) = (Vec::new(), Vec::new(), Vec::new());
        let session = Self { site, effort, recorder, manifest, ledger, threads, switches };
        session.write_manifest()?;
        Ok(session)
    }

    fn write_manifest(&self) -> Result<()> {
        self.recorder.folder().keep_manifest(&self.manifest)
    }

    /// All models with few connections first: what they took says whether more will fit.
    fn ledger(&mut self, options: &Memory, models: &[Model]) -> Result<()> {
        for connections in &options.connections {
            for model in models {
                let held = self.step(options.app, model, *connections);
                self.unless_interrupted()?;
                self.recorder.ledger(&held)?;
                say(&held);
                self.ledger.push(held);
            }
        }
        Ok(())
    }

    fn step(&self, app: App, model: &Model, connections: u64) -> Held {
        let hold = Hold {
            model: model.name.clone(),
            app,
            connections,
            stack: None,
            overflow: Overflow::Handled,
        };
        match beyond(model, connections).or_else(|| self.too_little_memory(&hold)) {
            Some(reason) => {
                Held { hold, outcome: Outcome::Beyond, reason, found: None, attempts: 1 }
            }
            None => self.undisturbed(&hold),
        }
    }

    /// The trial with the least unexplained, of as many as it takes until that is little. It is a
    /// measure of the disturbance by other programs, not of the model.
    fn undisturbed(&self, hold: &Hold) -> Held {
        let mut best = self.site.hold(hold.clone());
        for attempts in 2..=self.effort.attempts {
            let doubtful =
                best.found.as_ref().is_some_and(|found| !found.account.believed(hold.connections));
            if !doubtful || interrupt::requested() {
                break;
            }
            let again = self.site.hold(hold.clone());
            best = if unexplained(&again) < unexplained(&best) { again } else { best };
            best.attempts = attempts;
        }
        best
    }

    /// A trial that would drive other programs out of memory is not made.
    fn too_little_memory(&self, hold: &Hold) -> Option<String> {
        let cautious = if hold.model == THREAD { CAUTIOUS_THREAD } else { CAUTIOUS };
        let each = self.each(&hold.model).unwrap_or(cautious);
        let (need, spare) = (each * hold.connections as f64, spare().ok()? as f64);
        (need > 0.9 * spare).then(|| {
            let (each, need, spare) = (octets(each), octets(need), octets(spare));
            format!("memory: about {each} each make {need}, and the host has {spare} to spare")
        })
    }

    /// What a connection took in the largest trial so far.
    fn each(&self, model: &str) -> Option<f64> {
        let last = self.ledger.iter().rev().find(|h| h.hold.model == model && h.found.is_some())?;
        Some(last.found.as_ref()?.account.total as f64 / last.hold.connections as f64)
    }

    fn threads(&mut self, options: &Memory, models: &[Model]) -> Result<()> {
        if !models.iter().any(|model| model.name == THREAD) {
            return Ok(());
        }
        for overflow in [Overflow::Handled, Overflow::Ignored] {
            for stack in &options.stacks {
                self.stack(*stack, overflow, options.app)?;
            }
        }
        let scratch = Scratch::new()?;
        let (binaries, pinning) = (self.site.binaries.clone(), self.site.pinning.clone());
        let mut launcher = Processes::new(binaries, pinning, scratch.path());
        for model in [THREAD, REACTOR] {
            let switches = Switches::count(model, self.effort.load, &mut launcher)?;
            self.unless_interrupted()?;
            self.recorder.switches(&switches)?;
            self.switches.push(switches);
        }
        Ok(())
    }

    fn stack(&mut self, stack: u64, overflow: Overflow, app: App) -> Result<()> {
        let (model, connections) = (THREAD.to_owned(), self.effort.threads);
        let hold = Hold { model, app, connections, stack: Some(stack), overflow };
        let held = self.undisturbed(&hold);
        self.unless_interrupted()?;
        self.recorder.threads(&held)?;
        eprintln!("stack {}, overflow {}: {}", octets(stack as f64), overflow.word(), words(&held));
        self.threads.push(held);
        Ok(())
    }

    /// A trial that was cut short says nothing about its model.
    fn unless_interrupted(&self) -> Result<()> {
        if interrupt::requested() {
            bail!(
                "interrupted; what was done is kept in {}",
                self.recorder.folder().path().display()
            );
        }
        Ok(())
    }

    /// Charts, page and manifest; also of a run that was cut short.
    fn publish(&mut self) -> Result<()> {
        self.manifest.finish(self.ledger.len());
        self.write_manifest()?;
        let Self { ledger, threads, switches, .. } = &*self;
        let results = Results { ledger, threads, switches };
        let folder = self.recorder.folder();
        let figures = plot::ledger::draw(folder, results, &self.manifest.conditions())?;
        folder.keep(file::REPORT, words::page(results, &self.manifest, &figures).as_bytes())?;
        let page = folder.path().join(file::REPORT);
        print(&format!("\n{}\nreport  {}\n", words::findings(results), page.display()))?;
        match ledger.iter().any(|held| held.outcome == Outcome::Held) {
            false if !interrupt::requested() => {
                Err(Unfit("no trial was held; ledger.csv says why".into()).into())
            }
            _ => Ok(()),
        }
    }
}

fn say(held: &Held) {
    let hold = &held.hold;
    let connections = grouped(hold.connections as f64);
    eprintln!("{:<14} {connections:>9}: {}", hold.model, words(held));
}

/// What a trial leaves unexplained, in percent; without a total, everything.
fn unexplained(held: &Held) -> f64 {
    let percent = held.found.as_ref().and_then(|found| found.account.unexplained_percent());
    percent.unwrap_or(f64::INFINITY)
}

/// What became of a trial, in a line.
fn words(held: &Held) -> String {
    let Some(found) = &held.found else {
        return format!("{}: {}", held.outcome.word(), held.reason);
    };
    let each = found.account.total as f64 / held.hold.connections.max(1) as f64;
    let percent = found.account.unexplained_percent();
    let percent = percent.map_or_else(|| "?".into(), |percent| format!("{percent:.2}"));
    format!("{} each, both ends; {percent} % unexplained", octets(each))
}

/// Reads the name of an app.
fn app(text: &str) -> Result<App, String> {
    let named = [App::Echo, App::Http].into_iter().find(|app| app.name() == text);
    named.ok_or_else(|| format!("`{text}` is no app; there are echo and http"))
}

/// Reads a number of octets, such as 16KiB or 8MiB.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write 65536, 64KiB or 8MiB");
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = units.iter().find_map(|(unit, times)| Some((text.strip_suffix(unit)?, *times)));
    let (number, times) = unit.unwrap_or((text, 1));
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(times).filter(|octets| *octets > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_two() {
        assert_eq!(size("16KiB"), Ok(16_384));
        assert_eq!(size("8 MiB"), Ok(8 << 20));
        assert_eq!(size("65536"), Ok(65_536));
        for wrong in ["", "0", "KiB", "8MB", "-1KiB", "18446744073709551615GiB"] {
            assert!(size(wrong).unwrap_err().contains("64KiB"), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_app_is_answered_with_the_names() {
        assert_eq!(app("http"), Ok(App::Http));
        assert!(app("ftp").unwrap_err().contains("echo and http"));
    }
}
