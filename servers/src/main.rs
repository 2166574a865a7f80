//! `servers`: see `servers --help`.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::Arc;

use anyhow::Context;
use nix::sys::prctl;
use servers::apps::{App, Echo, Fixed, Http, Proxy, Relay, Root};
use servers::cli::{AppName, Cli, Command, Run};
use servers::control::{Control, Patience};
use servers::keeper::{Hangups, Keeper};
use servers::models::{Site, Workers};
use servers::progress::Progress;
use servers::proxy::Upstreams;
use servers::proxy::attendants::Attendants;
use servers::proxy::site::{Manners, ProxySite};
use servers::shape::{Shape, announce};
use servers::tables::{Room, Tables};
use servers::threads::Mappings;
use servers::{copies, cost, demonstrate, listing, notice, placement, replicas, tables, threads};

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
        // Whoever reads, such as head(1), has read enough.
        Err(error) if is_of_a_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            notice::write(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_of_a_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause();
    let plain = cause.downcast_ref().map(io::Error::kind);
    let of_json = || cause.downcast_ref().and_then(serde_json::Error::io_error_kind);
    plain.or_else(of_json) == Some(io::ErrorKind::BrokenPipe)
}

fn serve(run: &Run) -> anyhow::Result<()> {
    run.model.check()?;
    run.name.as_deref().map_or(Ok(()), go_by)?;
    let progress = run.progress.then(Progress::start);
    let hangups = if run.app.forwards() { Hangups::Heard } else { Hangups::End };
    let keeper = Keeper::new(progress, hangups).context("cannot watch for signals")?;
    let (shape, threads_max) = (shape(run)?, threads_max(run)?);
    let control = Arc::new(control(run));
    let upstreams = upstreams(run)?;
    let app = app(run, &control, upstreams.as_ref())?;
    let listeners = shape.listen(run.listen, run.limits.backlog)?;
    let attendants = upstreams.map(|upstreams| attend(run, &upstreams, &control, &keeper));
    let attendants = attendants.transpose()?;
    announce(&listeners, attendants.as_ref().and_then(|attendants| attendants.admin_address()))?;
    let site = Site {
        app: app.as_ref(),
        control: &control,
        keeper: &keeper,
        workers: shape.workers,
        threads_max,
        stack_octets: run.limits.stack as usize,
    };
    let served = copies::serve(run.model, &site, listeners, shape.listeners);
    if let Some(path) = &run.counters {
        write_counters(path, &control, shape.tables)?;
    }
    served.with_context(|| format!("the model {} gave up", run.model.name))
}

/// Goes by another name than that of its file, in all threads that are still to come (PR_SET_NAME,
/// prctl(2)).
fn go_by(name: &str) -> anyhow::Result<()> {
    let name = CString::new(name).context("--name has an octet of zero in it")?;
    prctl::set_name(&name).context("the process keeps its name")
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
    let shape = |tables| Shape::new(run.model, run.workers, tables);
    let room =
        |tables| Room::new(run.model, limit, tables, shape(tables).workers).where_each_takes(each);
    let tables = match (run.tables, clients) {
        // Where no number is enough, the check says so.
        (Some(Tables::Auto), Some(clients)) => room(least).enough(clients).unwrap_or(least),
        _ => least,
    };
    clients.map_or(Ok(()), |clients| room(tables).check(clients))?;
    Ok(shape(tables))
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
            notice::write(format_args!("the backends stay as they were: {error}"));
        }
    });
    Ok(attendants)
}

fn write_counters(path: &Path, control: &Control, tables: u16) -> anyhow::Result<()> {
    let mut octets = serde_json::to_vec_pretty(&control.stats.report(tables))?;
    octets.push(b'\n');
    put(path, &octets).with_context(|| format!("cannot write the counters to {}", path.display()))
}

/// Writes a file beside its place, which it takes when it is whole: nobody reads half of it. What
/// is no file, such as a pipe or /dev/stderr, keeps its place, and so does a file that we may write
/// in a directory that we may not.
fn put(path: &Path, octets: &[u8]) -> io::Result<()> {
    if path.metadata().is_ok_and(|place| !place.is_file()) {
        return fs::write(path, octets);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", process::id()));
    match fs::write(&beside, octets) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => fs::write(path, octets),
        written => written.and_then(|()| fs::rename(&beside, path)),
    }
}
