//! What the balancer says to those who operate it: its replicas, and the traffic that they have.
//!
//! | route          | answer                                                                    |
//! |----------------|---------------------------------------------------------------------------|
//! | `GET /stats`   | each replica, with the connections of its process, and the server's       |
//! |                | counters, as JSON                                                         |
//! | `GET /metrics` | the same for Prometheus                                                   |
//!
//! They are on [an address of their own](crate::proxy::admin); the API is for clients.
//! What a process has been asked is forgotten with it; what has happened to its replica is not.
//! `servers_replica_info` says which backend is whose.

use std::fmt::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};

use super::key::Key;
use super::lineup::Lineup;
use super::record::Figures;
use super::seat::Seat;
use crate::proxy::admin::{self, Report};
use crate::proxy::metrics::{Kind, family, write_traffic};
use crate::proxy::moment::Moment;
use crate::stats::Stats;

/// Where the figures are.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) lineup: Arc<Lineup>,
    pub(crate) stats: Arc<Stats>,
    /// The name of the method of placement.
    pub(crate) method: &'static str,
    pub(crate) key: Key,
}

impl Report for Ledger {
    fn stats(&self) -> Value {
        let view = self.lineup.membership.view();
        json!({
            "method": self.method,
            "key": self.key.name(),
            "retries": self.lineup.upstreams.retries(),
            "replicas": view.seats().map(|seat| self.row(seat)).collect::<Vec<_>>(),
            "server": self.stats.totals(),
        })
    }

    fn metrics(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        // Writing to a string does not fail.
        let _ = self.write_replicas(&mut text);
        let _ = write_traffic(&mut text, &self.lineup.upstreams, &self.stats.totals());
        text
    }
}

impl Ledger {
    fn row(&self, seat: &Seat) -> Value {
        let Figures { server_id, pid, missed, respawns, out, .. } = seat.record.figures();
        let address = seat.address();
        let set = self.lineup.upstreams.snapshot();
        let backend = set.backends().iter().find(|backend| Some(backend.address) == address);
        json!({
            "name": seat.name.as_str(),
            "server_id": server_id,
            "pid": pid,
            "in_service": address.is_some(),
            "missed_heartbeats": missed,
            "respawns": respawns,
            "out_of_service_ms": u64::try_from(out.as_millis()).unwrap_or(u64::MAX),
            "backend": backend.map(|backend| admin::row(backend, Moment::now())),
        })
    }

    fn write_replicas(&self, out: &mut String) -> fmt::Result {
        let view = self.lineup.membership.view();
        let rows = view.seats().map(|seat| (&**seat, seat.record.figures())).collect::<Vec<_>>();
        for PerReplica { name, kind, help, value } in PER_REPLICA {
            family(out, name, *kind, help)?;
            for (seat, figures) in &rows {
                writeln!(out, "{name}{{replica=\"{}\"}} {}", seat.name, value(seat, figures))?;
            }
        }
        let name = "servers_replica_info";
        family(out, name, Kind::Gauge, "1, and in the labels the process of the replica.")?;
        for (seat, Figures { server_id, pid, .. }) in &rows {
            let (pid, backend) = (or_nothing(*pid), or_nothing(seat.address()));
            writeln!(
                out,
                "{name}{{replica=\"{}\",server_id=\"{server_id}\",pid=\"{pid}\",\
                 backend=\"{backend}\"}} 1",
                seat.name
            )?;
        }
        Ok(())
    }
}

/// An empty label is the same as none.
fn or_nothing(value: Option<impl fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A metric that each replica has one of.
struct PerReplica {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: fn(&Seat, &Figures) -> f64,
}

const PER_REPLICA: &[PerReplica] = &[
    PerReplica {
        name: "servers_replica_up",
        kind: Kind::Gauge,
        help: "1 while the replica is in service.",
        value: |seat, _| f64::from(u8::from(seat.address().is_some())),
    },
    PerReplica {
        name: "servers_replica_missed_heartbeats_total",
        kind: Kind::Counter,
        help: "Heartbeats that the replica has missed.",
        value: |_, figures| figures.missed as f64,
    },
    PerReplica {
        name: "servers_replica_respawns_total",
        kind: Kind::Counter,
        help: "How often the replica came back into service, as another process.",
        value: |_, figures| figures.respawns as f64,
    },
    PerReplica {
        name: "servers_replica_out_of_service_seconds_total",
        kind: Kind::Counter,
        help: "How long the replica was out of service since it was first in service.",
        value: |_, figures| figures.out.as_secs_f64(),
    },
];

#[cfg(test)]
mod tests {
    use super::super::membership::Membership;
    use super::super::membership::tests::{serve, view};
    use super::*;
    use crate::proxy::metrics::tests::check;

    /// Three replicas: the second one has been out of service, and the third one is.
    fn ledger() -> Ledger {
        let lineup = Lineup::new(Membership::new(view("ring-modified", 3))).unwrap();
        for (seat, number) in lineup.membership.view().seats().zip(1..) {
            seat.record.started(number.into(), 90 + number);
        }
        let method = "ring-modified";
        Ledger { lineup: Arc::new(lineup), stats: Arc::default(), method, key: Key::Path }
    }

    #[test]
    fn every_replica_is_told_of_in_both_forms() {
        let ledger = ledger();
        let view = ledger.lineup.membership.view();
        let mut services = serve(&view);
        services.truncate(2);
        ledger.lineup.refresh();
        let seats = view.seats().collect::<Vec<_>>();
        for seat in &seats[1..] {
            seat.record.missed();
            seat.record.left();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        seats[1].record.entered();
        seats[2].record.ended();

        let stats = ledger.stats();
        assert_eq!((&stats["method"], &stats["key"]), (&"ring-modified".into(), &"path".into()));
        let replica = |number: usize, field: &str| stats["replicas"][number][field].clone();
        for (number, name, up, pid, misses, respawns) in [
            (0, "Server-1", true, json!(91), 0, 0),
            (1, "Server-2", true, json!(92), 1, 1),
            (2, "Server-3", false, Value::Null, 1, 0),
        ] {
            assert_eq!(replica(number, "name"), name);
            assert_eq!((replica(number, "in_service"), replica(number, "pid")), (json!(up), pid));
            assert_eq!(replica(number, "missed_heartbeats"), misses, "{name}");
            assert_eq!(replica(number, "respawns"), respawns, "{name}");
            let out = replica(number, "out_of_service_ms").as_u64().unwrap();
            assert_eq!(out > 0, number > 0, "{name}: {out}");
            let address = replica(number, "backend")["address"].clone();
            assert_eq!(address, json!(up.then(|| format!("127.0.0.1:{}", number + 1))), "{name}");
        }

        let text = ledger.metrics();
        check(&text).unwrap_or_else(|words| panic!("{words}\n{text}"));
        for line in [
            "servers_replica_up{replica=\"Server-1\"} 1",
            "servers_replica_up{replica=\"Server-3\"} 0",
            "servers_replica_missed_heartbeats_total{replica=\"Server-2\"} 1",
            "servers_replica_respawns_total{replica=\"Server-2\"} 1",
            "servers_replica_out_of_service_seconds_total{replica=\"Server-1\"} 0",
            "servers_replica_info{replica=\"Server-2\",server_id=\"2\",pid=\"92\",\
             backend=\"127.0.0.1:2\"} 1",
            "servers_backend_open{backend=\"127.0.0.1:2\"} 0",
            "servers_accepted_total 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(!text.contains("servers_policy"), "nobody chooses by one");
    }
}
