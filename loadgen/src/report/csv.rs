//! The tables: `summary.csv`, `latency.csv` and `client data - N.csv`.

use std::io::Write;

use ::csv::{Result, Writer};

use super::Summary;
use crate::clock::Moment;
use crate::engine::Tally;
use crate::recorder::Times;

/// The columns of `client data - N.csv`. The names are those of an older suite, so that its tables
/// and these can be laid side by side.
const CLIENT_COLUMNS: [&str; 4] =
    ["requests made", "data sent (bytes)", "average response time (sec)", "session duration (sec)"];

/// Ever finer steps towards 100 %: so many for each halving of the distance.
const STEPS_PER_HALVING: u32 = 5;

/// One row for each client, in the order of the threads and of the connections in each. A client
/// that had no answer has an empty average.
pub(super) fn clients(place: impl Write, tallies: &[Tally], end: Moment) -> Result<()> {
    let mut table = Writer::from_writer(place);
    table.write_record(CLIENT_COLUMNS)?;
    for tally in tallies {
        let average = match tally.answered {
            0 => String::new(),
            answered => (tally.latency_ns as f64 / answered as f64 / 1e9).to_string(),
        };
        table.write_record([
            tally.answered.to_string(),
            tally.octets_sent.to_string(),
            average,
            (session_ns(tally, end) as f64 / 1e9).to_string(),
        ])?;
    }
    Ok(table.flush()?)
}

/// From just before the first connect(2) to the last close(2).
fn session_ns(tally: &Tally, end: Moment) -> u64 {
    let opened = tally.opened.unwrap_or(end);
    tally.closed.unwrap_or(end).nanos_since(opened)
}

/// The spectrum of the latencies: which part of the answers came within which time.
pub(super) fn spectrum(times: &Times) -> Result<Vec<u8>> {
    let mut table = Writer::from_writer(Vec::new());
    table.write_record(["percent", "latency_ns", "answers"])?;
    let mut answers = 0;
    for step in times.histogram().iter_quantiles(STEPS_PER_HALVING) {
        answers += step.count_since_last_iteration();
        table.write_record([
            (step.quantile_iterated_to() * 100.0).to_string(),
            step.value_iterated_to().to_string(),
            answers.to_string(),
        ])?;
    }
    octets(table)
}

/// One row with the numbers of a run.
pub(super) fn summary(summary: &Summary) -> Result<Vec<u8>> {
    let columns = columns(summary);
    let mut table = Writer::from_writer(Vec::new());
    table.write_record(columns.iter().map(|(name, _)| name))?;
    table.write_record(columns.iter().map(|(_, value)| value))?;
    octets(table)
}

fn columns(summary: &Summary) -> Vec<(String, String)> {
    let Summary { connections, requests, errors, calls, client, .. } = summary;
    let mut columns = Columns(vec![("target".to_owned(), summary.target.clone())]);
    columns.add("connections_asked", connections.asked);
    columns.add("connections_established", connections.established);
    columns.add("connections_served", connections.served);
    columns.add("connections_idle", connections.idle);
    columns.add("connections_abandoned", connections.abandoned);
    columns.add("reconnects", connections.reconnects);
    columns.add("requests_sent", requests.sent);
    columns.add("requests_answered", requests.answered);
    columns.add("requests_failed", requests.failed);
    columns.add("requests_outstanding", requests.outstanding);
    columns.add("errors", errors.total());
    columns.add("elapsed_ns", summary.elapsed_ns);
    columns.add("rate", summary.rate);
    columns.add("octets_sent", summary.octets_sent);
    columns.add("octets_received", summary.octets_received);
    columns.add("latency_mean_ns", summary.latency.mean_ns);
    columns.add("latency_min_ns", summary.latency.min_ns);
    columns.add("latency_max_ns", summary.latency.max_ns);
    for percent in super::summarise::PERCENTILES {
        let found = summary.latency.percentiles.iter().find(|one| one.percent == percent);
        columns.maybe(&format!("latency_p{percent}_ns"), found.and_then(|one| one.value_ns));
    }
    columns.add("calls_per_request", calls.per_request(requests.answered));
    columns.add("client_user_ns", client.user_ns);
    columns.add("client_system_ns", client.system_ns);
    let server = summary.server.as_ref();
    columns.maybe("server_user_ns", server.map(|usage| usage.user_ns));
    columns.maybe("server_system_ns", server.map(|usage| usage.system_ns));
    columns.maybe("server_resident_octets", server.map(|usage| usage.resident_octets));
    columns.maybe("server_threads", server.map(|usage| usage.threads));
    columns.0
}

struct Columns(Vec<(String, String)>);

impl Columns {
    fn add(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    /// A value that is not there leaves its cell empty.
    fn maybe(&mut self, name: &str, value: Option<u64>) {
        self.0.push((name.to_owned(), value.map(|value| value.to_string()).unwrap_or_default()));
    }
}

fn octets(table: Writer<Vec<u8>>) -> Result<Vec<u8>> {
    table.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(octets: Result<Vec<u8>>) -> String {
        String::from_utf8(octets.expect("a table")).expect("text")
    }

    #[test]
    fn client_data_has_exactly_these_columns() {
        let tally = Tally {
            answered: 4,
            octets_sent: 60,
            latency_ns: 2_000_000,
            silence_ns: 0,
            opened: Some(Moment::from_nanos(5)),
            closed: Some(Moment::from_nanos(1_500_000_005)),
        };
        let mut table = Vec::new();
        let tallies = [tally, Tally::default()];
        clients(&mut table, &tallies, Moment::from_nanos(9)).expect("a table");
        let table = text(Ok(table));
        let expected = "requests made,data sent (bytes),average response time (sec),\
                        session duration (sec)\n4,60,0.0005,1.5\n0,0,,0\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn the_spectrum_ends_with_all_answers_at_100_percent() {
        let mut times = Times::default();
        (1..=1000).for_each(|nanos| times.record(nanos));
        let table = text(spectrum(&times));
        assert!(table.starts_with("percent,latency_ns,answers\n"));
        assert!(table.ends_with("\n100,1000,1000\n"), "{table}");
    }

    #[test]
    fn the_summary_is_one_row_as_wide_as_its_head() {
        let table = text(summary(&Summary::default()));
        let widths: Vec<_> = table.lines().map(|line| line.split(',').count()).collect();
        assert!(widths.len() == 2 && widths[0] == widths[1], "{widths:?}");
        assert!(table.contains("latency_p99.9_ns"));
    }
}
