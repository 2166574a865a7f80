//! The result for people.

use std::fmt::Write;

use textwrap::Options;

use super::{Comparison, Errors, Latency, Pace, Path, Percentile, Replies, Summary, Usage};
use crate::verdict::Verdict;

/// Columns of a page.
const WIDTH: usize = 100;

/// Connections that are enough to tell their memory from that of everything else on the host.
const MANY: u64 = 1000;

/// The summary as an aligned table.
#[must_use]
pub fn text(summary: &Summary) -> String {
    let mut page = Page::default();
    page.line("target", summary.target.clone());
    page.line("connections", connections(summary));
    page.line("requests", requests(summary));
    page.line("errors", errors(&summary.errors));
    if let Some(replies) = replies(&summary.replies) {
        page.line("replies", replies);
    }
    if summary.errors_before.total() > 0 {
        page.line("  before measuring", errors(&summary.errors_before));
    }
    let elapsed = time(summary.elapsed_ns as f64);
    page.line("rate", format!("{:.0} answers/s over {elapsed}", summary.rate));
    page.line(
        "octets",
        format!("{} sent, {} received", summary.octets_sent, summary.octets_received),
    );
    match (&summary.service, &summary.pace) {
        (Some(service), Some(pace)) => {
            page.latency("response time", &summary.latency);
            page.latency("service time", service);
            page.line("  over service", omission(summary, service));
            page.line("schedule", schedule(pace));
            page.latency("send lag", &pace.lag);
            page.line("queue", queue(pace));
        }
        _ => page.latency("latency", &summary.latency),
    }
    if let Some(path) = &summary.path {
        page.line("where the time goes", way(path));
    }
    page.latency("connect", &summary.connect);
    page.line("loadgen", usage(&summary.client, summary));
    page.line("  system calls", calls(summary));
    if let Some(server) = &summary.server {
        page.line("server", usage(server, summary));
        page.line("  memory, threads", memory(server));
    }
    if summary.connections.established + summary.connections.idle >= MANY {
        page.line("memory", growth(summary));
    }
    page.verdict(&summary.verdict);
    page.0
}

/// Lines of a name and a value, the values below each other.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, name: &str, value: String) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "{name:<20}{value}");
    }

    /// Last, so that nobody can miss it.
    fn verdict(&mut self, verdict: &Verdict) {
        let hanging = Options::new(WIDTH).subsequent_indent("           ");
        self.0.push('\n');
        for line in verdict.to_string().lines() {
            let _ = writeln!(self.0, "{}", textwrap::fill(line, &hanging));
        }
    }

    fn latency(&mut self, name: &str, latency: &Latency) {
        if latency.count == 0 {
            return self.line(name, "nothing recorded".to_owned());
        }
        let mean = format!(
            "{:>10} mean, {} standard deviation",
            time(latency.mean_ns),
            time(latency.stdev_ns)
        );
        self.line(name, mean);
        self.line("", format!("{:>10} min", time(latency.min_ns as f64)));
        for percentile in &latency.percentiles {
            self.line("", quantile(percentile));
        }
        self.line("", format!("{:>10} max", time(latency.max_ns as f64)));
    }
}

/// How many times as long a request takes from when it was to be sent as from when it was sent. A
/// load generator that counts from the send leaves that out.
fn omission(summary: &Summary, service: &Latency) -> String {
    let factor = |name: &str, response: f64, service: f64| {
        format!("{:.2} {name}", response / service.max(1.0))
    };
    let mut factors = vec![factor("mean", summary.latency.mean_ns, service.mean_ns)];
    for percent in [50.0, 99.0, 99.9] {
        if let (Some(response), Some(service)) = (summary.latency.at(percent), service.at(percent))
        {
            factors.push(factor(&format!("p{percent}"), response as f64, service as f64));
        }
    }
    factors.join(", ")
}

fn schedule(pace: &Pace) -> String {
    format!("{} at {} requests/s, seed {}", pace.arrivals, pace.rate, pace.seed)
}

fn queue(pace: &Pace) -> String {
    let Pace { queue, queue_longest, .. } = pace;
    format!(
        "{} waited for a free connection, {queue_longest} at once at most, {} at the longest",
        queue.count,
        time(queue.max_ns as f64)
    )
}

/// The parts of the mean response time.
fn way(path: &Path) -> String {
    let total = path.total();
    let mean = |nanos: u64| time(nanos as f64 / total.count.max(1) as f64);
    let (wait, send) = (mean(total.wait_ns), mean(total.send_ns));
    let (away, read) = (mean(total.away_ns), mean(total.read_ns));
    format!("{wait} before the send, {send} to leave, {away} away, {read} to be read")
}

/// A percentile and its 95 % confidence interval.
fn quantile(percentile: &Percentile) -> String {
    let text = |nanos: Option<u64>| {
        nanos.map_or_else(|| "no answer".to_owned(), |nanos| time(nanos as f64))
    };
    let Percentile { percent, value_ns, low_ns, high_ns } = *percentile;
    let interval = format!("{} to {}", text(low_ns), text(high_ns));
    format!("{:>10} p{percent:<7} {interval}", text(value_ns))
}

fn connections(summary: &Summary) -> String {
    let of = &summary.connections;
    let mut text =
        format!("{} asked, {} established, {} served", of.asked, of.established, of.served);
    for (count, what) in [(of.idle, "idle"), (of.reconnects, "renewed"), (of.abandoned, "given up")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

fn requests(summary: &Summary) -> String {
    let of = &summary.requests;
    format!(
        "{} sent = {} answered + {} failed + {} outstanding",
        of.sent, of.answered, of.failed, of.outstanding
    )
}

fn errors(errors: &Errors) -> String {
    let Errors { connect, read, write, reset, closed, timeout, status, mismatch, mispaired } =
        *errors;
    let classes = [
        (connect, "connect"),
        (read, "read"),
        (write, "write"),
        (reset, "reset"),
        (closed, "closed"),
        (timeout, "timeout"),
        (status, "status"),
        (mismatch, "mismatch"),
        (mispaired, "mispaired"),
    ];
    let counted = classes.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = counted.map(|(count, class)| format!("{count} {class}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// None if nothing is known of their content.
fn replies(replies: &Replies) -> Option<String> {
    let with = match replies.compared_with {
        Comparison::Nothing => return None,
        Comparison::Message => "the message",
        Comparison::Text => "the expected text",
        Comparison::File => "the file",
        Comparison::Id => "the id of the request",
    };
    Some(format!("{} exact, {} wrong, compared with {with}", replies.exact, replies.wrong))
}

fn usage(usage: &Usage, summary: &Summary) -> String {
    let cpu = (usage.user_ns + usage.system_ns) as f64;
    let share = 100.0 * cpu / summary.elapsed_ns.max(1) as f64;
    let each = |nanos: u64| time(nanos as f64 / summary.requests.answered.max(1) as f64);
    format!(
        "{share:.0} % of a CPU; per answer {} user + {} system",
        each(usage.user_ns),
        each(usage.system_ns)
    )
}

fn calls(summary: &Summary) -> String {
    let calls = &summary.calls;
    let each = calls.per_request(summary.requests.answered);
    format!("{each:.2} per answer, {:.1} connections ready per wait", calls.events_per_wait())
}

fn memory(usage: &Usage) -> String {
    let mebi = usage.resident_octets as f64 / f64::from(1 << 20);
    format!("{mebi:.1} MiB resident, {} threads", usage.threads)
}

/// What each connection has cost, if they are many enough for that to mean something.
fn growth(summary: &Summary) -> String {
    let growth = &summary.memory;
    let connections = (summary.connections.established + summary.connections.idle) as f64;
    let each = |octets: i64| format!("{:.0}", octets as f64 / connections);
    let server = growth.server.map(|octets| format!(", {} server", each(octets)));
    format!(
        "octets per connection: {} loadgen{}, {} kernel (both ends, if the target is on this host)",
        each(growth.client),
        server.unwrap_or_default(),
        each(growth.kernel())
    )
}

/// A time in the unit that suits it.
pub(crate) fn time(nanos: f64) -> String {
    match nanos {
        ..1e3 => format!("{nanos:.0} ns"),
        ..1e6 => format!("{:.1} µs", nanos / 1e3),
        ..1e9 => format!("{:.2} ms", nanos / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Requests;

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let cases = [(0.0, "0 ns"), (999.0, "999 ns"), (1500.0, "1.5 µs"), (2.5e6, "2.50 ms")];
        for (nanos, expected) in cases.into_iter().chain([(6e10, "60.00 s")]) {
            assert_eq!(time(nanos), expected);
        }
    }

    #[test]
    fn says_what_became_of_all_requests() {
        let requests =
            Requests { sent: 10, answered: 7, failed: 2, outstanding: 1, ..Requests::default() };
        let errors = Errors { closed: 2, ..Errors::default() };
        let text = text(&Summary { requests, errors, ..Summary::default() });
        assert!(
            text.contains("requests            10 sent = 7 answered + 2 failed + 1 outstanding")
        );
        assert!(text.contains("errors              2 closed\n"));
        assert!(text.contains("latency             nothing recorded"));
    }
}
