//! Whether balancers of jobs are right: each job done once, no server above its capacity, none lost
//! while the queue has room, and exactly those rejected that find it full.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::check::{Check, Checks};
use super::rate::Outcome;
use super::site::{self, PORT, Site, ended, is_ready, ready, words};
use super::stage::{Role, Stage};
use crate::interrupt;
use crate::launch::child::Child;

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
    Balancer { name: "XDP, generic", line: "packet balance --mode generic", kind: Kind::Xdp },
    Balancer { name: "XDP, native", line: "packet balance --mode native", kind: Kind::Xdp },
];

/// The hosts: who asks, who balances, and who works.
const CLIENT: usize = 0;
const BALANCER: usize = 1;
const SERVERS: std::ops::Range<usize> = 2..5;
/// Threads of a server.
const CAPACITY: u64 = 5;
/// How many jobs may wait, and how many more are asked for while nobody works.
const QUEUE: u64 = 1_024;
const BEYOND: u64 = 100;
/// Jobs per second: far below what any of the balancers can give away.
const PER_SECOND: u64 = 10_000;
/// How long nobody may hear of a job until all are taken for done, and how long that may take.
const QUIET: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// From the first job to the last, in seconds.
    pub seconds: f64,
}

/// What `servers packet jobs-client` ends with.
#[derive(Deserialize)]
struct Asked {
    jobs: u64,
}

/// What `servers packet jobs-server` ends with.
#[derive(Clone, Copy, Default, Deserialize)]
struct Worked {
    done: u64,
    most_at_once: u64,
    over_capacity: u64,
    abandoned: u64,
}

/// What a balancer ends with.
#[derive(Clone, Copy, Deserialize)]
struct Balanced {
    submitted: u64,
    rejected: u64,
    done: u64,
}

/// What all of them say in the end.
struct Account {
    asked: u64,
    balanced: Balanced,
    worked: Vec<Worked>,
    seconds: f64,
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

/// Jobs without work, at a pace that leaves the queue room.
fn load(site: &Site, balancer: Balancer, checks: &mut Checks<'_>) -> Result<Jobs> {
    let floor = Floor::of(site, balancer)?;
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
    let floor = Floor::of(site, balancer)?;
    let (asked, seconds) = floor.ask(QUEUE + BEYOND)?;
    let servers = floor.servers()?;
    let account = floor.close(servers, asked, seconds)?;
    checks.same("jobs that came to the balancer", QUEUE + BEYOND, account.balanced.submitted);
    checks.same("jobs rejected since the queue was full", BEYOND, account.balanced.rejected);
    account.say(checks);
    Ok(())
}

/// A bed with a balancer at work.
struct Floor {
    stage: Stage,
    balancer: Child,
    /// Where clients and servers reach it.
    address: String,
    /// What lets frames pass at the other end of the balancer's cable.
    _pass: Option<Child>,
}

impl Floor {
    fn of(site: &Site, balancer: Balancer) -> Result<Self> {
        let stage = site.star(SERVERS.end)?;
        let address = format!("{}:{PORT}", stage.hosts[BALANCER].address);
        let line = match balancer.kind {
            Kind::User => format!("{} --listen {address}", balancer.line),
            Kind::Xdp => format!("{} --interface eth0 --port {PORT}", balancer.line),
        };
        let pass = match balancer.kind {
            Kind::User => None,
            Kind::Xdp => Some(pass(&stage)?),
        };
        let child = ready(&stage, BALANCER, &line)?;
        Ok(Self { stage, balancer: child, address, _pass: pass })
    }

    fn servers(&self) -> Result<Vec<Child>> {
        let line = format!(
            "packet jobs-server --balancer {} --capacity {CAPACITY} --heartbeat 100ms --quiet",
            self.address
        );
        SERVERS.map(|host| ready(&self.stage, host, &line)).collect()
    }

    /// Asks for jobs that take no time. How many went out, and how long that took.
    fn ask(&self, jobs: u64) -> Result<(u64, f64)> {
        let line = format!(
            "packet jobs-client --to {} --count {jobs} --rate {PER_SECOND} --quiet 0 0 0",
            self.address
        );
        let start = Instant::now();
        let asked: Asked = site::run(&self.stage, CLIENT, &line, PATIENCE)?;
        Ok((asked.jobs, start.elapsed().as_secs_f64()))
    }

    /// Waits until nothing happens any more, and asks everybody.
    fn close(self, servers: Vec<Child>, asked: u64, seconds: f64) -> Result<Account> {
        until_quiet(&servers)?;
        let worked: Result<Vec<Worked>> = servers.into_iter().map(ended).collect();
        Ok(Account { asked, worked: worked?, balanced: ended(self.balancer)?, seconds })
    }
}

/// What a program sends back natively arrives only where a program runs, too.
fn pass(stage: &Stage) -> Result<Child> {
    let ports = &stage.hub.as_ref().context("a star has a hub")?.ports;
    let port = ports.get(BALANCER).context("the balancer has a port")?;
    let line = format!("packet attach --program pass --interface {port}");
    let mut child = stage.start_in_hub(Role::Server, &words(&line))?;
    is_ready(&mut child, &line)?;
    Ok(child)
}

/// Waits until no server hears of a job any more.
fn until_quiet(servers: &[Child]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = heard(servers)?;
    loop {
        sleep(QUIET);
        let now = heard(servers)?;
        if now == last {
            return Ok(());
        }
        if interrupt::requested() || Instant::now() > deadline {
            bail!("jobs still came to servers after {} s", PATIENCE.as_secs());
        }
        last = now;
    }
}

/// Datagrams that came to each server's host.
fn heard(servers: &[Child]) -> Result<Vec<u64>> {
    let of = |server: &Child| {
        let path = format!("/proc/{}/net/snmp", server.pid());
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        datagrams(&text).with_context(|| format!("{path} is not as proc(5) says"))
    };
    servers.iter().map(of).collect()
}

/// `Udp: InDatagrams NoPorts …`, and the numbers in the line below.
fn datagrams(snmp: &str) -> Option<u64> {
    let line = snmp.lines().filter_map(|line| line.strip_prefix("Udp: ")).nth(1)?;
    line.split_whitespace().next()?.parse().ok()
}

impl Account {
    fn done(&self) -> u64 {
        self.worked.iter().map(|worked| worked.done).sum()
    }

    fn most_at_once(&self) -> u64 {
        self.worked.iter().map(|worked| worked.most_at_once).max().unwrap_or(0)
    }

    fn say(&self, checks: &mut Checks<'_>) {
        let accepted = self.balanced.submitted.saturating_sub(self.balanced.rejected);
        let over = self.worked.iter().map(|worked| worked.over_capacity).sum();
        let abandoned = self.worked.iter().map(|worked| worked.abandoned).sum();
        checks.same("jobs that servers did, of those accepted", accepted, self.done());
        checks.same("jobs that the balancer knows to be done", accepted, self.balanced.done);
        checks.at_most("most jobs at once on a server", CAPACITY, self.most_at_once());
        checks.same("jobs that came to a server without a free thread", 0, over);
        checks.same("jobs that servers gave up", 0, abandoned);
    }

    fn row(&self, balancer: Balancer) -> Jobs {
        Jobs {
            balancer: balancer.name.to_owned(),
            outcome: Outcome::Ok,
            reason: String::new(),
            asked: self.asked,
            submitted: self.balanced.submitted,
            rejected: self.balanced.rejected,
            done: self.done(),
            most_at_once: self.most_at_once(),
            seconds: self.seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_the_first_number_of_the_second_line() {
        let text = "Icmp: A B\nIcmp: 1 2\nUdp: InDatagrams NoPorts\nUdp: 17 3\nUdpLite: InDatagrams\n\
            UdpLite: 5\n";
        assert_eq!(datagrams(text), Some(17));
        assert_eq!(datagrams("Udp: InDatagrams\n"), None);
    }
}
