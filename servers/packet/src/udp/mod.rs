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
pub mod echo;
pub mod receiver;
pub mod report;
pub mod sink;
pub mod tally;

use clap::ValueEnum;
use serde::Serialize;

/// How to wait for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// recvfrom(2), one datagram a call.
    Recv,
    /// recvmmsg(2), up to a batch a call.
    Recvmmsg,
    /// epoll_wait(2), then recvmmsg(2) until nothing is left.
    Epoll,
    /// Ask again and again, without ever sleeping.
    Busy,
    /// poll(2) on an AF_XDP socket.
    Poll,
}
