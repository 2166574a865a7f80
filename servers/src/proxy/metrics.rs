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
    let _ = write_traffic(&mut text, upstreams, totals)
        .and_then(|()| write_policy(&mut text, upstreams));
    text
}

/// The metrics of backends and of the server, whoever chooses the backends.
pub(crate) fn write_traffic(
    out: &mut String,
    upstreams: &Upstreams,
    totals: &Totals,
) -> fmt::Result {
    write_backends(out, upstreams)?;
    write_retries(out, upstreams)?;
    write_server(out, totals)
}

/// Whether a metric may fall.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

/// The lines before the samples of a metric.
pub(crate) fn family(out: &mut String, name: &str, kind: Kind, help: &str) -> fmt::Result {
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
    PerBackend {
        name: "servers_backend_spared_total",
        kind: Kind::Counter,
        help: "How often the backend was to be taken out, and stayed for want of others.",
        value: Backend::spared,
    },
];

fn write_backends(out: &mut String, upstreams: &Upstreams) -> fmt::Result {
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
    Ok(())
}

fn write_retries(out: &mut String, upstreams: &Upstreams) -> fmt::Result {
    let name = "servers_retries_total";
    family(out, name, Kind::Counter, "Requests tried on another backend.")?;
    writeln!(out, "{name} {}", upstreams.retries())?;
    let name = "servers_retries_open";
    family(out, name, Kind::Gauge, "Such requests that are under way.")?;
    writeln!(out, "{name} {}", upstreams.retrying())
}

fn write_policy(out: &mut String, upstreams: &Upstreams) -> fmt::Result {
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

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::proxy::policy::bed::Bed;

    /// Whether `text` keeps to the format, and to the rules that promtool checks: each family has
    /// its help and type once, before its samples, which stand together; names and labels are spelt
    /// as they must be; no sample is there twice; counters end in `_total`, and nothing else does.
    pub(crate) fn check(text: &str) -> Result<(), String> {
        if !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        let mut reader = Reader::default();
        text.lines()
            .try_for_each(|line| reader.line(line).map_err(|words| format!("{words}: {line}")))
    }

    #[derive(Default)]
    struct Reader<'a> {
        helps: HashSet<&'a str>,
        types: HashMap<&'a str, &'a str>,
        /// The family whose samples may follow.
        current: Option<&'a str>,
        samples: HashSet<&'a str>,
    }

    impl<'a> Reader<'a> {
        fn line(&mut self, line: &'a str) -> Result<(), &'static str> {
            match line.split_once(' ') {
                Some(("#", rest)) => self.comment(rest),
                _ => self.sample(line),
            }
        }

        fn comment(&mut self, rest: &'a str) -> Result<(), &'static str> {
            let mut words = rest.splitn(3, ' ');
            let word = words.next();
            let name = words.next().filter(|name| is_name(name)).ok_or("no name")?;
            let text = words.next().filter(|text| !text.is_empty()).ok_or("no text")?;
            match word {
                Some("HELP") if self.helps.insert(name) => Ok(()),
                Some("TYPE") if !self.helps.contains(name) => Err("a type without help"),
                Some("TYPE") => self.family(name, text),
                _ => Err("neither a help nor a type, or one that was there"),
            }
        }

        fn family(&mut self, name: &'a str, kind: &'a str) -> Result<(), &'static str> {
            if self.types.insert(name, kind).is_some() {
                return Err("a second type");
            }
            self.current = Some(name);
            match (kind, name.ends_with("_total")) {
                ("counter", true) | ("gauge", false) => Ok(()),
                _ => Err("a type that does not fit the name"),
            }
        }

        fn sample(&mut self, line: &'a str) -> Result<(), &'static str> {
            let (series, value) = line.rsplit_once(' ').ok_or("no value")?;
            value.parse::<f64>().map_err(|_| "no number")?;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            if Some(name) != self.current {
                return Err("a sample outside of its family");
            }
            if !self.samples.insert(series) {
                return Err("a second sample of the same labels");
            }
            labels.strip_suffix('}').ok_or("no end of the labels").and_then(check_labels)
        }
    }

    fn check_labels(labels: &str) -> Result<(), &'static str> {
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').ok_or("no value of a label")?;
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let plain = value.ok_or("no quotes")?.chars().all(|c| !matches!(c, '"' | '\\' | '\n'));
            if !is_name(name) || !plain {
                return Err("a label that has to be spelt otherwise");
            }
        }
        Ok(())
    }

    fn is_name(name: &str) -> bool {
        let letter = |c: char| c.is_ascii_lowercase() || c == '_';
        name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
    }

    fn value<'a>(text: &'a str, series: &str) -> Option<&'a str> {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    #[test]
    fn the_text_keeps_to_the_format_and_shows_what_was_counted() {
        let bed = Bed::new("round-robin", &[1, 3]);
        bed.lease().report(Outcome::Broken);
        bed.backend(0).serve_from(Moment::NEVER);
        let totals = Totals { accepted: 7, open: 2, ..Totals::default() };
        let text = text(&bed.upstreams, &totals);
        check(&text).unwrap();
        let broken = "{backend=\"127.0.0.1:2\",outcome=\"broken\"}";
        for (series, expected) in [
            ("servers_backend_up{backend=\"127.0.0.1:1\"}", "0"),
            ("servers_backend_up{backend=\"127.0.0.1:2\"}", "1"),
            ("servers_backend_weight{backend=\"127.0.0.1:2\"}", "3"),
            (&format!("servers_backend_requests_total{broken}"), "1"),
            ("servers_policy{policy=\"round-robin\"}", "1"),
            ("servers_accepted_total", "7"),
            ("servers_connections_open", "2"),
        ] {
            assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
        }
    }

    #[test]
    fn the_check_finds_what_breaks_the_format() {
        let head = "# HELP a_total A.\n# TYPE a_total counter\n";
        assert_eq!(check(&format!("{head}a_total{{b=\"c\"}} 1\n")), Ok(()));
        for bad in [
            "a_total 1\n",
            "# TYPE a_total counter\na_total 1\n",
            &format!("{head}a_total 1"),
            &format!("{head}a_total one\n"),
            &format!("{head}b_total 1\n"),
            &format!("{head}a_total 1\na_total 2\n"),
            &format!("{head}a_total{{b=c}} 1\n"),
            &format!("{head}a_total{{b=\"\"\"}} 1\n"),
            &format!("{head}a_total{{b=\"c\" 1\n"),
            &format!("{head}{head}a_total 1\n"),
            "# HELP a A.\n# TYPE a counter\na 1\n",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
