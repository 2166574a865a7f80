//! Figures for the eye.

use std::fmt::Write;

use super::count::{Distribution, Figures};

/// Rows of the tables that are printed; the others are in JSON and CSV.
const ROWS: usize = 20;

pub(super) fn text(figures: &Figures) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = head(&mut text, figures);
    for (name, of) in
        [("response", &figures.response), ("service", &figures.service), ("delay", &figures.delay)]
    {
        let _ = distribution(&mut text, name, of);
    }
    let _ = seconds(&mut text, figures);
    let _ = connections(&mut text, figures);
    text
}

fn head(text: &mut String, figures: &Figures) -> std::fmt::Result {
    for (path, _) in &figures.logs {
        writeln!(text, "{:<14}{}", "log", path.display())?;
    }
    let of = &figures.requests;
    let (seconds, unsent) = (figures.elapsed_ns as f64 / 1e9, of.unsent);
    writeln!(
        text,
        "requests      {} sent = {} answered + {} failed + {} without an answer; {unsent} never sent",
        of.sent, of.answered, of.failed, of.outstanding
    )?;
    writeln!(text, "errors        {}", errors(figures))?;
    writeln!(text, "rate          {:.1} answers/s over {seconds:.3} s", figures.rate)?;
    writeln!(text, "in flight     {:.3} requests in the mean", figures.in_flight)?;
    if figures.missing > 0 {
        writeln!(text, "missing       {} records: the disk was too slow", figures.missing)?;
    }
    Ok(())
}

fn errors(figures: &Figures) -> String {
    let of = &figures.errors;
    let classes = [
        (of.connect, "connect"),
        (of.read, "read"),
        (of.write, "write"),
        (of.reset, "reset"),
        (of.closed, "closed"),
        (of.timeout, "timeout"),
        (of.status, "status"),
        (of.mismatch, "mismatch"),
        (of.mispaired, "mispaired"),
    ];
    let found = classes.iter().filter(|(count, _)| *count > 0);
    let found: Vec<_> = found.map(|(count, class)| format!("{count} {class}")).collect();
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}

fn distribution(text: &mut String, name: &str, of: &Distribution) -> std::fmt::Result {
    let ms = |nanos: f64| format!("{:.6}", nanos / 1e6);
    write!(text, "{name:<14}mean {} ms", ms(of.mean_ns))?;
    for one in &of.percentiles {
        let value = one.value_ns.map_or_else(|| "no answer".to_owned(), |nanos| ms(nanos as f64));
        write!(text, ", p{} {value}", one.percent)?;
    }
    writeln!(text, ", max {}", ms(of.max_ns as f64))
}

fn seconds(text: &mut String, figures: &Figures) -> std::fmt::Result {
    writeln!(text, "\n  second       sent   answered     failed    mean ms     max ms")?;
    for row in figures.seconds.iter().take(ROWS) {
        let (mean, max) = (row.mean_ns / 1e6, row.max_ns as f64 / 1e6);
        let (sent, answered, failed) = (row.sent, row.answered, row.failed);
        writeln!(
            text,
            "{:>8} {sent:>10} {answered:>10} {failed:>10} {mean:>10.3} {max:>10.3}",
            row.second
        )?;
    }
    rest(text, figures.seconds.len())
}

fn connections(text: &mut String, figures: &Figures) -> std::fmt::Result {
    writeln!(text, "\n log connection   answered unanswered")?;
    for row in figures.connections.iter().take(ROWS) {
        let (answered, unanswered) = (row.answered, row.unanswered);
        writeln!(text, "{:>4} {:>10} {answered:>10} {unanswered:>10}", row.log, row.connection)?;
    }
    rest(text, figures.connections.len())
}

fn rest(text: &mut String, rows: usize) -> std::fmt::Result {
    match rows.checked_sub(ROWS) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(text, "   … and {more} more (--format csv)"),
    }
}
