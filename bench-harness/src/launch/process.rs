//! Real processes: the binaries `servers` and `loadgen`, each on CPUs of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::child::{Child, Ended};
use super::pinning::Pinning;
use super::sampler::{Sample, Sampler, cpu_of};
use super::{Backend, Behind, Counters, Launcher, Left, LoadPlan, Server, ServerPlan};
use crate::experiment::model::Model;
use crate::experiment::policy::Policy;
use crate::fault::usage;
use crate::restraint::{Bonds, Hold, Restraint};
use crate::results::file;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// How long a server may take to drain after SIGTERM.
const DRAIN: Duration = Duration::from_secs(15);

/// How long a question such as `--version` may take.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a quick calibration may take.
const CALIBRATION: Duration = Duration::from_secs(90);

/// Where the binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The binary `servers`.
    pub servers: PathBuf,
    /// The binary `loadgen`.
    pub loadgen: PathBuf,
}

impl Binaries {
    /// Looks in the given folder, or else beside the running program.
    ///
    /// # Errors
    /// A usage error that says how to build them when one is missing.
    pub fn find(folder: Option<&Path>) -> Result<Self> {
        let beside = std::env::current_exe().context("finding the running program")?;
        let folder = folder.or_else(|| beside.parent()).unwrap_or_else(|| Path::new("."));
        let find = |name: &str| match folder.join(name) {
            path if path.is_file() => Ok(path),
            _ => usage(format!(
                "no program `{name}` in {}; build it with `cargo build --release`, \
                 or name its folder with --bin-dir",
                folder.display()
            )),
        };
        Ok(Self { servers: find("servers")?, loadgen: find("loadgen")? })
    }

    /// The models that the servers offer.
    ///
    /// # Errors
    /// When `servers list` fails or prints something else.
    pub fn models(&self) -> Result<Vec<Model>> {
        let text = ask(&self.servers, &["list", "--format", "json"])?;
        serde_json::from_str(&text).context("reading `servers list --format json`")
    }

    /// The policies that the proxies offer.
    ///
    /// # Errors
    /// When `servers list` fails or prints something else.
    pub fn policies(&self) -> Result<Vec<Policy>> {
        let text = ask(&self.servers, &["list", "--policies", "--format", "json"])?;
        serde_json::from_str(&text).context("reading `servers list --policies --format json`")
    }

    /// Lets the load generator measure itself; it leaves `calibration.json` in the folder.
    ///
    /// # Errors
    /// When there is none afterwards. One that shows that this host is too busy is one, too.
    pub fn calibrate(&self, folder: &Path) -> Result<()> {
        let folder = folder.display().to_string();
        let line = ["calibrate", "--quick", "--spin", "0s", "--out", &folder];
        let outcome = run(&self.loadgen, &line, CALIBRATION);
        match outcome {
            Err(_) if Path::new(&folder).join(file::CALIBRATION).exists() => Ok(()),
            outcome => outcome.map(drop).context("calibrating the load generator"),
        }
    }

    /// The first line that a program says to `--version`, or `unknown`.
    #[must_use]
    pub fn version(program: &Path) -> String {
        let said = ask(program, &["--version"]).unwrap_or_default();
        said.lines().next().unwrap_or("unknown").to_owned()
    }
}

fn ask(program: &Path, arguments: &[&str]) -> Result<String> {
    run(program, arguments, ANSWER)
}

/// Runs a program to its end, on all CPUs.
fn run(program: &Path, arguments: &[&str], patience: Duration) -> Result<String> {
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let everywhere = Pinning::of_this_host()?;
    let cpus = [everywhere.server, everywhere.client].concat();
    Child::start(program, &arguments, &cpus)?.finish(patience)
}

/// Starts the two binaries.
#[derive(Debug)]
pub struct Processes {
    binaries: Binaries,
    pinning: Pinning,
    scratch: PathBuf,
    hold: Option<Hold>,
    samples: Vec<Sample>,
}

impl Processes {
    /// `scratch` is a folder for short-lived files; it has to exist.
    #[must_use]
    pub fn new(binaries: Binaries, pinning: Pinning, scratch: &Path) -> Self {
        Self { binaries, pinning, scratch: scratch.to_owned(), hold: None, samples: Vec::new() }
    }

    /// The same, with servers under limits of their own.
    #[must_use]
    pub fn under(self, hold: Hold) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// The limits that servers are started under.
    #[must_use]
    pub fn restraint(&self) -> Option<&Restraint> {
        self.hold.as_ref().map(Hold::restraint)
    }

    /// Bonds for a server that is only looked at; see [`Hold::loose_bonds`].
    ///
    /// # Errors
    /// When a cgroup can't be made.
    pub fn loose_bonds(&mut self) -> Result<Bonds> {
        self.hold.as_mut().map_or_else(|| Ok(Bonds::default()), Hold::loose_bonds)
    }

    /// Puts the host back as it was, and says whether that worked.
    ///
    /// # Errors
    /// What could not be put back, and how to do it by hand.
    pub fn release(self) -> Result<()> {
        self.hold.map_or(Ok(()), Hold::release)
    }

    /// Starts a server, after what stands behind it, and waits until it listens.
    ///
    /// # Errors
    /// When it does not start; the text says what it printed.
    pub fn start(&mut self, plan: &ServerPlan) -> Result<Serving> {
        let backends = self.backends(plan.behind.as_ref())?;
        let bonds = self.hold.as_mut().map_or_else(|| Ok(Bonds::default()), Hold::bonds)?;
        let line = [arguments(plan), behind(plan, &backends)].concat();
        let serving = self.spawn("server", &line, &self.pinning.server, bonds)?;
        Ok(Serving { backends, ..serving })
    }

    /// Starts the backends of a proxy. They are under no limits, so that the proxy alone meets
    /// them.
    fn backends(&self, behind: Option<&Behind>) -> Result<Vec<Serving>> {
        let Some(Behind { backends, backend, .. }) = behind else { return Ok(Vec::new()) };
        let start = |number| {
            let (name, line) = (backend_name(number), arguments(backend));
            let backend = self.spawn(&name, &line, self.pinning.behind(), Bonds::default());
            backend.with_context(|| format!("starting {name}"))
        };
        (1..=*backends as usize).map(start).collect()
    }

    fn spawn(&self, name: &str, line: &[String], cpus: &[usize], bonds: Bonds) -> Result<Serving> {
        let counters = self.scratch.join(format!("counters-{name}.json"));
        // Made anew: those of an earlier server must not be taken for this one's, and this one may
        // run as a user that can't make files here.
        File::create(&counters).with_context(|| format!("making {}", counters.display()))?;
        chown(&counters, bonds.user(), None)?;
        let place = ["--counters".into(), counters.display().to_string()];
        let line = [line, &place].concat();
        let mut child = Child::bound(&self.binaries.servers, &line, cpus, bonds)?;
        let said = child.line(START)?;
        let address = said.strip_prefix("listening ").and_then(|address| address.parse().ok());
        let address = address
            .with_context(|| format!("`servers` began with `{said}`, not with its address"))?;
        Ok(Serving { child, address, counters, backends: Vec::new() })
    }

    /// Starts the load generator.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn generator(&self, arguments: &[String]) -> Result<Child> {
        Child::start(&self.binaries.loadgen, arguments, &self.pinning.client)
    }
}

impl Launcher for Processes {
    fn serve(&mut self, plan: &ServerPlan) -> Result<Box<dyn Server>> {
        Ok(Box::new(self.start(plan)?))
    }

    fn load(&mut self, plan: &LoadPlan, server: &dyn Server) -> Result<String> {
        let line = plan.arguments(server.address(), server.pid());
        let mut child = Child::start(&self.binaries.loadgen, &line, &self.pinning.client)?;
        let sampler = plan.samples.then(|| Sampler::start(processes(server, child.pid())));
        let said = child.finish(plan.patience());
        self.samples = sampler.map_or_else(Vec::new, Sampler::finish);
        said
    }

    fn samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples)
    }
}

fn backend_name(number: usize) -> String {
    format!("backend-{number}")
}

/// The processes of a trial, by name.
fn processes(server: &dyn Server, generator: u32) -> Vec<(String, u32)> {
    let behind = server.backends().into_iter().enumerate();
    let behind = behind.map(|(place, pid)| (backend_name(place + 1), pid));
    let ends = [("server".to_owned(), server.pid()), ("loadgen".to_owned(), generator)];
    ends.into_iter().chain(behind).collect()
}

fn arguments(plan: &ServerPlan) -> Vec<String> {
    let ServerPlan { model, app, workers, options, behind: _ } = plan;
    let mut line =
        vec!["run".into(), "--model".into(), model.clone(), "--app".into(), app.to_string()];
    line.extend(["--listen".into(), "127.0.0.1:0".into()]);
    line.extend(workers.iter().flat_map(|count| ["--workers".into(), count.to_string()]));
    line.extend(options.iter().cloned());
    line
}

/// What a proxy is told of its backends.
fn behind(plan: &ServerPlan, backends: &[Serving]) -> Vec<String> {
    let policy = plan.behind.iter().flat_map(|behind| &behind.policy);
    let policy = policy.flat_map(|policy| ["--policy".into(), policy.clone()]);
    let addresses = backends.iter().map(|backend| backend.address.to_string());
    addresses.flat_map(|address| ["--backend".into(), address]).chain(policy).collect()
}

/// A server process that has said where it listens.
#[derive(Debug)]
pub struct Serving {
    /// Before the backends: a proxy goes first.
    child: Child,
    address: SocketAddr,
    counters: PathBuf,
    backends: Vec<Self>,
}

impl Serving {
    /// Asks it to stop, and waits for its end, whatever that is; also when it has ended before.
    ///
    /// # Errors
    /// When it does not end within `patience`. It is killed then.
    pub fn end(mut self, patience: Duration) -> Result<(Ended, Option<Counters>)> {
        // What has ended already says why by its status.
        let _ = self.child.terminate();
        let ended = self.child.end(patience)?;
        Ok((ended, self.counted()))
    }

    /// Lets a backend end, and says what it did.
    fn retire(mut self) -> Result<Backend> {
        let cpu = cpu_of(self.child.pid()).unwrap_or_default();
        self.child.terminate()?;
        self.child.finish(DRAIN)?;
        let Counters { answered, accepted, .. } = self.counted().unwrap_or_default();
        let cpu_ns = cpu.as_nanos().try_into().unwrap_or(u64::MAX);
        Ok(Backend { answered, accepted, cpu_ns })
    }

    /// What it counted; nothing when it had no time for it.
    fn counted(&self) -> Option<Counters> {
        let text = fs::read_to_string(&self.counters).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Server for Serving {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.child.pid()
    }

    fn backends(&self) -> Vec<u32> {
        self.backends.iter().map(Server::pid).collect()
    }

    fn stop(mut self: Box<Self>) -> Result<Left> {
        self.child.terminate()?;
        self.child.finish(DRAIN)?;
        let backends = std::mem::take(&mut self.backends).into_iter();
        let backends = backends.map(Self::retire).collect::<Result<_>>().context("a backend")?;
        Ok(Left { counters: self.counted(), backends })
    }
}
