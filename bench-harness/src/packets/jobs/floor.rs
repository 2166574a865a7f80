//! Hosts with a balancer at work: who asks, who balances, who works.

use std::fs;
use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::account::Account;
use super::{Balancer, CAPACITY, Kind};
use crate::interrupt;
use crate::launch::child::Child;
use crate::packets::site::{self, PORT, Site, ended, is_ready, ready, words};
use crate::packets::stage::{Role, Stage};

/// The hosts: who asks, who balances, and who works.
const CLIENT: usize = 0;
const BALANCER: usize = 1;
const SERVERS: Range<usize> = 2..5;
/// Jobs per second: far below what any of the balancers can give away.
const PER_SECOND: u64 = 10_000;
/// Octets of messages that may wait in the socket of the balancer: what it does not get to see is
/// lost without its doing, where it has no CPU for a while.
const ROOM: u32 = 64 << 20;
/// How long nobody may hear of a job until all are taken for done, and how long that may take.
const QUIET: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(60);

/// What `servers packet jobs-client` ends with.
#[derive(Deserialize)]
struct Asked {
    jobs: u64,
}

/// A bed with a balancer at work.
pub(super) struct Floor {
    stage: Stage,
    balancer: Child,
    /// Where clients and servers reach it.
    address: String,
    /// What lets frames pass at the other end of the balancer's cable.
    _pass: Option<Child>,
}

impl Floor {
    /// A balancer with nobody around it yet, in which `queue` jobs may wait.
    pub(super) fn of(site: &Site, balancer: Balancer, queue: u64) -> Result<Self> {
        let stage = site.star(SERVERS.end)?;
        let address = format!("{}:{PORT}", stage.host(BALANCER)?.address);
        let place = match balancer.kind {
            Kind::User => format!("--listen {address} --room {ROOM}"),
            Kind::Xdp => format!("--interface eth0 --port {PORT}"),
        };
        let line = format!("{} --queue {queue} {place}", balancer.line);
        let pass = match balancer.kind {
            Kind::User => None,
            Kind::Xdp => Some(pass(&stage)?),
        };
        let child = ready(&stage, BALANCER, &line)?;
        Ok(Self { stage, balancer: child, address, _pass: pass })
    }

    pub(super) fn servers(&self) -> Result<Vec<Child>> {
        let line = format!(
            "packet jobs-server --balancer {} --capacity {CAPACITY} --heartbeat 100ms --quiet",
            self.address
        );
        SERVERS.map(|host| ready(&self.stage, host, &line)).collect()
    }

    /// Asks for jobs that take no time. How many went out, and how long that took.
    pub(super) fn ask(&self, jobs: u64) -> Result<(u64, f64)> {
        let line = format!(
            "packet jobs-client --to {} --count {jobs} --rate {PER_SECOND} --quiet 0 0 0",
            self.address
        );
        let start = Instant::now();
        let asked: Asked = site::run(&self.stage, CLIENT, &line, PATIENCE)?;
        Ok((asked.jobs, start.elapsed().as_secs_f64()))
    }

    /// Waits until nothing happens any more, and asks everybody.
    pub(super) fn close(self, servers: Vec<Child>, asked: u64, seconds: f64) -> Result<Account> {
        until_quiet(&servers)?;
        let worked: Result<Vec<_>> = servers.into_iter().map(ended).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_the_first_number_of_the_second_line() {
        let text = "Icmp: A B\nIcmp: 1 2\nUdp: InDatagrams NoPorts\nUdp: 17 3\n\
            UdpLite: InDatagrams\nUdpLite: 5\n";
        assert_eq!(datagrams(text), Some(17));
        assert_eq!(datagrams("Udp: InDatagrams\n"), None);
    }
}
