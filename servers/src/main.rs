//! `servers`: see `servers --help`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use servers::apps::{App, Echo, Fixed, Http, Proxy, Relay, Root};
use servers::cli::{AppName, Cli, Command, Run};
use servers::control::{Control, Patience};
use servers::keeper::{Hangups, Keeper};
use servers::listener::Listener;
use servers::models::{Listeners, Site, Workers};
use servers::progress::Progress;
use servers::proxy::Upstreams;
use servers::proxy::attendants::Attendants;
use servers::proxy::site::{Manners, ProxySite};
use servers::tables::{Room, Tables};
use servers::threads::Mappings;
use servers::{copies, cost, demonstrate, listener, listing, placement, replicas, tables, threads};

fn main() -> ExitCode {
    let done = match Cli::read().command {
        Command::List(list) => listing::write(&mut io::stdout().lock(), &list),
        Command::Demonstrate(show) => demonstrate::run(&mut io::stdout().lock(), &show),
        Command::Run(run) => serve(&run),
        Command::TimeWaits(options) => cost::run(&options, &mut io::stdout().lock()),
        Command::Balance(options) => replicas::command::run(&options),
        Command::Control(options) => replicas::control::run(&options, &mut io::stdout().lock()),
        Command::Place(options) => placement::command::run(&options, &mut io::stdout().lock()),
        Command::Packet(options) => packet::command::run(&options, &mut io::stdout().lock()),
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
    // Nothing else is put in its place: whoever measures it must not measure something else.
    if let Some(reason) = run.model.refusal() {
        bail!("the model {} cannot be had: {reason}", run.model.name);
    }
    let progress = run.progress.then(Progress::start);
    let hangups = if run.app.forwards() { Hangups::Heard } else { Hangups::End };
    let keeper = Keeper::new(progress, hangups).context("cannot watch for signals")?;
    let shape = shape(run)?;
    let control = Arc::new(control(run));
    let upstreams = upstreams(run)?;
    let app = app(run, &control, upstreams.as_ref())?;
    let per_copy = match run.model.listeners {
        Listeners::One => 1,
        Listeners::PerWorker => shape.workers,
    };
    let count = per_copy * usize::from(shape.tables);
    let listeners = listener::listen(run.listen, run.limits.backlog, count)?;
    let attendants = upstreams.map(|upstreams| attend(run, &upstreams, &control, &keeper));
    announce(&listeners, attendants.transpose()?.as_deref())?;
    let site = Site {
        app: app.as_ref(),
        control: &control,
        keeper: &keeper,
        workers: shape.workers,
        threads_max: shape.threads_max,
        stack_octets: run.limits.stack as usize,
    };
    let served = copies::serve(run.model, &site, listeners, per_copy);
    if let Some(path) = &run.counters {
        write_counters(path, &control, shape.tables)?;
    }
    served.with_context(|| format!("the model {} gave up", run.model.name))
}

/// How large a server is to be.
struct Shape {
    tables: u16,
    /// In each of them.
    workers: usize,
    threads_max: usize,
}

/// What the flags ask for, if there is room for that.
fn shape(run: &Run) -> anyhow::Result<Shape> {
    let limit = tables::raise_limit();
    let clients = run.clients.map(u64::from);
    let least = match run.tables {
        Some(Tables::Number(tables)) => tables,
        None | Some(Tables::Auto) => run.model.tables,
    };
    let each = run.app.descriptors(run);
    let room =
        |tables| Room::new(run.model, limit, tables, workers(run, tables)).where_each_takes(each);
    let tables = match (run.tables, clients) {
        // Where no number is enough, the check says so.
        (Some(Tables::Auto), Some(clients)) => room(least).enough(clients).unwrap_or(least),
        _ => least,
    };
    clients.map_or(Ok(()), |clients| room(tables).check(clients))?;
    Ok(Shape { tables, workers: workers(run, tables), threads_max: threads_max(run)? })
}

/// How many threads may serve one client each.
fn threads_max(run: &Run) -> anyhow::Result<usize> {
    if run.model.workers != Workers::PerConnection {
        return Ok(0);
    }
    let mappings = Mappings::count(run.limits.stack as usize);
    if let Some(clients) = run.clients {
        mappings.check(clients as usize)?;
        threads::check_host(clients as usize)?;
    }
    Ok(mappings.room())
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

fn app(
    run: &Run,
    control: &Arc<Control>,
    upstreams: Option<&Arc<Upstreams>>,
) -> anyhow::Result<Box<dyn App>> {
    let root = run.root.as_deref().map(Root::open).transpose()?;
    let site = upstreams.map(|upstreams| {
        let manners = Manners::new(&run.proxy, run.limits.write_timeout);
        Arc::new(ProxySite::new(Arc::clone(upstreams), manners))
    });
    let site = || site.context("there are no backends");
    Ok(match run.app {
        AppName::Echo => Box::new(Echo),
        AppName::Fixed => {
            Box::new(Fixed { reply: run.reply.as_bytes().into(), message: run.message_size })
        }
        AppName::Relay => Box::new(Relay::new(site()?, run.relay_by)?),
        AppName::Proxy => Box::new(Proxy { site: site()?, limits: message_limits(run) }),
        AppName::Http => Box::new(Http {
            control: Arc::clone(control),
            root: root.map(Arc::new),
            server_id: run.server_id().into(),
            limits: message_limits(run),
        }),
    })
}

/// How long messages may be.
fn message_limits(run: &Run) -> wire::http1::Limits {
    wire::http1::Limits {
        head: run.limits.head_max as usize,
        body: run.limits.body_max,
        ..wire::http1::Limits::default()
    }
}

/// The backends of a proxy or a relay.
fn upstreams(run: &Run) -> anyhow::Result<Option<Arc<Upstreams>>> {
    Ok(match run.app.forwards() {
        true => Some(Arc::new(run.proxy.upstreams()?)),
        false => None,
    })
}

/// Starts those who work beside a proxy, for as long as the keeper lives.
fn attend(
    run: &Run,
    upstreams: &Arc<Upstreams>,
    control: &Control,
    keeper: &Keeper,
) -> anyhow::Result<Arc<Attendants>> {
    let attendants = Arc::new(Attendants::start(&run.proxy, upstreams, &control.stats)?);
    let reader = Arc::clone(&attendants);
    keeper.at_hangup(move || {
        if let Err(error) = reader.reload() {
            eprintln!("servers: the backends stay as they were: {error}");
        }
    });
    Ok(attendants)
}

/// How many workers each table has.
fn workers(run: &Run, tables: u16) -> usize {
    let asked = run.workers.map(usize::from);
    match run.model.workers {
        Workers::One | Workers::PerConnection => 1,
        Workers::Fixed(count) => asked.unwrap_or(count),
        Workers::PerCpu => asked.unwrap_or_else(|| {
            let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            cpus.div_ceil(tables.into())
        }),
    }
}

/// Tells whoever started us where we listen, as soon as clients may come.
fn announce(listeners: &[Listener], attendants: Option<&Attendants>) -> anyhow::Result<()> {
    let address = listener::address_of(listeners)?;
    let mut out = io::stdout().lock();
    writeln!(out, "listening {address}")?;
    if let Some(admin) = attendants.and_then(Attendants::admin_address) {
        writeln!(out, "admin {admin}")?;
    }
    Ok(out.flush()?)
}

fn write_counters(path: &Path, control: &Control, tables: u16) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut file = File::create(path)?;
        serde_json::to_writer_pretty(&mut file, &control.stats.report(tables))?;
        Ok(writeln!(file)?)
    };
    write().with_context(|| format!("cannot write the counters to {}", path.display()))
}
