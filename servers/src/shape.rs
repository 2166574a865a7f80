//! How large a server is: its tables, its workers, its listeners; and how it says where it listens.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZero;

use crate::listener::{self, Listener};
use crate::models::{Listeners, Model, Workers};

/// How large a server is to be.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Descriptor tables, each with a copy of the model.
    pub tables: u16,
    /// Workers in each of them.
    pub workers: usize,
    /// Listening sockets in each of them.
    pub listeners: usize,
}

impl Shape {
    /// `model` in so many tables, with as many workers in each as were asked for, or as it takes.
    #[must_use]
    pub fn new(model: &Model, asked: Option<u16>, tables: u16) -> Self {
        let workers = workers(model, asked, tables);
        let listeners = match model.listeners {
            Listeners::One => 1,
            Listeners::PerWorker => workers,
        };
        Self { tables, workers, listeners }
    }

    /// Listens, with all the sockets that it needs.
    ///
    /// # Errors
    /// See [`listener::listen`].
    pub fn listen(self, address: SocketAddr, backlog: i32) -> anyhow::Result<Vec<Listener>> {
        listener::listen(address, backlog, self.listeners * usize::from(self.tables))
    }
}

fn workers(model: &Model, asked: Option<u16>, tables: u16) -> usize {
    let asked = asked.map(usize::from);
    match model.workers {
        Workers::One | Workers::PerConnection => 1,
        Workers::Fixed(count) => asked.unwrap_or(count),
        Workers::PerCpu => asked.unwrap_or_else(|| {
            let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
            cpus.div_ceil(tables.into())
        }),
    }
}

/// Tells whoever started us where we listen, and on which port we are asked about ourselves, as
/// soon as clients may come.
///
/// # Errors
/// When nobody reads it.
pub fn announce(listeners: &[Listener], admin: Option<SocketAddr>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening {}", listener::address_of(listeners)?)?;
    if let Some(admin) = admin {
        writeln!(out, "admin {admin}")?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::model;

    fn shape(name: &str, asked: Option<u16>, tables: u16) -> (usize, usize) {
        let shape = Shape::new(model(name).unwrap(), asked, tables);
        (shape.workers, shape.listeners)
    }

    #[test]
    fn workers_are_those_asked_for_where_the_model_has_a_choice() {
        assert_eq!(shape("thread", Some(7), 1), (1, 1));
        assert_eq!(shape("pool", Some(7), 1), (7, 1));
        assert_eq!(shape("pool", None, 1), (10, 1));
        assert_eq!(shape("reactors", Some(3), 2), (3, 3), "each with a listener");
        assert_eq!(shape("reactors", None, u16::MAX), (1, 1), "one in each table at least");
    }
}
