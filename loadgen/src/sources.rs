//! Where connections come from.
//!
//! A TCP connection is known by four things: two addresses and two ports. Towards one target only
//! the source can differ, and one source address has no more ports than `ip_local_port_range`
//! names. But every address of 127.0.0.0/8 is the host's own, so towards an IPv4 loopback target
//! the connections go out from 127.0.0.1, 127.0.0.2, … in turn, 1,000 on each at most: the fuller an
//! address is, the longer the kernel looks for a free port. 18,000 connections from one address were
//! made at 3,000 a second here, from 32 at 58,000.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use crate::failure::Failure;
use crate::plan::Plan;

/// The most connections from one source address, if there are ports for so many.
const PER_ADDRESS: usize = 1000;

/// Source addresses when each connection carries only a few requests: ports that were just closed
/// stay taken for a while (TIME_WAIT).
const FOR_TURNOVER: usize = 16;

/// The source addresses of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    addresses: Vec<SocketAddr>,
}

impl Sources {
    /// As many as the plan needs.
    ///
    /// # Errors
    /// If the target can only be reached from one address, and that has too few ports.
    pub fn new(plan: &Plan, ports: usize) -> Result<Self, Failure> {
        let connections = plan.connections + plan.idle;
        if plan.target.is_ipv4_loopback() {
            let turnover = if plan.reconnect_every.is_some() { FOR_TURNOVER } else { 1 };
            Ok(Self::loopback(connections.div_ceil(per_address(ports)).max(turnover)))
        } else if connections > ports {
            Err(too_few(connections, ports))
        } else {
            Ok(Self { addresses: Vec::new() })
        }
    }

    fn loopback(count: usize) -> Self {
        if count == 1 {
            return Self { addresses: Vec::new() };
        }
        let first = u32::from(Ipv4Addr::LOCALHOST);
        let address = |offset| SocketAddr::from((Ipv4Addr::from(first + offset), 0));
        Self { addresses: (0..count as u32).map(address).collect() }
    }

    /// The source for the connection of that number; none leaves the choice to the kernel.
    #[must_use]
    pub fn pick(&self, number: usize) -> Option<SocketAddr> {
        let count = self.addresses.len();
        (count > 0).then(|| self.addresses[number % count])
    }
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

/// How many ports there are for outgoing connections, as ip(7) describes `ip_local_port_range`.
#[must_use]
pub fn local_ports() -> usize {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    count_ports(&range).unwrap_or(28_232)
}

fn count_ports(range: &str) -> Option<usize> {
    let mut bounds = range.split_whitespace().map(str::parse::<usize>);
    let (low, high) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    (high + 1).checked_sub(low)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::cli::plan_of;

    fn sources(line: &str, ports: usize) -> Result<Sources, Failure> {
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
    fn counts_the_ports_of_a_range() {
        assert_eq!(count_ports("32768\t60999\n"), Some(28_232));
        assert_eq!(count_ports("60999 32768"), None);
        assert_eq!(count_ports(""), None);
    }
}
