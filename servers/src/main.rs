//! `servers`: see `servers --help`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use servers::apps::{App, Echo, Http, Root};
use servers::cli::{AppName, Cli, Command, Run};
use servers::control::{Control, Patience};
use servers::descriptors::Room;
use servers::keeper::Keeper;
use servers::listener::Listener;
use servers::models::{Family, Listeners, Model, Site, Workers};
use servers::progress::Progress;
use servers::{descriptors, listener, listing};

fn main() -> ExitCode {
    let done = match Cli::read().command {
        Command::List(list) => listing::write(&mut io::stdout().lock(), list.format),
        Command::Run(run) => serve(&run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("servers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(run: &Run) -> anyhow::Result<()> {
    let progress = run.progress.then(Progress::start);
    let keeper = Keeper::new(progress).context("cannot watch for signals")?;
    let workers = workers(run.model, run.workers.map(usize::from));
    let room = Room { table: descriptors::raise_limit(), descriptors: run.descriptors, workers };
    run.clients.map_or(Ok(()), |clients| room.check(clients.into()))?;
    let control = Arc::new(control(run));
    let app = app(run, &control)?;
    let listeners = match run.model.listeners {
        Listeners::One => 1,
        Listeners::PerWorker => workers,
    };
    let listeners = listener::listen(run.listen, run.limits.backlog, listeners)?;
    announce(&listeners)?;
    let site = Site {
        app: app.as_ref(),
        control: &control,
        keeper: &keeper,
        workers,
        descriptors: run.descriptors,
        stack_octets: run.limits.stack as usize,
    };
    let served = keep_and_serve(run.model, &site, listeners);
    if let Some(path) = &run.counters {
        write_counters(path, &control)?;
    }
    served.with_context(|| format!("the model {} gave up", run.model.name))
}

/// Serves until the server stops. Blocking models need somebody beside them who keeps the time.
fn keep_and_serve(model: &Model, site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    if model.family != Family::Blocking {
        return (model.serve)(site, listeners);
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| site.keeper.keep_until(&done, site.control));
        let served = (model.serve)(site, listeners);
        done.store(true, Ordering::Release);
        served
    })
}

fn control(run: &Run) -> Control {
    let limits = &run.limits;
    let patience = Patience {
        head: limits.head_timeout.into(),
        body: limits.body_timeout.into(),
        idle: limits.idle_timeout.into(),
        write: limits.write_timeout.into(),
        linger: std::time::Duration::from_secs(2).into(),
        drain: limits.drain_timeout.into(),
    };
    Control::new(patience, limits.buffer as usize)
}

fn app(run: &Run, control: &Arc<Control>) -> anyhow::Result<Box<dyn App>> {
    let root = run.root.as_deref().map(Root::open).transpose()?;
    Ok(match run.app {
        AppName::Echo => Box::new(Echo),
        AppName::Http => Box::new(Http {
            control: Arc::clone(control),
            root: root.map(Arc::new),
            limits: wire::http1::Limits {
                head: run.limits.head_max as usize,
                body: run.limits.body_max,
                ..wire::http1::Limits::default()
            },
        }),
    })
}

fn workers(model: &Model, asked: Option<usize>) -> usize {
    match model.workers {
        Workers::One | Workers::PerConnection => 1,
        Workers::Fixed(count) => asked.unwrap_or(count),
        Workers::PerCpu => asked.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }),
    }
}

/// Tells whoever started us where we listen, as soon as clients may come.
fn announce(listeners: &[Listener]) -> anyhow::Result<()> {
    let address = listener::address_of(listeners)?;
    let mut out = io::stdout().lock();
    writeln!(out, "listening {address}")?;
    Ok(out.flush()?)
}

fn write_counters(path: &Path, control: &Control) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut file = File::create(path)?;
        serde_json::to_writer_pretty(&mut file, &control.stats.report())?;
        Ok(writeln!(file)?)
    };
    write().with_context(|| format!("cannot write the counters to {}", path.display()))
}
