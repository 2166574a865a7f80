//! Hosts of our own to measure in, and processes in them.
//!
//! `servers packet bed` makes the hosts and holds them. Their namespaces have no names; when that
//! process ends, and those that were started in them, the kernel takes everything down. All of them
//! die with this process (prctl(2), PR_SET_PDEATHSIG), so that there is nothing to put back,
//! however it ends.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::fault::Unfit;
use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::restraint::Bonds;

/// How long a bed may take to be made, or a program to say that it is ready.
pub const START: Duration = Duration::from_secs(20);

/// A bed and the program that holds it.
#[derive(Debug)]
pub struct Stage {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The bridge in the middle of a star.
    pub hub: Option<Hub>,
    servers: PathBuf,
    pinning: Pinning,
    _keeper: Child,
}

/// A host, as `servers packet bed` tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Host {
    /// Where its namespace is found.
    pub namespace: PathBuf,
    /// Its interface.
    pub interface: String,
    /// Its address.
    pub address: Ipv4Addr,
}

/// A bridge, likewise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hub {
    /// Where its namespace is found.
    pub namespace: PathBuf,
    /// Its ports, in the order of the hosts.
    pub ports: Vec<String>,
}

/// What `servers packet bed` prints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Made { hosts: Vec<Host>, hub: Option<Hub> },
    Missing { missing: String },
}

/// Which CPUs a process runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Those of the side that is measured.
    Server,
    /// Those of the load.
    Load,
}

impl Stage {
    /// Makes one: `arguments` are those of `servers packet bed`.
    ///
    /// # Errors
    /// [`Unfit`] where this user or this host can't have one; otherwise what failed.
    pub fn set(servers: &Path, pinning: &Pinning, arguments: &[&str]) -> Result<Self> {
        let line = words(&["packet", "bed"], arguments);
        let mut keeper = Child::start(servers, &line, &pinning.server)?;
        let said = keeper.line(START)?;
        let said = serde_json::from_str(&said).with_context(|| format!("the bed said `{said}`"))?;
        match said {
            Said::Missing { missing } => Err(Unfit(missing).into()),
            Said::Made { hosts, hub } => {
                let (servers, pinning) = (servers.to_owned(), pinning.clone());
                Ok(Self { hosts, hub, servers, pinning, _keeper: keeper })
            }
        }
    }

    /// A host, by its place in the order of addresses.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn host(&self, place: usize) -> Result<&Host> {
        self.hosts.get(place).with_context(|| format!("the bed has no host {place}"))
    }

    /// Starts `servers` with these arguments on a host.
    ///
    /// # Errors
    /// When there is no such host, or the program can't be started.
    pub fn start(&self, host: usize, role: Role, arguments: &[&str]) -> Result<Child> {
        self.start_in(&self.host(host)?.namespace, role, arguments)
    }

    /// The same, in the middle.
    ///
    /// # Errors
    /// When there is none, or the program can't be started.
    pub fn start_in_hub(&self, role: Role, arguments: &[&str]) -> Result<Child> {
        let namespace = &self.hub.as_ref().context("there is no hub")?.namespace;
        self.start_in(namespace, role, arguments)
    }

    fn start_in(&self, namespace: &Path, role: Role, arguments: &[&str]) -> Result<Child> {
        let place = || format!("entering {}", namespace.display());
        let bonds = Bonds::in_network(File::open(namespace).with_context(place)?);
        let cpus = match role {
            Role::Server => &self.pinning.server,
            Role::Load => &self.pinning.client,
        };
        Child::bound(&self.servers, &words(&[], arguments), cpus, bonds)
    }
}

fn words(first: &[&str], rest: &[&str]) -> Vec<String> {
    first.iter().chain(rest).map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bed_says_is_read() {
        let made = r#"{"hosts":[{"namespace":"/proc/7/fd/3","interface":"eth0","index":2,
            "mac":"02:00:0a:4d:00:01","address":"10.77.0.1"}],"hub":null}"#;
        let Said::Made { hosts, hub: None } = serde_json::from_str(made).unwrap() else {
            panic!("{made}");
        };
        assert_eq!(hosts[0].address, Ipv4Addr::new(10, 77, 0, 1));
        let missing = serde_json::from_str(r#"{"missing":"no program `ip`"}"#).unwrap();
        assert!(matches!(missing, Said::Missing { missing } if missing.contains("ip")));
    }
}
