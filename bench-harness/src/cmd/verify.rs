//! `verify`: each model answers correctly, before anything is timed.
//!
//! A server that answers quickly and wrongly wins every benchmark. So the load generator compares
//! each octet of each echo and parses each HTTP reply, here as in every trial; this is the short
//! form.

use std::time::Duration;

use anyhow::Result;

use super::print;
use crate::cli::{Places, Verify};
use crate::experiment::condition::Condition;
use crate::experiment::load::{self, names};
use crate::experiment::model::Model;
use crate::experiment::{App, matrix};
use crate::fault::{Unfit, usage};
use crate::launch::pinning::Pinning;
use crate::launch::process::{Binaries, Processes};
use crate::launch::{Count, Launcher, LoadPlan, ServerPlan, summary};
use crate::results::Scratch;

/// Clients of a check.
const CLIENTS: u64 = 8;

/// Requests of each client of a proxy.
const THROUGH_A_PROXY: u64 = 3;

/// Sizes of a check, in octets: the default of the app, and one that no socket buffer takes whole.
const SIZES: [Option<u64>; 2] = [None, Some(300_000)];

/// A model with an app, to be checked.
pub(super) type Pair = (Model, App);

/// Runs the sub-command.
///
/// # Errors
/// [`Unfit`] when a model answers wrongly or not at all.
pub fn run(options: &Verify, places: &Places) -> Result<()> {
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let models = binaries.models()?;
    let pairs = pairs(options, places, &models)?;
    let scratch = Scratch::new()?;
    let mut launcher = Processes::new(binaries, Pinning::of_this_host()?, scratch.path());
    let mut wrong = 0;
    for (model, app) in &pairs {
        let verdict = check(model, *app, &mut launcher);
        wrong += usize::from(verdict.is_err());
        let word = verdict.map_or_else(
            |why| format!("WRONG: {why:#}"),
            |count| format!("correct, {count} requests"),
        );
        print(&format!("{:<14} {app:<5}  {word}\n", model.name))?;
    }
    if wrong == 0 {
        Ok(())
    } else {
        Err(Unfit(format!("{wrong} of {} answered wrongly", pairs.len())).into())
    }
}

fn pairs(options: &Verify, places: &Places, models: &[Model]) -> Result<Vec<Pair>> {
    let mut pairs = match &options.experiment {
        None => every(models),
        Some(name) => {
            let source = load::find(&places.experiments, name)?;
            source.check_models(models)?;
            let cells = matrix::expand(&source.experiment, models, &Condition::default()).cells;
            needed(models, |model, app| {
                cells.iter().any(|cell| cell.model == model && cell.app == app)
            })
        }
    };
    check_names(&options.models, models)?;
    pairs.retain(|(model, _)| options.models.is_empty() || options.models.contains(&model.name));
    Ok(pairs)
}

/// Checks that all the names on a command line are those of models.
pub(super) fn check_names(asked: &[String], models: &[Model]) -> Result<()> {
    match asked.iter().find(|name| models.iter().all(|model| model.name != **name)) {
        None => Ok(()),
        Some(name) => usage(format!("no model `{name}`; the models are {}", names(models))),
    }
}

/// Each model as a server; as proxies they are checked where an experiment has proxies.
fn every(models: &[Model]) -> Vec<Pair> {
    needed(models, |_, app| !app.is_proxy())
}

/// Each model with each app that is asked for.
pub(super) fn needed(models: &[Model], asked: impl Fn(&str, App) -> bool) -> Vec<Pair> {
    let pairs = models.iter().flat_map(|model| App::ALL.map(|app| (model.clone(), app)));
    pairs.filter(|(model, app)| asked(&model.name, *app)).collect()
}

/// A short load of each size; the number of requests that were answered, all of them correctly.
pub(super) fn check(model: &Model, app: App, launcher: &mut dyn Launcher) -> Result<u64> {
    SIZES.iter().map(|size| answered(model, app, *size, launcher)).sum()
}

fn answered(
    model: &Model,
    app: App,
    size: Option<u64>,
    launcher: &mut dyn Launcher,
) -> Result<u64> {
    let server = launcher.serve(&ServerPlan::new(&model.name, app))?;
    let text = launcher.load(&plan(model, app, size), &*server);
    server.stop()?;
    let summary = summary::read(&text?)?;
    let (errors, answered) = (summary.errors.total(), summary.requests.answered);
    if errors > 0 || answered == 0 {
        return Err(
            Unfit(format!("{answered} answers, {errors} errors: {:?}", summary.errors)).into()
        );
    }
    Ok(answered)
}

fn plan(model: &Model, app: App, size: Option<u64>) -> LoadPlan {
    // Through a proxy on a busy host, a short time may be too short for any answer.
    let count = app.is_proxy().then_some(Count { each: THROUGH_A_PROXY, sessions: None });
    let clients = model.at_once.fair_clients(CLIENTS);
    let [warm_up, measure] = [10, 90].map(Duration::from_millis);
    let closed = LoadPlan::closed(app, clients, warm_up, measure);
    LoadPlan { size, count, timeout: Duration::from_secs(5), ..closed }
}
