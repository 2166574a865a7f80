//! The result, for people.

use crate::report::duration;
use std::fmt::Write;

use super::report::{Bearing, Ended, PoliteReport, Report, WatchReport};

/// The report as an aligned table.
pub(super) fn text(report: &Report) -> String {
    let mut page = Page(String::new());
    page.line("target", &report.target);
    page.line("mode", &attack(report));
    page.line("connections", &connections(report));
    if let Some(error) = &report.first_error {
        page.line("  first refusal", error);
    }
    let server =
        format!("{}; {}", ended("closed", &report.finished), ended("reset", &report.reset));
    page.line("  ended by server", &server);
    let octets = format!("{} sent, {} received", report.octets_sent, report.octets_received);
    page.line("octets", &octets);
    for polite in &report.polite {
        page.polite(polite);
    }
    if let Some(watched) = &report.watched {
        page.watched(watched);
    }
    page.0
}

/// Lines of a name and a value, the values below each other.
struct Page(String);

impl Page {
    fn line(&mut self, name: &str, value: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "{name:<20}{value}");
    }

    fn polite(&mut self, polite: &PoliteReport) {
        let plural = if polite.clients == 1 { "client" } else { "clients" };
        self.line("polite", &format!("{} {} {plural}", polite.clients, polite.kind));
        self.line("  before", &bearing(&polite.before));
        self.line("  during", &bearing(&polite.during));
        self.line("  after", &bearing(&polite.after));
    }

    fn watched(&mut self, watched: &WatchReport) {
        let mebi = |octets: u64| octets as f64 / f64::from(1 << 20);
        self.line("server", "");
        let [before, peak, after] = [
            watched.resident_octets_before,
            watched.resident_octets_peak,
            watched.resident_octets_after,
        ]
        .map(mebi);
        let memory = format!("{before:.1} MiB before, {peak:.1} at peak, {after:.1} after");
        self.line("  memory", &memory);
        let threads = format!("{} at peak, {} after", watched.threads_peak, watched.threads_after);
        self.line("  threads", &threads);
        let WatchReport { cpu_before, cpu_during, cpu_after, .. } = watched;
        let cpus = format!("{cpu_before:.2} before, {cpu_during:.2} during, {cpu_after:.2} after");
        self.line("  CPUs", &cpus);
    }
}

fn attack(report: &Report) -> String {
    let length = time(report.duration_ns);
    format!("{}, {} connections at a time, for {length}", report.mode, report.connections)
}

fn connections(report: &Report) -> String {
    format!(
        "{} attempted = {} made + {} refused + {} pending; {} reset by us, {} open at the end",
        report.attempted,
        report.established,
        report.refused,
        report.dialling,
        report.reset_by_us,
        report.open
    )
}

fn ended(how: &str, ended: &Ended) -> String {
    let Ended { count, min_ns, median_ns, max_ns } = *ended;
    if count == 0 {
        return format!("none {how}");
    }
    let [min, median, max] = [min_ns, median_ns, max_ns].map(time);
    format!("{count} {how} after {min} to {max}, half of them within {median}")
}

fn bearing(of: &Bearing) -> String {
    let latency = |nanos: Option<u64>| nanos.map_or_else(|| "no answer".to_owned(), time);
    let [p50, p99, max] = [of.p50_ns, of.p99_ns, of.max_ns].map(latency);
    let mut text = format!(
        "{p50:>10} p50 {p99:>10} p99 {max:>10} max, {} of {} answered",
        of.answered, of.due
    );
    for (count, what) in [(of.errors.total(), "failed"), (of.unsent, "unsent")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

fn time(nanos: u64) -> String {
    duration(nanos as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_long_the_server_bore_it() {
        let ages = Ended { count: 3, min_ns: 1_500, median_ns: 2_000_000, max_ns: 3_000_000_000 };
        let text = ended("closed", &ages);
        assert_eq!(text, "3 closed after 1.5 µs to 3.00 s, half of them within 2.00 ms");
        assert_eq!(ended("reset", &Ended::default()), "none reset");
    }

    #[test]
    fn says_what_was_felt_and_names_only_the_trouble_there_was() {
        let fine = Bearing { due: 2, answered: 2, max_ns: Some(5_000), ..Bearing::default() };
        assert!(bearing(&fine).ends_with("5.0 µs max, 2 of 2 answered"));
        let bad = Bearing { due: 5, unsent: 3, ..fine };
        assert!(bearing(&bad).starts_with(" no answer p50"));
        assert!(bearing(&bad).ends_with("2 of 5 answered, 3 unsent"));
    }
}
