//! What a model takes from the host for each client, measured on the server itself.
//!
//! A real server is started, and looked at without clients, with some, and with more; each client
//! is answered once and then held. What a thing grew by between some and more, divided by the
//! clients, is what each takes; what is left over is what the server has anyway. The first clients
//! are no part of the division, since they make what all later ones share: buffers, arenas of the
//! allocator.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use loadgen::memory::Reading;
use serde::{Deserialize, Serialize};

use super::crowd::Crowd;
use super::footprint::Footprint;
use super::objects::Objects;
use super::specimen::Specimen;
use crate::experiment::model::{AtOnce, Model};
use crate::launch::process::Binaries;
use crate::restraint::Bonds;

/// How many clients are looked at: some, and more. Both ends of the more have room in a table of
/// 1,024 descriptors.
const CROWDS: [u64; 2] = [64, 320];

/// How long a server may take to notice that clients have left.
const LEAVING: Duration = Duration::from_secs(10);

/// Octets of a page of the kernel.
const PAGE: f64 = 4_096.0;

/// What a server has before its first client, and takes for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Appetite {
    /// Descriptors: of the fullest table before the first client, and each in the table it is in.
    pub descriptors: Share,
    /// Threads.
    pub threads: Share,
    /// Mappings: lines of `/proc/PID/maps`.
    pub mappings: Share,
    /// Descriptors that epolls watch.
    pub watches: Share,
    /// Resident memory of the process without pages of files, in octets.
    pub resident: Share,
    /// Memory of the kernel, in octets: sockets, stacks of threads, page tables; of the server
    /// alone.
    pub kernel: Share,
    /// Memory that a cgroup of the server's own is charged with, in octets; nothing where it has
    /// none.
    pub charged: Option<Share>,
    /// Memory of the kernel for the client's end of a connection, in octets.
    pub peer: Share,
    /// Pages in the buffers of both ends, while the client is silent.
    pub pages: Share,
    /// How many clients are served at once where each keeps a worker; `None` where none does.
    pub workers: Option<u64>,
}

/// An amount that grows with the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Without clients.
    pub base: f64,
    /// More for each client.
    pub each: f64,
}

impl Share {
    /// The line through two points: clients, and what they make of the amount. What shrinks is
    /// taken not to grow.
    fn through((fewer, less): (u64, f64), (more, most): (u64, f64)) -> Self {
        let each = ((most - less) / (more.saturating_sub(fewer).max(1)) as f64).max(0.0);
        Self { base: (most - each * more as f64).max(0.0), each }
    }

    /// The same for what comes in whole numbers: a stray one among hundreds is not a client's.
    fn whole(self, (more, most): (u64, f64)) -> Self {
        let each = self.each.round();
        if (self.each - each).abs() > 0.02 {
            return self;
        }
        Self { base: (most - each * more as f64).max(0.0), each }
    }

    /// What so many clients make of it.
    #[must_use]
    pub fn of(self, clients: u64) -> f64 {
        self.base + self.each * clients as f64
    }
}

/// A look at the server with so many clients.
struct Look {
    clients: u64,
    server: Footprint,
    host: Reading,
    charged: Option<u64>,
}

impl Appetite {
    /// Measures a model. `arguments` are more arguments for `servers run`, such as `--stack 16384`.
    ///
    /// # Errors
    /// When the server does not start, or does not answer a client.
    pub fn measure(binaries: &Binaries, model: &Model, arguments: &[String]) -> Result<Self> {
        Self::measure_bound(binaries, model, arguments, Bonds::default())
    }

    /// The same of a server under limits of its own, which have to leave room for 320 clients: some
    /// change what a client takes, such as whether a thread has a stack for signal handlers.
    ///
    /// # Errors
    /// The same.
    pub fn measure_bound(
        binaries: &Binaries,
        model: &Model,
        arguments: &[String],
        bonds: Bonds,
    ) -> Result<Self> {
        let workers = workers(model, arguments)?;
        let server = Specimen::start(binaries, &model.name, arguments, bonds)?;
        let mut crowd = Crowd::new(server.address);
        let look = |clients| {
            crowd.grow_to(clients)?;
            let footprint = Footprint::of(server.pid())?;
            let (host, charged) = (Reading::take(None), server.charged());
            Ok(Look { clients, server: footprint, host, charged })
        };
        let looks = crowds(workers).map(look).into_iter().collect::<Result<Vec<_>>>();
        let looks =
            looks.with_context(|| format!("measuring what a client of {} takes", model.name))?;
        let [_, some, more] = &looks[..] else { bail!("too few looks at {}", model.name) };
        let mut found = Self { workers, ..Self::fitted(some, more) };
        if more.server.tables.len() > 1 {
            drop(crowd);
            found.descriptors.base = fullest_left(server.pid(), found.descriptors.base)?;
        }
        Ok(found)
    }

    fn fitted(some: &Look, more: &Look) -> Self {
        let share = |amount: fn(&Footprint) -> u64| {
            let point = |look: &Look| (look.clients, amount(&look.server) as f64);
            Share::through(point(some), point(more))
        };
        let count = |amount: fn(&Footprint) -> u64| {
            share(amount).whole((more.clients, amount(&more.server) as f64))
        };
        let charged = |look: &Look| Some((look.clients, look.charged? as f64));
        let clients = more.clients.saturating_sub(some.clients).max(1) as f64;
        let buffers = some.host.until(&more.host).buffers as f64;
        let counted = Self {
            descriptors: count(Footprint::descriptors),
            threads: count(|look| look.threads),
            mappings: count(|look| look.mappings),
            watches: count(|look| look.watches),
            resident: share(|look| look.resident),
            charged: charged(some).zip(charged(more)).map(|(few, many)| Share::through(few, many)),
            pages: Share { base: 0.0, each: (buffers / PAGE / clients).max(0.0) },
            ..Self::default()
        };
        let (objects, page_tables) = (Objects::here(), share(|look| look.page_tables));
        let each = page_tables.each + objects.each(&counted);
        Self {
            kernel: Share { each, ..page_tables },
            peer: Share { base: 0.0, each: objects.end() },
            ..counted
        }
    }
}

/// Of several tables, what the fullest has when all clients have left, and all of them together
/// have `all` again.
fn fullest_left(server: u32, all: f64) -> Result<f64> {
    let deadline = Instant::now() + LEAVING;
    loop {
        let tables = Footprint::of(server)?.tables;
        if tables.iter().sum::<u64>() as f64 <= all || Instant::now() >= deadline {
            return Ok(tables.into_iter().max().unwrap_or(0) as f64);
        }
        sleep(Duration::from_millis(2));
    }
}

/// How many clients are served at once by a table's workers, if each keeps one.
fn workers(model: &Model, arguments: &[String]) -> Result<Option<u64>> {
    let asked = arguments.windows(2).find(|pair| pair[0] == "--workers").map(|pair| &pair[1]);
    match (model.at_once, asked) {
        (AtOnce::One, _) => Ok(Some(1)),
        (AtOnce::Workers { .. }, Some(asked)) => {
            asked.parse().map(Some).with_context(|| format!("`--workers {asked}` is no number"))
        }
        (AtOnce::Workers { limit }, None) => Ok(limit.or(model.workers.count)),
        _ => Ok(None),
    }
}

/// Nobody, some and more: no more than are served at once, for the others would not be answered.
fn crowds(workers: Option<u64>) -> [u64; 3] {
    let most = workers.map_or(CROWDS[1], |workers| workers.min(CROWDS[1]));
    [0, CROWDS[0].min(most / 2), most]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_takes_is_the_slope_and_the_rest_is_there_anyway() {
        let share = Share::through((64, 300.0), (320, 1_324.0));
        assert_eq!((share.each, share.base), (4.0, 44.0));
        assert_eq!(share.of(10), 84.0);
    }

    #[test]
    fn what_comes_in_whole_numbers_has_whole_shares() {
        let more = (320, 1_325.0);
        let share = Share::through((64, 300.0), more);
        assert_eq!(share.whole(more), Share { base: 45.0, each: 4.0 });
        let odd = Share { base: 1.0, each: 0.4 };
        assert_eq!(odd.whole(more), odd);
    }

    #[test]
    fn what_shrinks_is_taken_not_to_grow() {
        assert_eq!(Share::through((0, 9.0), (10, 5.0)), Share { base: 5.0, each: 0.0 });
        assert_eq!(Share::through((5, 9.0), (5, 9.0)), Share { base: 9.0, each: 0.0 });
    }

    #[test]
    fn no_more_clients_are_asked_for_than_are_served() {
        assert_eq!(crowds(None), [0, 64, 320]);
        assert_eq!(crowds(Some(10)), [0, 5, 10]);
        assert_eq!(crowds(Some(1)), [0, 0, 1]);
        assert_eq!(crowds(Some(5_000)), [0, 64, 320]);
    }

    #[test]
    fn workers_are_those_asked_for_or_else_those_of_the_model() {
        let model = |json: &str| serde_json::from_str::<Model>(json).unwrap();
        let pool = model(
            r#"{"name":"pool","at_once":{"kind":"workers"},"workers":{"kind":"fixed","count":10}}"#,
        );
        let asked = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(workers(&pool, &[]).unwrap(), Some(10));
        assert_eq!(workers(&pool, &asked(&["--workers", "7"])).unwrap(), Some(7));
        assert!(workers(&pool, &asked(&["--workers", "many"])).is_err());
        let reactors = model(r#"{"name":"reactors","workers":{"kind":"per-cpu"}}"#);
        assert_eq!(workers(&reactors, &asked(&["--workers", "7"])).unwrap(), None);
        assert_eq!(
            workers(&model(r#"{"name":"a","at_once":{"kind":"one"}}"#), &[]).unwrap(),
            Some(1)
        );
    }
}
