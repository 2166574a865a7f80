//! `limits`: how many clients each model can serve here, what stops it, and how to raise that.
//!
//! The prediction comes first, and is not used for anything but to save steps: what is measured is
//! a success and a failure next to each other.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use loadgen::search::Objective;

use super::{print, verify};
use crate::cli::Places;
use crate::experiment::model::Model;
use crate::experiment::{App, span};
use crate::fault::Inconclusive;
use crate::interrupt;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;
use crate::limits::host::HostLimits;
use crate::limits::record::Recorder;
use crate::limits::record::name::SURVEYS;
use crate::limits::report::{TOLERANCE_PERCENT, plain};
use crate::limits::seek::Search;
use crate::limits::survey::{Depth, Raise, Survey, Turn};
use crate::limits::trial::{Tables, Trial};
use crate::limits::{host_table, ladders};
use crate::manifest::{Manifest, Place};
use crate::restraint::Restraint;
use crate::results::Scratch;

/// Clients of the first step where nothing is predicted.
const FIRST: u64 = 64;

/// `limits`
#[derive(Debug, Args)]
pub struct Limits {
    /// Only these models
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub models: Vec<String>,
    /// All models, which is the default
    #[arg(long, conflicts_with = "models")]
    pub all: bool,
    /// What the servers are for: echo or http
    #[arg(long, value_name = "APP", default_value = "echo", value_parser = app)]
    pub app: App,
    /// Predict, and measure nothing
    #[arg(long)]
    pub predict: bool,
    /// Limits of the servers: nofile=500,nproc=400,pids=300,memory=64MiB,pid-max=2000 for the
    /// server alone; maps=8000,threads-max=N,host-pid-max=N,file-max=N for the host, put back
    /// afterwards; signal-stacks=none
    #[arg(long, value_name = "LIMIT=N,…", default_value = "", hide_default_value = true)]
    pub under: Restraint,
    /// Set what the prediction proposes to raise, and put it back afterwards
    #[arg(long)]
    pub raise: bool,
    /// Descriptor tables of a server: a number, or as many as the clients need
    #[arg(long, value_name = "N|auto")]
    pub tables: Option<Tables>,
    /// The stack of a thread, in octets [default: that of `servers`]
    #[arg(long, value_name = "OCTETS")]
    pub stack: Option<u32>,
    /// The most clients to try
    #[arg(long, value_name = "N", default_value = "40000")]
    pub most: NonZeroU64,
    /// What the response times have to keep: 'p99<5s'
    #[arg(long, value_name = "OBJECTIVE")]
    pub objective: Option<Objective>,
    /// How close success and failure have to be, in percent; 0 for one client
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub grain: f64,
    /// How long a client waits for its answer
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = span::parse)]
    pub timeout: Duration,
    /// How long a step may take
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = span::parse)]
    pub step_timeout: Duration,
    /// How long all of it may take; each model gets its share of what is left
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span::parse)]
    pub budget: Duration,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

fn app(name: &str) -> Result<App, String> {
    [App::Echo, App::Http]
        .into_iter()
        .find(|app| app.to_string() == name)
        .ok_or_else(|| format!("no app `{name}`; there are echo and http"))
}

/// Runs the sub-command.
///
/// # Errors
/// A usage error before anything is started; [`Inconclusive`] when a prediction was wrong. An
/// interrupted survey is kept, and is an error.
pub fn run(options: &Limits, places: &Places) -> Result<()> {
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let offered = binaries.models()?;
    verify::check_names(&options.models, &offered)?;
    let chosen = |model: &&Model| options.models.is_empty() || options.models.contains(&model.name);
    let models: Vec<_> = offered.iter().filter(chosen).cloned().collect();
    interrupt::listen()?;
    let place = Place::look(&binaries)?;
    let survey = survey(options, binaries)?;
    let mut recorder = Recorder::create(&options.out, &place.run_name())?;
    let folder = recorder.folder().clone();
    let mut manifest = Manifest::begin(SURVEYS, folder.run(), models.len(), &models, place);
    folder.keep_manifest(&manifest)?;
    let ended = all(options, &survey, &models, &mut recorder);
    manifest.finish(recorder.rows().len());
    folder.keep_manifest(&manifest)?;
    recorder.publish(&manifest)?;
    let place = folder.path().display();
    if options.predict {
        let (host, ladders) = (HostLimits::look(), ladders(recorder.predictions()));
        print(&format!("\n{}\n{ladders}\n", host_table(&host)))?;
    }
    print(&format!("{}\nresults {place}\n", plain(recorder.rows())))?;
    match ended {
        Err(_) if interrupt::requested() => bail!(
            "interrupted after {} of {} models; they are kept in {place}",
            manifest.done,
            manifest.trials
        ),
        Err(error) => Err(error),
        Ok(()) => verdict(&recorder),
    }
}

/// One model after the other. What is left of the time is shared out among those that are left.
fn all(options: &Limits, survey: &Survey, models: &[Model], recorder: &mut Recorder) -> Result<()> {
    let end = Instant::now() + options.budget;
    for (n, model) in models.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(models.len() - n).unwrap_or(u32::MAX);
        let turn = Turn { number: n + 1, of: models.len(), until: Instant::now() + share };
        let row = survey.model(model, turn, recorder)?;
        recorder.model(row)?;
    }
    Ok(())
}

fn verdict(recorder: &Recorder) -> Result<()> {
    let missed = recorder.rows().iter().filter(|row| row.missed());
    let missed: Vec<_> = missed.map(|row| row.model.as_str()).collect();
    if missed.is_empty() {
        return Ok(());
    }
    let names = missed.join(", ");
    let words = format!("predictions off by more than {TOLERANCE_PERCENT} %: {names}");
    Err(Inconclusive(words).into())
}

fn survey(options: &Limits, binaries: Binaries) -> Result<Survey> {
    let stack = options.stack.iter().flat_map(|octets| ["--stack".into(), octets.to_string()]);
    let trial = Trial {
        model: String::new(),
        app: options.app,
        tables: options.tables,
        options: stack.collect(),
        patience: options.timeout,
        longest: options.step_timeout,
        objective: options.objective.clone(),
    };
    let grain = (options.grain / 100.0).max(0.0);
    Ok(Survey {
        binaries,
        pinning: Pinning::of_this_host()?,
        program: std::env::current_exe().context("finding the running program")?,
        scratch: Scratch::new()?,
        trial,
        search: Search { first: FIRST, most: options.most.get(), grain, hint: None },
        under: options.under.clone(),
        raise: if options.raise { Raise::Proposed } else { Raise::Nothing },
        depth: if options.predict { Depth::Predict } else { Depth::Measure },
        patience: Duration::ZERO,
    })
}
