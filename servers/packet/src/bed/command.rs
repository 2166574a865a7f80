//! `servers packet bed`: a bed for other programs, as long as this one runs.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use nix::sys::signal::{SigSet, Signal};
use serde::Serialize;

use super::{Bed, Fault, Host, Hub, MOST_HOSTS, Mac};

/// What to make.
#[derive(Debug, Args)]
pub struct Options {
    /// How hosts are joined
    #[arg(long, value_enum, default_value_t = Shape::Pair)]
    pub shape: Shape,
    /// Hosts of a star
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u8).range(2..=i64::from(MOST_HOSTS)))]
    pub hosts: u8,
    /// Queues of each interface, for receiving and for sending
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub queues: u32,
}

/// How hosts are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Two hosts and a cable.
    Pair,
    /// Hosts around a bridge.
    Star,
}

/// A host as others see it.
#[derive(Serialize)]
struct Place<'a> {
    namespace: String,
    interface: &'a str,
    index: u32,
    mac: Mac,
    address: String,
}

/// A hub as others see it.
#[derive(Serialize)]
struct Middle<'a> {
    namespace: String,
    ports: &'a [String],
}

/// Makes a bed, prints where everything is as one line of JSON, and keeps it until SIGTERM or
/// SIGINT. `nsenter --net=PATH` with the path of a namespace enters a host. Where this user or this
/// host can't have one, the line is `{"missing": WHY}`.
///
/// # Errors
/// Why there is no bed.
pub fn run(options: &Options, out: &mut impl Write) -> Result<()> {
    until_asked(|| {
        let bed = match options.shape {
            Shape::Pair => Bed::pair(options.queues),
            Shape::Star => Bed::star(options.hosts, options.queues),
        };
        if let Err(Fault::Missing(missing)) = &bed {
            writeln!(out, "{}", serde_json::json!({ "missing": missing.to_string() }))?;
        }
        let bed = bed?;
        writeln!(out, "{}", description(&bed))?;
        out.flush()?;
        Ok(bed)
    })
}

/// Makes something, and keeps it until SIGTERM or SIGINT. From the start on they are waited for, so
/// that one that comes early is not missed, and what was made is always undone in good order.
pub(super) fn until_asked<T>(make: impl FnOnce() -> Result<T>) -> Result<()> {
    let mut last = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT].into_iter().for_each(|signal| last.add(signal));
    last.thread_block().context("waiting for signals")?;
    let kept = make()?;
    last.wait().context("waiting for a signal")?;
    drop(kept);
    Ok(())
}

fn description(bed: &Bed) -> String {
    let hosts: Vec<_> = bed.hosts.iter().map(place).collect();
    let hub = bed.hub.as_ref().map(middle);
    serde_json::json!({ "hosts": hosts, "hub": hub }).to_string()
}

fn place(host: &Host) -> Place<'_> {
    Place {
        namespace: host.namespace.path().display().to_string(),
        interface: &host.interface,
        index: host.index,
        mac: host.mac,
        address: host.address.to_string(),
    }
}

fn middle(hub: &Hub) -> Middle<'_> {
    Middle { namespace: hub.namespace.path().display().to_string(), ports: &hub.ports }
}
