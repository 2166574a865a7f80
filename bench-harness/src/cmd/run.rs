//! `run`: makes all trials of an experiment, then its charts and its report.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{condition, print, raise, verify};
use crate::calibration::Calibration;
use crate::cli::{self, Places};
use crate::experiment::load::{self, Source};
use crate::experiment::matrix::{self, Expansion};
use crate::experiment::model::Model;
use crate::experiment::{App, Trial, order};
use crate::fault::{Unfit, usage};
use crate::folder::Folder;
use crate::launch::Launcher;
use crate::launch::process::{Binaries, Processes};
use crate::manifest::{Manifest, Place};
use crate::progress::{Progress, Style};
use crate::report::table;
use crate::restraint::Hold;
use crate::results::{Recorder, Run, Scratch, file};
use crate::runner::{self, Setting};
use crate::{interrupt, kept};

/// The measuring phase of a try.
const TRY: Duration = Duration::from_millis(500);

/// Why a model is not timed, by model and app.
type Disqualified = BTreeMap<(String, App), String>;

/// Runs the sub-command.
///
/// # Errors
/// A usage error before anything is started; [`Unfit`] when no trial gave a number; otherwise what
/// failed. An interrupted run is kept, and is an error.
pub fn run(options: &cli::Run, places: &Places) -> Result<()> {
    let source = load::find(&places.experiments, &options.experiment)?;
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let models = binaries.models()?;
    source.check_models(&models)?;
    if source.names_policies() {
        source.check_policies(&binaries.policies()?)?;
    }
    verify::check_names(&options.cells.models, &models)?;
    let source = adjusted(source, options);
    let mut expansion = matrix::expand(&source.experiment, &models, &condition(&options.cells)?);
    if options.cells.cases {
        let cases = &source.experiment.case;
        expansion.cells.retain(|cell| cases.iter().any(|case| case.holds(cell)));
    }
    if expansion.cells.is_empty() {
        return usage("no cell of the matrix is left; `list EXPERIMENT` shows all of them");
    }
    options.calibration.as_deref().map(Calibration::read).transpose()?;
    raise_descriptor_limit();
    interrupt::listen()?;
    let path = measure(&source, options, binaries, models, &expansion)?;
    publish(&Run::read(&path)?)
}

/// The experiment with the changes that the command line asks for.
fn adjusted(mut source: Source, options: &cli::Run) -> Source {
    let experiment = &mut source.experiment;
    let repeat = options.repeat.or_else(|| options.quick.then_some(1));
    experiment.repeat = repeat.and_then(|n| n.try_into().ok()).unwrap_or(experiment.repeat);
    match experiment.load.count {
        Some(_) if options.quick => experiment.load.tenth(),
        None if options.quick => experiment.load.measure = TRY,
        _ => {}
    }
    experiment.load.measure = options.duration.unwrap_or(experiment.load.measure);
    experiment.load.cpu_samples |= options.cpu_samples;
    source
}

/// The children inherit it. Where the hard limit is too low as well, the load generator says so.
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

fn measure(
    source: &Source,
    options: &cli::Run,
    binaries: Binaries,
    models: Vec<Model>,
    expansion: &Expansion,
) -> Result<std::path::PathBuf> {
    let seed = options.seed.unwrap_or_else(clock_seed);
    let trials = order::interleaved(&expansion.cells, source.experiment.repeat.get(), seed);
    let mut place = Place::look(&binaries)?;
    if expansion.cells.iter().any(|cell| cell.app.is_proxy()) {
        place.pinning = place.pinning.with_backends();
    }
    let mut recorder = Recorder::create(&options.out, &source.name, &place.run_name())?;
    let setting = Setting {
        run: recorder.run(),
        experiment: source.name.clone(),
        load: source.experiment.load.clone(),
        proxy: source.experiment.proxy.clone().unwrap_or_default(),
        pinning: place.pinning.clone(),
        models,
        descriptors: getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, hard)| hard),
        sessions: recorder.path().join(file::SESSIONS),
    };
    let mut manifest = manifest(source, seed, &trials, expansion, &setting, place);
    recorder.write_manifest(&manifest)?;
    recorder.folder().keep(file::EXPERIMENT, source.text.as_bytes())?;
    calibrate(options, &binaries, recorder.folder())?;
    let scratch = Scratch::new()?;
    let hold = raise(&setting, &trials, &mut manifest)?;
    recorder.write_manifest(&manifest)?;
    let launcher = Processes::new(binaries, setting.pinning.clone(), scratch.path());
    let mut launcher = match hold {
        Some(hold) => launcher.under(hold),
        None => launcher,
    };
    let done = trials_of_a_run(&trials, &setting, &mut launcher, &mut recorder)?;
    manifest.finish(done);
    recorder.write_manifest(&manifest)?;
    match interrupt::requested() {
        true => bail!(
            "interrupted after {done} of {} trials; they are kept in {}",
            trials.len(),
            recorder.path().display()
        ),
        false => Ok(recorder.path().to_owned()),
    }
}

/// Raises the limits on threads, if the experiment asks for that. Where this process may not, the
/// run goes on, and clients for whom there is no thread are refused.
fn raise(setting: &Setting, trials: &[Trial], manifest: &mut Manifest) -> Result<Option<Hold>> {
    if !setting.load.raise {
        return Ok(None);
    }
    let threaded = |trial: &&Trial| setting.has_thread_a_client(&trial.cell.model);
    let cells: Vec<_> = trials.iter().filter(threaded).map(|trial| &trial.cell).collect();
    match raise::hold(&cells) {
        Ok(hold) => {
            let host = hold.iter().flat_map(|hold| &hold.restraint().host);
            manifest.raised = host.map(|(name, value)| format!("{name} = {value}")).collect();
            Ok(hold)
        }
        Err(error) if interrupt::requested() => Err(error),
        Err(error) => {
            eprintln!("the limits on threads stay as they are: {error:#}");
            Ok(None)
        }
    }
}

/// Puts a calibration into the folder of the run, if one is asked for.
fn calibrate(options: &cli::Run, binaries: &Binaries, folder: &Folder) -> Result<()> {
    if let Some(path) = &options.calibration {
        let text = fs::read(path).with_context(|| path.display().to_string())?;
        folder.keep(file::CALIBRATION, &text)?;
    }
    if options.calibrate {
        eprintln!("calibrating the load generator, about 20 seconds");
        binaries.calibrate(folder.path())?;
    }
    Ok(())
}

fn clock_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

fn manifest(
    source: &Source,
    seed: u64,
    trials: &[Trial],
    expansion: &Expansion,
    setting: &Setting,
    place: Place,
) -> Manifest {
    let milliseconds = |span: Duration| span.as_millis().try_into().unwrap_or(u64::MAX);
    let run = setting.run.clone();
    Manifest {
        seed,
        repeat: source.experiment.repeat.get(),
        measure_ms: milliseconds(setting.load.measure),
        warm_up_ms: milliseconds(setting.load.warm_up),
        skipped: expansion.skipped.iter().map(|(cell, why)| format!("{cell}: {why}")).collect(),
        ..Manifest::begin(&source.name, run, trials.len(), &setting.models, place)
    }
}

/// Makes the trials one after the other; returns how many have a row.
fn trials_of_a_run(
    trials: &[Trial],
    setting: &Setting,
    launcher: &mut dyn Launcher,
    recorder: &mut Recorder,
) -> Result<usize> {
    let disqualified = disqualified(trials, setting, launcher);
    let mut progress = Progress::new(Style::of_this_terminal(), trials.len());
    for (done, trial) in trials.iter().enumerate() {
        progress.begin(trial);
        let measurement = match disqualified.get(&(trial.cell.model.clone(), trial.cell.app)) {
            None => runner::run_trial(trial, setting, launcher),
            Some(why) => runner::not_made(trial, setting, &format!("not timed: {why}")),
        };
        // A trial that was cut short says nothing about its model.
        if interrupt::requested() {
            progress.close();
            return Ok(done);
        }
        recorder.append(&measurement)?;
        progress.end(&measurement.row);
    }
    progress.close();
    Ok(trials.len())
}

/// What answers wrongly is not timed.
fn disqualified(trials: &[Trial], setting: &Setting, launcher: &mut dyn Launcher) -> Disqualified {
    let asked =
        |model: &str, app| trials.iter().any(|t| t.cell.model == model && t.cell.app == app);
    let pairs = verify::needed(&setting.models, asked);
    let mut wrong = Disqualified::new();
    for (model, app) in pairs {
        if interrupt::requested() {
            break;
        }
        if let Err(error) = verify::check(&model, app, launcher) {
            eprintln!("{} {app}: {error:#}", model.name);
            wrong.insert((model.name, app), format!("{error:#}"));
        }
    }
    eprintln!("checked that all models answer correctly: {} do not", wrong.len());
    wrong
}

/// Charts, report, and a table for the terminal.
fn publish(run: &Run) -> Result<()> {
    let figures = kept::publish(run)?;
    let mut text = table::plain(&run.rows, &run.manifest.models);
    for figure in &figures {
        text += &format!("{}\n", figure.finding);
    }
    let path = run.folder.path();
    text += &format!(
        "\ncsv     {}\ncharts  {}\nreport  {}\n",
        path.join(file::TRIALS).display(),
        path.join(file::PLOTS).display(),
        path.join(file::REPORT).display(),
    );
    print(&text)?;
    let measured = run.rows.iter().any(|row| row.outcome.measured());
    if measured {
        Ok(())
    } else {
        Err(Unfit("no trial gave a number; trials.csv says why".into()).into())
    }
}
