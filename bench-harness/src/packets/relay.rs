//! A row of `relays.csv`: octets that a relay of TCP carries from one socket to the other and back,
//! by read(2) and write(2), by splice(2), or by a program in the kernel (sockmap).

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use loadgen::report::Summary;
use serde::{Deserialize, Serialize};

use super::cpu::Used;
use super::rate::Outcome;
use super::site::Site;
use crate::experiment::App;
use crate::launch::child::Child;
use crate::launch::{LoadPlan, summary};

/// The model that relays; all ways have the same.
const MODEL: &str = "epoll-level";
/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// Why a relay that works has no number: the trial was too short for so slow a host.
pub const TOO_FEW: &str = "too few for a median";

/// How octets are carried: a value of `servers run --relay-by`.
pub const WAYS: [&str; 3] = ["copy", "splice", "sockmap"];

/// What is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its name.
    pub name: &'static str,
    /// Octets of a message, which the backend sends back.
    pub size: u64,
}

/// One small message under way, and one large one.
pub const LOADS: [Load; 2] =
    [Load { name: "small", size: 64 }, Load { name: "bulk", size: 4 << 20 }];

/// One way of relaying under one load in one pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Relay {
    /// The way.
    pub way: String,
    /// The load.
    pub load: String,
    /// Octets of a message.
    pub size: u64,
    /// The number of the pass, from 1.
    pub pass: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not there; empty when it is.
    pub reason: String,
    /// Messages that came back, each compared octet by octet.
    pub exchanges: u64,
    /// Messages that did not, or were not the same.
    pub errors: u64,
    /// The median time from a message to the end of its echo, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 are not longer; none of too few.
    pub p99_us: Option<f64>,
    /// Octets per second in one direction.
    pub octets_per_s: f64,
    /// CPU time of the relay for one exchange, in microseconds.
    pub relay_us_each: f64,
    /// CPU time of the whole host for one, in microseconds: with both ends, and with what the
    /// kernel does in nobody's name.
    pub host_us_each: f64,
}

/// What `servers run --help` says about ways of relaying: which of [`WAYS`] there are.
///
/// # Errors
/// When the servers do not tell.
pub fn on_offer(site: &Site) -> Result<Vec<&'static str>> {
    let line = ["run", "--help"].map(ToOwned::to_owned);
    let help = Child::start(&site.servers, &line, &site.pinning.server)?.finish(START)?;
    let Some((_, about)) = help.split_once("--relay-by") else { return Ok(Vec::new()) };
    // Up to the next flag; each value is listed with a dash, or in brackets.
    let about = about.split("\n      --").next().unwrap_or(about);
    let named = |way: &&str| about.split(|c: char| !c.is_alphanumeric()).any(|word| word == *way);
    Ok(WAYS.into_iter().filter(named).collect())
}

/// Makes a trial; what goes wrong is a row, too.
#[must_use]
pub fn relay(site: &Site, way: &str, load: Load, pass: u32) -> Relay {
    let (name, kind) = (way.to_owned(), load.name.to_owned());
    let blank = Relay { way: name, load: kind, size: load.size, pass, ..Relay::default() };
    measure(site, way, load, blank.clone()).unwrap_or_else(|error| Relay {
        outcome: Outcome::Failed,
        reason: format!("{error:#}"),
        ..blank
    })
}

/// The row of a way that this version of the servers does not have.
#[must_use]
pub fn skipped(way: &str, load: Load) -> Relay {
    Relay {
        way: way.to_owned(),
        load: load.name.to_owned(),
        size: load.size,
        reason: format!("`servers run --help` shows no --relay-by {way}"),
        ..Relay::default()
    }
}

fn measure(site: &Site, way: &str, load: Load, blank: Relay) -> Result<Relay> {
    let (server, client) = (&site.pinning.server, &site.pinning.client);
    let (backend, behind) = serve(site, client, "--app echo")?;
    let line = format!("--app relay --relay-by {way} --backend {behind}");
    let (relay, address) = serve(site, server, &line)?;
    let plan = plan(load, site.effort.relay);
    let arguments = plan.arguments(address, relay.pid());
    let mut loadgen = Child::start(&site.loadgen, &arguments, client)?;
    let cpus = busy_cpus(relay.pid(), &plan)?;
    let text = loadgen.finish(plan.patience())?;
    drop((relay, backend));
    row(&summary::read(&text)?, cpus, load, blank)
}

/// How many CPUs of the host are busy in the middle of a measurement that has just begun.
fn busy_cpus(relay: u32, plan: &LoadPlan) -> Result<f64> {
    sleep(plan.warm_up + plan.measure / 4);
    let (start, before) = (Instant::now(), Used::by(relay)?);
    sleep(plan.measure / 2);
    Ok(Used::by(relay)?.since(before).host / start.elapsed().as_secs_f64())
}

/// Starts a server and waits until it listens.
///
/// # Errors
/// When it does not come up.
pub(super) fn serve(site: &Site, cpus: &[usize], line: &str) -> Result<(Child, SocketAddr)> {
    let all = format!("run --model {MODEL} {line} --listen 127.0.0.1:0");
    let arguments: Vec<_> = all.split_whitespace().map(ToOwned::to_owned).collect();
    let mut child = Child::start(&site.servers, &arguments, cpus)?;
    let said = child.line(START).with_context(|| format!("starting `servers {all}`"))?;
    let address = said.strip_prefix("listening ").and_then(|address| address.parse().ok());
    Ok((child, address.with_context(|| format!("`servers {all}` began with `{said}`"))?))
}

/// One connection, one message under way.
fn plan(load: Load, measure: Duration) -> LoadPlan {
    let closed = LoadPlan::closed(App::Echo, 1, measure / 5, measure);
    LoadPlan { size: Some(load.size), ..closed }
}

fn row(summary: &Summary, cpus: f64, load: Load, blank: Relay) -> Result<Relay> {
    let exchanges = summary.requests.answered;
    let at = |percent: f64| {
        let found = summary.latency.percentiles.iter().find(|p| p.percent == percent);
        found.and_then(|p| p.value_ns).map(|ns| ns as f64 / 1e3)
    };
    let used = summary.server.context("loadgen did not watch the relay")?;
    let cpu = (used.user_ns + used.system_ns) as f64 / 1e3;
    Ok(Relay {
        outcome: Outcome::Ok,
        exchanges,
        errors: summary.errors.total(),
        p50_us: at(50.0)
            .with_context(|| format!("{exchanges} messages came back, which is {TOO_FEW}"))?,
        p99_us: at(99.0),
        octets_per_s: summary.rate * load.size as f64,
        relay_us_each: cpu / exchanges.max(1) as f64,
        host_us_each: 1e6 * cpus / summary.rate.max(f64::MIN_POSITIVE),
        ..blank
    })
}
