//! What is counted, as Prometheus reads it: the text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! The names follow its rules: a unit or a thing that is counted, `_total` behind what only grows.

use std::fmt::{self, Write};

use serde_json::Value;

use super::lease::Outcome;
use super::moment::Moment;
use super::policy::POLICIES;
use super::upstreams::Upstreams;
use crate::proxy::backend::{Backend, Health};
use crate::stats::Totals;

/// The media type of the format.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics at this moment, as text.
#[must_use]
pub fn text(upstreams: &Upstreams, totals: &Totals) -> String {
    let mut text = String::with_capacity(8 << 10);
    // Writing to a string does not fail.
    let _ = write_upstreams(&mut text, upstreams).and_then(|()| write_server(&mut text, totals));
    text
}

/// Whether a metric may fall.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

fn family(out: &mut String, name: &str, kind: Kind, help: &str) -> fmt::Result {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// A metric that each backend has one of.
struct PerBackend {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: fn(&Backend) -> u64,
}

const PER_BACKEND: &[PerBackend] = &[
    PerBackend {
        name: "servers_backend_up",
        kind: Kind::Gauge,
        help: "1 while requests may go to the backend, 0 while it is ejected or down.",
        value: |backend| u64::from(backend.health(Moment::now()) == Health::InService),
    },
    PerBackend {
        name: "servers_backend_weight",
        kind: Kind::Gauge,
        help: "The share of the backend, beside the others'.",
        value: |backend| backend.weight().into(),
    },
    PerBackend {
        name: "servers_backend_open",
        kind: Kind::Gauge,
        help: "Leases of the backend that are out.",
        value: Backend::open,
    },
    PerBackend {
        name: "servers_backend_leases_total",
        kind: Kind::Counter,
        help: "Leases of the backend there have been.",
        value: Backend::leased,
    },
    PerBackend {
        name: "servers_backend_removals_total",
        kind: Kind::Counter,
        help: "How often the backend was taken out of service.",
        value: Backend::removals,
    },
];

fn write_upstreams(out: &mut String, upstreams: &Upstreams) -> fmt::Result {
    let set = upstreams.snapshot();
    for PerBackend { name, kind, help, value } in PER_BACKEND {
        family(out, name, *kind, help)?;
        for backend in set.backends() {
            writeln!(out, "{name}{{backend=\"{}\"}} {}", backend.address, value(backend))?;
        }
    }
    let name = "servers_backend_requests_total";
    family(out, name, Kind::Counter, "Requests given to the backend, by how they ended.")?;
    for backend in set.backends() {
        for outcome in Outcome::ALL {
            let (address, ended) = (backend.address, backend.ended(outcome));
            let outcome = outcome.name();
            writeln!(out, "{name}{{backend=\"{address}\",outcome=\"{outcome}\"}} {ended}")?;
        }
    }
    write_proxy(out, upstreams)
}

fn write_proxy(out: &mut String, upstreams: &Upstreams) -> fmt::Result {
    let name = "servers_retries_total";
    family(out, name, Kind::Counter, "Requests tried on another backend.")?;
    writeln!(out, "{name} {}", upstreams.retries())?;
    let name = "servers_retries_open";
    family(out, name, Kind::Gauge, "Such requests that are under way.")?;
    writeln!(out, "{name} {}", upstreams.retrying())?;
    let name = "servers_policy";
    family(out, name, Kind::Gauge, "1 for the policy that chooses the backends.")?;
    for entry in POLICIES {
        let chosen = u8::from(entry.name == upstreams.policy());
        writeln!(out, "{name}{{policy=\"{}\"}} {chosen}", entry.name)?;
    }
    Ok(())
}

/// The counters of the server, under the names they have in its code.
fn write_server(out: &mut String, totals: &Totals) -> fmt::Result {
    let Ok(Value::Object(counters)) = serde_json::to_value(totals) else { return Ok(()) };
    for (counter, value) in counters {
        let (name, kind) = match counter.as_str() {
            "open" => ("servers_connections_open".to_owned(), Kind::Gauge),
            counter => (format!("servers_{counter}_total"), Kind::Counter),
        };
        let help = format!("The count `{counter}` of all workers together.");
        family(out, &name, kind, &help)?;
        writeln!(out, "{name} {value}")?;
    }
    Ok(())
}
