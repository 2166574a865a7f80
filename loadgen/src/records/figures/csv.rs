//! Figures as a table of three columns, `figure,of,value`: one that every program can filter.
//!
//! The rows `response`, `service` and `delay` are the buckets of the histograms: `of` is the
//! largest value in nanoseconds that falls into a bucket, `value` is how many do.

use std::fmt::Write;

use super::count::{Distribution, Figures};

pub(super) fn csv(figures: &Figures) -> String {
    let mut table = Table("figure,of,value\n".to_owned());
    let (of, errors) = (&figures.requests, &figures.errors);
    for (which, value) in [
        ("sent", of.sent),
        ("answered", of.answered),
        ("failed", of.failed),
        ("lost", of.outstanding),
        ("never sent", of.unsent),
        ("missing", figures.missing),
    ] {
        table.row("requests", which, value);
    }
    for (class, value) in [
        ("connect", errors.connect),
        ("read", errors.read),
        ("write", errors.write),
        ("reset", errors.reset),
        ("closed", errors.closed),
        ("timeout", errors.timeout),
        ("status", errors.status),
        ("mismatch", errors.mismatch),
        ("mispaired", errors.mispaired),
    ] {
        table.row("errors", class, value);
    }
    table.row("elapsed", "ns", figures.elapsed_ns);
    table.row("rate", "answers/s", figures.rate);
    table.row("in flight", "mean", figures.in_flight);
    table.distribution("response", &figures.response);
    table.distribution("service", &figures.service);
    table.distribution("delay", &figures.delay);
    table.series(figures);
    table.0
}

struct Table(String);

impl Table {
    fn row(&mut self, figure: &str, of: impl std::fmt::Display, value: impl std::fmt::Display) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "{figure},{of},{value}");
    }

    fn distribution(&mut self, figure: &str, of: &Distribution) {
        for bucket in of.times.iter_recorded() {
            self.row(figure, bucket.value_iterated_to(), bucket.count_at_value());
        }
    }

    fn series(&mut self, figures: &Figures) {
        for row in &figures.seconds {
            self.row("sent by second", row.second, row.sent);
            self.row("answered by second", row.second, row.answered);
            self.row("failed by second", row.second, row.failed);
            self.row("mean ns by second", row.second, row.mean_ns);
            self.row("max ns by second", row.second, row.max_ns);
        }
        for row in &figures.connections {
            let connection = format!("{}/{}", row.log, row.connection);
            self.row("answered by connection", &connection, row.answered);
            self.row("unanswered by connection", &connection, row.unanswered);
        }
    }
}
