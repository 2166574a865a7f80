//! The ways of receiving, and the generators: a line each, with the program that it is.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::site::PORT;

/// Where packets are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In a UDP socket, behind the whole stack.
    Socket,
    /// In an AF_XDP socket: in user space, before the stack.
    Xsk,
    /// In the hook itself, in the kernel.
    Hook,
}

/// A way of receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What `servers packet` is told to take packets in; the place comes behind it.
    pub sink: &'static str,
    /// What it is told to send them back.
    pub echo: Option<&'static str>,
}

/// The way that costs least: what a generator can send is measured with it.
pub const CHEAPEST: &str = "native XDP drop";

/// Every way, from the last place that a packet comes to to the first.
pub const WAYS: [Way; 8] = [
    Way {
        name: "UDP recv",
        kind: Kind::Socket,
        sink: "sink --wait recv",
        echo: Some("echo --wait recv"),
    },
    Way {
        name: "UDP recvmmsg",
        kind: Kind::Socket,
        sink: "sink --wait recvmmsg",
        echo: Some("echo --wait recvmmsg"),
    },
    Way {
        name: "generic AF_XDP (poll)",
        kind: Kind::Xsk,
        sink: "sink --mode generic --wait poll",
        echo: Some("echo --mode generic --wait poll"),
    },
    Way {
        name: "generic AF_XDP (busy)",
        kind: Kind::Xsk,
        sink: "sink --mode generic --wait busy",
        echo: Some("echo --mode generic --wait busy"),
    },
    Way {
        name: "native AF_XDP (poll)",
        kind: Kind::Xsk,
        sink: "sink --mode native --wait poll",
        echo: Some("echo --mode native --wait poll"),
    },
    Way {
        name: "native AF_XDP (busy)",
        kind: Kind::Xsk,
        sink: "sink --mode native --wait busy",
        echo: Some("echo --mode native --wait busy"),
    },
    Way {
        name: "generic XDP drop",
        kind: Kind::Hook,
        sink: "filter --mode generic",
        echo: Some("attach --program echo --mode generic"),
    },
    Way {
        name: CHEAPEST,
        kind: Kind::Hook,
        sink: "filter --mode native",
        echo: Some("attach --program echo --mode native"),
    },
];

impl Way {
    /// The whole line of a program that meets packets in this way, on a host with this address.
    #[must_use]
    pub fn line(&self, program: &str, address: Ipv4Addr) -> String {
        let place = match self.kind {
            Kind::Socket => format!("--listen {address}:{PORT}"),
            Kind::Xsk | Kind::Hook => format!("--interface eth0 --port {PORT}"),
        };
        format!("packet {program} {place}")
    }

    /// Its name where it sends packets back: the hook drops nothing then.
    #[must_use]
    pub fn echo_name(&self) -> String {
        self.name.replace("XDP drop", "XDP_TX")
    }
}

/// Where packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Generator {
    /// sendmmsg(2) on a UDP socket.
    Datagrams,
    /// Frames that no stack has made.
    Live,
}

impl Generator {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Datagrams, Self::Live];

    /// Its name, here and for `servers packet generate`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Datagrams => "datagrams",
            Self::Live => "live",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Datagrams => "sent by sendmmsg(2), through the whole stack",
            Self::Live => "made by the kernel without a stack (live frames)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_is_one_of_them_and_no_name_is_twice() {
        assert!(WAYS.iter().any(|way| way.name == CHEAPEST));
        for (n, way) in WAYS.iter().enumerate() {
            assert!(WAYS.iter().skip(n + 1).all(|other| other.name != way.name));
        }
    }
}
