//! Where connections come from.
//!
//! A TCP connection is known by four things: two addresses and two ports. Towards one target only
//! the source can differ, and one source address has no more ports than `ip_local_port_range`
//! names. But every address of 127.0.0.0/8 is the host's own, so towards an IPv4 loopback target
//! the connections go out from 127.0.0.1, 127.0.0.2, … in turn, 1,000 on each at most: the fuller
//! an address is, the longer the kernel looks for a free port. 18,000 connections from one address
//! were made at 3,000 a second here, from 32 at 58,000.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use crate::failure::Failure;
use crate::plan::Plan;

/// The most connections from one source address, if there are ports for so many.
const PER_ADDRESS: usize = 1000;

/// Source addresses when each connection carries only a few requests: ports that were just closed
/// stay taken for a while (TIME_WAIT).
const FOR_TURNOVER: usize = 16;

/// The source addresses and ports of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    addresses: Vec<SocketAddr>,
    ports: Ports,
    threads: usize,
}

/// Local ports, from the first one to the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first one.
    pub first: u16,
    /// The last one.
    pub last: u16,
}

impl Ports {
    /// How many there are.
    #[must_use]
    pub fn count(self) -> usize {
        usize::from(self.last).saturating_sub(usize::from(self.first)) + 1
    }
}

impl Sources {
    /// As many as the plan needs.
    ///
    /// # Errors
    /// If the target can only be reached from one address, and that has too few ports.
    pub fn new(plan: &Plan, ports: Ports) -> Result<Self, Failure> {
        let connections = plan.connections + plan.idle;
        if plan.target.is_ipv4_loopback() {
            let turnover = if plan.reconnect_every.is_some() { FOR_TURNOVER } else { 1 };
            let addresses = connections.div_ceil(per_address(ports.count())).max(turnover);
            Ok(Self { addresses: loopback(addresses), ports, threads: plan.threads })
        } else if connections > ports.count() {
            Err(too_few(connections, ports.count()))
        } else {
            Ok(Self { addresses: Vec::new(), ports, threads: plan.threads })
        }
    }

    /// The source for the connection of that number; none leaves the choice to the kernel.
    #[must_use]
    pub fn pick(&self, number: usize) -> Option<SocketAddr> {
        let count = self.addresses.len();
        (count > 0).then(|| self.addresses[number % count])
    }

    /// The ports that are a thread's own, where all threads share one address: then none looks for
    /// a free port among those of the others (IP_LOCAL_PORT_RANGE in ip(7), since Linux 6.3).
    #[must_use]
    pub fn ports_of(&self, thread: usize) -> Option<Ports> {
        if !self.addresses.is_empty() || self.threads == 1 {
            return None;
        }
        let each = self.ports.count() / self.threads;
        let first = usize::from(self.ports.first) + thread * each;
        let last =
            if thread + 1 == self.threads { self.ports.last.into() } else { first + each - 1 };
        (each > 0).then_some(Ports { first: first as u16, last: last as u16 })
    }
}

fn loopback(count: usize) -> Vec<SocketAddr> {
    if count == 1 {
        return Vec::new();
    }
    let first = u32::from(Ipv4Addr::LOCALHOST);
    let address = |offset| SocketAddr::from((Ipv4Addr::from(first + offset), 0));
    (0..count as u32).map(address).collect()
}

/// A quarter of the ports is left to others.
fn per_address(ports: usize) -> usize {
    (ports * 3 / 4).clamp(1, PER_ADDRESS)
}

fn too_few(connections: usize, ports: usize) -> Failure {
    Failure::Unfit(format!(
        "{connections} connections to one target need as many local ports; there are {ports} \
         (widen them with: sysctl net.ipv4.ip_local_port_range=\"1024 65535\")"
    ))
}

/// The ports for outgoing connections, as ip(7) describes `ip_local_port_range`.
#[must_use]
pub fn local_ports() -> Ports {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    parse_ports(&range).unwrap_or(Ports { first: 32_768, last: 60_999 })
}

fn parse_ports(range: &str) -> Option<Ports> {
    let mut bounds = range.split_whitespace().map(str::parse::<u16>);
    let (first, last) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    (first <= last).then_some(Ports { first, last })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::cli::plan_of;

    fn sources(line: &str, ports: u16) -> Result<Sources, Failure> {
        let ports = Ports { first: 10_000, last: 9_999 + ports };
        Sources::new(&plan_of(line).expect("a plan"), ports)
    }

    #[test]
    fn one_address_is_left_to_the_kernel() {
        let few = sources("--target tcp://127.0.0.1:7 --connections 1000", 28_232);
        assert_eq!(few.expect("sources").pick(3), None);
    }

    #[test]
    fn many_connections_are_spread_evenly() {
        let line = "--target tcp://127.0.0.1:7 --connections 40000 --idle 10001";
        let many = sources(line, 28_232).expect("sources");
        let mut each = HashMap::new();
        for number in 0..50_001 {
            *each.entry(many.pick(number).expect("an address")).or_insert(0_usize) += 1;
        }
        assert_eq!(each.len(), 51);
        assert!(each.values().all(|&count| count <= PER_ADDRESS));
        assert!(each.keys().all(|address| address.ip().is_loopback() && address.port() == 0));
    }

    #[test]
    fn few_ports_need_more_addresses() {
        let line = "--target tcp://127.0.0.1:7 --connections 100";
        let narrow = sources(line, 40).expect("sources");
        assert_eq!(narrow.addresses.len(), 4);
    }

    #[test]
    fn a_target_elsewhere_has_only_the_ports_of_one_address() {
        let line = "--target tcp://192.0.2.1:7 --connections 101";
        assert!(sources(line, 101).is_ok());
        let error = sources(line, 100).expect_err("too few ports");
        assert_eq!(error.status(), 4);
        assert!(error.to_string().contains("ip_local_port_range"));
    }

    #[test]
    fn threads_that_share_an_address_have_ports_of_their_own() {
        let line = "--target tcp://192.0.2.1:7 --connections 100 --threads 3";
        let shared = sources(line, 100).expect("sources");
        let slices: Vec<_> = (0..3).map(|thread| shared.ports_of(thread).expect("some")).collect();
        assert_eq!(slices.iter().map(|slice| slice.count()).sum::<usize>(), 100);
        assert_eq!((slices[0].first, slices[2].last), (10_000, 10_099));
        assert!(slices.windows(2).all(|two| two[0].last + 1 == two[1].first));
        let alone = sources("--target tcp://192.0.2.1:7 --connections 100", 100);
        assert_eq!(alone.expect("sources").ports_of(0), None);
    }

    #[test]
    fn reads_the_range_of_ports() {
        let usual = Ports { first: 32_768, last: 60_999 };
        assert_eq!(parse_ports("32768\t60999\n"), Some(usual));
        assert_eq!(usual.count(), 28_232);
        assert_eq!((parse_ports("60999 32768"), parse_ports("")), (None, None));
    }
}
