//! `servers packet …`: the command line of this room.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::balance::{self, Balance};
use crate::bed::attach::{self, Attach};
use crate::bed::command as bed;
use crate::filter::{self, Filter};
use crate::generate::{self, Generate};
use crate::jobs::balancer::{self, Balancer};
use crate::jobs::client::{self, Client};
use crate::jobs::server::{self, Server};
use crate::listing::{self, Listing};
use crate::udp::count::{self, Count};
use crate::udp::echo;
use crate::udp::inlet::Inlet;
use crate::udp::sink;

/// What to do with packets.
#[derive(Debug, Args)]
pub struct Packet {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What to do with packets.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Drop the even counters of a UDP port or a TCP stream before the stack, by XDP
    Filter(Filter),
    /// Give jobs to the server with the most free threads, by XDP
    Balance(Balance),
    /// Show a program as the kernel gets it, with its comments
    Listing(Listing),
    /// Send 0, 1, 2, …, one number at a time: what the filter of even counters is for
    Count(Count),
    /// Count packets in user space
    Sink(Inlet),
    /// Send datagrams back from user space
    Echo(Inlet),
    /// Ask for jobs
    JobsClient(Client),
    /// Do jobs in a pool of threads
    JobsServer(Server),
    /// Give jobs to the server with the most free threads, in user space
    JobsBalancer(Balancer),
    /// Generate packets
    Generate(Generate),
    /// Make hosts of one's own, joined by veth pairs, for as long as this runs
    Bed(bed::Options),
    /// Have a small XDP program on an interface, for as long as this runs
    Attach(Attach),
}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Packet, out: &mut impl Write) -> anyhow::Result<()> {
    match &options.what {
        What::Filter(options) => filter::run(options, out),
        What::Balance(options) => balance::run(options, out),
        What::Listing(options) => listing::run(options, out),
        What::Count(options) => count::run(options, out),
        What::Sink(options) => sink::run(options, out),
        What::Echo(options) => echo::run(options, out),
        What::JobsClient(options) => client::run(options, out),
        What::JobsServer(options) => server::run(options, out),
        What::JobsBalancer(options) => balancer::run(options, out),
        What::Generate(options) => generate::run(options, out),
        What::Bed(options) => bed::run(options, out),
        What::Attach(options) => attach::run(options, out),
    }
}
