//! What a bed looks like, and the commands of ip(8) that make it so.
//!
//! Everything is known beforehand: names, addresses, neighbours. So no frame is ever sent to find
//! something out, and counters count what a test sent and nothing else.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use super::mac::Mac;

/// The interface of each host.
pub(super) const INTERFACE: &str = "eth0";
/// The bridge in the middle of a star.
const BRIDGE: &str = "bridge";
/// The most hosts that the network has addresses for.
pub const MOST_HOSTS: u8 = 250;

/// The address of a host; they count from 10.77.0.1. Namespaces of their own: whether the host
/// around them has such a network, too, is all the same.
pub(super) const fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, host + 1)
}

/// The name of a host's port at the bridge.
pub(super) fn port(host: u8) -> String {
    format!("port{host}")
}

/// One end of a cable.
pub(super) struct End<'a> {
    pub(super) name: &'a str,
    pub(super) mac: Mac,
    /// Of the namespace that it is in.
    pub(super) place: &'a Path,
}

/// A veth pair with so many queues for receiving and for sending, from the namespace that `ip` is
/// in to another one.
pub(super) fn cable((name, mac): (&str, Mac), far: &End<'_>, queues: u32) -> String {
    let end = |name: &str, mac: Mac| {
        format!("name {name} address {mac} numrxqueues {queues} numtxqueues {queues}")
    };
    let (near, place) = (end(name, mac), far.place.display());
    format!("link add {near} type veth peer {} netns {place}\n", end(far.name, far.mac))
}

/// The end of a host: address, neighbours, up.
pub(super) fn host(own: u8, hosts: u8) -> String {
    let mut lines = format!("address add {}/24 dev {INTERFACE}\n", address(own));
    for other in (0..hosts).filter(|other| *other != own) {
        let (address, mac) = (address(other), Mac::of(address(other)));
        let _ =
            writeln!(lines, "neighbour add {address} lladdr {mac} nud permanent dev {INTERFACE}");
    }
    lines + &format!("link set {INTERFACE} up\nlink set lo up\n")
}

/// A bridge that speaks to nobody of itself.
pub(super) fn bridge() -> String {
    format!(
        "link add name {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
         link set {BRIDGE} up\n"
    )
}

/// Plugs a port into the bridge.
pub(super) fn plug(port: &str) -> String {
    format!("link set {port} master {BRIDGE}\nlink set {port} up\n")
}

/// The Ethernet address of a port, which no host has.
pub(super) fn port_mac(host: u8) -> Mac {
    let [_, _, a, b, c, d] = Mac::of(address(host)).0;
    Mac([0x02, 1, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_knows_all_others_and_not_itself() {
        let lines = host(1, 3);
        assert!(lines.starts_with("address add 10.77.0.2/24 dev eth0\n"), "{lines}");
        assert!(lines.contains("10.77.0.1 lladdr 02:00:0a:4d:00:01 nud permanent"), "{lines}");
        assert!(lines.contains("10.77.0.3 lladdr 02:00:0a:4d:00:03"), "{lines}");
        assert!(!lines.contains("neighbour add 10.77.0.2"), "{lines}");
    }

    #[test]
    fn a_cable_has_its_queues_at_both_ends() {
        let far = End { name: "eth0", mac: Mac::of(address(0)), place: Path::new("/proc/1/fd/3") };
        let line = cable(("port0", port_mac(0)), &far, 2);
        assert_eq!(line.matches("numrxqueues 2 numtxqueues 2").count(), 2, "{line}");
        assert!(line.ends_with("netns /proc/1/fd/3\n"), "{line}");
        assert_ne!(port_mac(0), Mac::of(address(0)));
    }
}
