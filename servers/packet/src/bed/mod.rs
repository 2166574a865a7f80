//! A test bed: hosts that are network namespaces, joined by veth pairs (veth(4)).
//!
//! ```text
//! pair:  host 0 eth0 ═══ eth0 host 1          star:  host 0 eth0 ═══ port0 ┐
//!                                                    host 1 eth0 ═══ port1 ┼ bridge (the hub)
//!                                                    host 2 eth0 ═══ port2 ┘
//! ```
//!
//! Namespaces have no names, so that the kernel takes a bed down when its owner ends, in whatever
//! way; see [`namespace`].

pub mod attach;
pub mod command;
mod fault;
mod iproute;
pub mod mac;
pub mod namespace;
mod offload;
mod plan;

use std::io;
use std::net::Ipv4Addr;

use nix::net::if_::if_nametoindex;

pub use fault::{Fault, Missing};
pub use mac::Mac;
pub use namespace::Namespace;
pub use plan::MOST_HOSTS;
use plan::{End, INTERFACE, address, port, port_mac};

/// Hosts and what is between them.
#[derive(Debug)]
pub struct Bed {
    /// The hosts, in the order of their addresses.
    pub hosts: Vec<Host>,
    /// What joins them, where it is more than a cable.
    pub hub: Option<Hub>,
}

/// A namespace with one interface.
#[derive(Debug)]
pub struct Host {
    /// Where it is.
    pub namespace: Namespace,
    /// Its name within the namespace.
    pub interface: String,
    /// Its number within the namespace.
    pub index: u32,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its address, in a network of 24 bits.
    pub address: Ipv4Addr,
}

/// A namespace with a bridge, and a port for each host.
///
/// A veth interface hands frames that an XDP program turned round (XDP_TX) to its peer only where
/// that one has an XDP program, too: the place for one that lets everything pass is the port.
#[derive(Debug)]
pub struct Hub {
    /// Where it is.
    pub namespace: Namespace,
    /// Names of the ports, in the order of the hosts.
    pub ports: Vec<String>,
}

impl Bed {
    /// Two hosts with a cable between them, which has so many queues at both ends.
    ///
    /// # Errors
    /// [`Fault::Missing`] where this user or this host can't; otherwise what failed.
    pub fn pair(queues: u32) -> Result<Self, Fault> {
        let (near, far) = (Namespace::new()?, Namespace::new()?);
        let end = End { name: INTERFACE, mac: Mac::of(address(1)), place: &far.path() };
        let line = plan::cable((INTERFACE, Mac::of(address(0))), &end, queues);
        iproute::carry_out(&line, &near)?;
        let hosts = [near, far].into_iter().zip(0..).map(|(place, own)| Host::set(place, own, 2));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Self { hosts, hub: None }.up()
    }

    /// So many hosts around a bridge, at most [`MOST_HOSTS`].
    ///
    /// # Errors
    /// As [`Bed::pair`].
    pub fn star(hosts: u8, queues: u32) -> Result<Self, Fault> {
        let count = hosts.min(MOST_HOSTS);
        let hub = Hub { namespace: Namespace::new()?, ports: (0..count).map(port).collect() };
        iproute::carry_out(&plan::bridge(), &hub.namespace)?;
        let hosts = (0..count).map(|own| hub.plug(own, count, queues));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Self { hosts, hub: Some(hub) }.up()
    }

    /// When the first frame of each host arrives as all others do.
    fn up(self) -> Result<Self, Fault> {
        let hosts = self.hosts.iter().map(|host| &host.namespace);
        let hub = self.hub.iter().map(|hub| &hub.namespace);
        hosts.chain(hub).try_for_each(iproute::until_up)?;
        Ok(self)
    }
}

impl Hub {
    /// A new host at its port.
    fn plug(&self, own: u8, hosts: u8, queues: u32) -> Result<Host, Fault> {
        let (place, port) = (Namespace::new()?, port(own));
        let end = End { name: INTERFACE, mac: Mac::of(address(own)), place: &place.path() };
        let cable = plan::cable((&port, port_mac(own)), &end, queues);
        iproute::carry_out(&(cable + &plan::plug(&port)), &self.namespace)?;
        self.namespace.within(|| offload::as_on_a_wire(&port))?;
        Host::set(place, own, hosts)
    }
}

impl Host {
    /// Gives the interface that is there its address, and all others as neighbours.
    fn set(namespace: Namespace, own: u8, hosts: u8) -> Result<Self, Fault> {
        iproute::carry_out(&plan::host(own, hosts), &namespace)?;
        let index = namespace.within(|| -> io::Result<_> {
            offload::as_on_a_wire(INTERFACE)?;
            Ok(if_nametoindex(INTERFACE)?)
        })?;
        let address = address(own);
        Ok(Self { namespace, interface: INTERFACE.into(), index, mac: Mac::of(address), address })
    }
}
