//! Whether balancers of jobs are right: each job done once, no server above its capacity, none lost
//! while the queue has room, and exactly those rejected that find it full.

mod account;
mod floor;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::check::{Check, Checks};
use super::rate::Outcome;
use super::site::Site;
use floor::Floor;

/// A program that balances, and how it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Its name.
    pub name: &'static str,
    /// Its line; the address to listen at comes behind it for the one in user space.
    line: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Xdp,
}

/// All of them.
pub const BALANCERS: [Balancer; 3] = [
    Balancer { name: "UDP socket", line: "packet jobs-balancer", kind: Kind::User },
    Balancer { name: "generic XDP", line: "packet balance --mode generic", kind: Kind::Xdp },
    Balancer { name: "native XDP", line: "packet balance --mode native", kind: Kind::Xdp },
];

/// Threads of a server.
const CAPACITY: u64 = 5;
/// How many jobs may wait, and how many more are asked for while nobody works.
const QUEUE: u64 = 1_024;
const BEYOND: u64 = 100;

/// One balancer under load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    /// The balancer.
    pub balancer: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not there; empty when it is.
    pub reason: String,
    /// Jobs that the client asked for.
    pub asked: u64,
    /// Jobs that came to the balancer.
    pub submitted: u64,
    /// Jobs that found the queue full.
    pub rejected: u64,
    /// Jobs that the servers have done.
    pub done: u64,
    /// Most jobs at the same time on one server.
    pub most_at_once: u64,
    /// How long the client took to ask, in seconds.
    pub seconds: f64,
}

/// Puts a balancer under load, and overloads it; the row of the load, and all statements.
#[must_use]
pub fn jobs(site: &Site, balancer: Balancer) -> (Jobs, Vec<Check>) {
    let mut checks = Checks::of("jobs, under load", balancer.name);
    let loaded = load(site, balancer, &mut checks);
    let (row, done) = match loaded {
        Ok(row) => (row, Ok(())),
        Err(error) => (failed(balancer, &error), Err(error)),
    };
    let mut rows = checks.or_skipped(done);
    let mut checks = Checks::of("jobs, more than there is room for", balancer.name);
    let done = overload(site, balancer, &mut checks);
    rows.extend(checks.or_skipped(done));
    (row, rows)
}

fn failed(balancer: Balancer, error: &anyhow::Error) -> Jobs {
    let (name, reason) = (balancer.name.to_owned(), format!("{error:#}"));
    Jobs { balancer: name, outcome: Outcome::Failed, reason, ..Jobs::default() }
}

/// Jobs without work, and room for all of them to wait: where servers have no CPU for a while, the
/// queue is as long as that while, and a short one would be full without the balancer's doing.
fn load(site: &Site, balancer: Balancer, checks: &mut Checks<'_>) -> Result<Jobs> {
    let floor = Floor::of(site, balancer, site.effort.jobs)?;
    let servers = floor.servers()?;
    let (asked, seconds) = floor.ask(site.effort.jobs)?;
    let account = floor.close(servers, asked, seconds)?;
    checks.same("jobs that came to the balancer", account.asked, account.balanced.submitted);
    checks.same("jobs rejected while the queue has room", 0, account.balanced.rejected);
    account.say(checks);
    Ok(account.row(balancer))
}

/// More jobs than may wait, while nobody works; then servers come.
fn overload(site: &Site, balancer: Balancer, checks: &mut Checks<'_>) -> Result<()> {
    let floor = Floor::of(site, balancer, QUEUE)?;
    let (asked, seconds) = floor.ask(QUEUE + BEYOND)?;
    let servers = floor.servers()?;
    let account = floor.close(servers, asked, seconds)?;
    checks.same("jobs that came to the balancer", QUEUE + BEYOND, account.balanced.submitted);
    checks.same("jobs rejected since the queue was full", BEYOND, account.balanced.rejected);
    account.say(checks);
    Ok(())
}
