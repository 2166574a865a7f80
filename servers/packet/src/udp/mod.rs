//! The counterparts in user space: a UDP socket, read in each of the usual ways.
//!
//! | `--wait` | system calls | |
//! |---|---|---|
//! | `recv` | recvfrom(2), which blocks | one datagram a call |
//! | `recvmmsg` | recvmmsg(2), which blocks until there is one | up to a batch a call |
//! | `epoll` | epoll_wait(2), then recvmmsg(2) until nothing is left | what a server of many sockets does |
//! | `busy` | recvmmsg(2) again and again, without blocking | a CPU for the shortest delay |
//! | `poll` | poll(2), and rings in shared memory | AF_XDP only: see [`crate::xsk`] |

pub mod batch;
pub mod count;
pub mod echo;
pub mod inlet;
pub mod receiver;
pub mod report;
pub mod sink;
pub mod tally;
mod volley;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use anyhow::Context;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use volley::{Then, Volley};

/// How to wait for packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// recvfrom(2), one datagram a call.
    Recv,
    /// recvmmsg(2), up to a batch a call.
    #[default]
    Recvmmsg,
    /// epoll_wait(2), then recvmmsg(2) until nothing is left.
    Epoll,
    /// Ask again and again, without ever sleeping.
    Busy,
    /// poll(2) on an AF_XDP socket.
    Poll,
}

/// A UDP socket that sends to one address, and hears nobody else. `from`: any free port, if it is
/// `None`.
///
/// # Errors
/// When `from` is taken or not of this host, or there is no way from there.
pub(crate) fn socket_between(
    from: Option<SocketAddr>,
    to: SocketAddr,
) -> anyhow::Result<UdpSocket> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = from.unwrap_or_else(|| SocketAddr::new(any, 0));
    let socket = UdpSocket::bind(from)
        .with_context(|| format!("cannot receive at {from}: port 0 would take a free one"))?;
    socket.connect(to).with_context(|| format!("there is no way from {from} to {to}"))?;
    Ok(socket)
}
