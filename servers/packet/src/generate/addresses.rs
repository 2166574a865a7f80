//! What a generator of frames has to know of its namespace: addresses, counters of an interface.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use nix::ifaddrs::getifaddrs;

use crate::bed::Mac;

/// The addresses of an interface of the calling thread's namespace.
pub(super) fn own(interface: &str) -> Result<(Mac, Ipv4Addr)> {
    let addresses = getifaddrs().context("listing the interfaces")?;
    let (mut mac, mut address) = (None, None);
    for entry in addresses.filter(|entry| entry.interface_name == interface) {
        let Some(storage) = entry.address else { continue };
        mac = mac.or_else(|| storage.as_link_addr()?.addr());
        address = address.or_else(|| Some(storage.as_sockaddr_in()?.ip()));
    }
    let without = |what| format!("the interface {interface} has no {what}, or there is none");
    let mac = mac.with_context(|| without("Ethernet address"))?;
    Ok((Mac(mac), address.with_context(|| without("address in IPv4"))?))
}

/// The Ethernet address of a neighbour, as the kernel knows it (`/proc/net/arp`, proc(5)).
pub(super) fn neighbour(address: SocketAddr) -> Result<Mac> {
    let SocketAddr::V4(four) = address else { bail!("live frames are IPv4, and {address} is not") };
    let table =
        fs::read_to_string("/proc/thread-self/net/arp").context("reading the neighbours")?;
    find(&table, *four.ip()).with_context(|| {
        format!("{} is no neighbour; make it one: `ip neighbour add {0} lladdr …`", four.ip())
    })
}

/// `IP address, HW type, Flags, HW address, Mask, Device`.
fn find(table: &str, address: Ipv4Addr) -> Option<Mac> {
    let address = address.to_string();
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|fields| fields.first() == Some(&address.as_str()))?;
    line.get(3)?.parse().ok()
}

/// How many frames an interface was to send and did not (`/proc/net/dev`, proc(5)).
pub(super) fn not_sent(interface: &str) -> Result<u64> {
    let table = fs::read_to_string("/proc/thread-self/net/dev").context("reading the counters")?;
    dropped(&table, interface).with_context(|| format!("there is no interface {interface}"))
}

/// Behind the name: eight numbers of receiving, and bytes, packets, errors and drops of sending.
fn dropped(table: &str, interface: &str) -> Option<u64> {
    let of = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        (name.trim() == interface).then(|| numbers.split_whitespace().nth(11)?.parse().ok())?
    };
    table.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_found_by_its_whole_address() {
        let table = "IP address    HW type   Flags     HW address          Mask   Device\n\
            10.77.0.20    0x1       0x6       02:00:0a:4d:00:14   *      eth0\n\
            10.77.0.2     0x1       0x6       02:00:0a:4d:00:02   *      eth0\n";
        let mac = find(table, Ipv4Addr::new(10, 77, 0, 2)).unwrap();
        assert_eq!(mac.to_string(), "02:00:0a:4d:00:02");
        assert_eq!(find(table, Ipv4Addr::new(10, 77, 0, 3)), None);
    }

    #[test]
    fn drops_of_sending_are_the_twelfth_number() {
        let table = "Inter-| Receive | Transmit\n face |bytes packets\n\
            eth01: 1 2 3 4 5 6 7 8 9 10 11 13 14 15 16 17\n\
             eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
        assert_eq!(dropped(table, "eth0"), Some(12));
        assert_eq!(dropped(table, "eth1"), None);
    }
}
