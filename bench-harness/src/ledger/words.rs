//! The page that a run leaves: what was found, the tables, and how to read them.

use std::fmt::Write;

use super::anatomy::Anatomy;
use super::finding::{
    Results, Row, anatomies, held, of_mappings, of_step, of_switches, of_threads,
};
use super::finding::{server_each, steps};
use super::group::GROUPS;
use super::record::file;
use super::switches::Switches;
use super::trial::{Held, Outcome, Overflow};
use crate::manifest::Manifest;
use crate::plot::Drawn;
use crate::report::number::{grouped, octets, three};

/// How to read the tables.
const READING: &str = include_str!("reading.md");

/// The page.
#[must_use]
pub fn page(results: Results<'_>, manifest: &Manifest, figures: &[Drawn]) -> String {
    let mut page = format!("# What an idle connection costs in memory\n\n{}\n\n", facts(manifest));
    for connections in steps(results.ledger).into_iter().rev() {
        page += &step(results.ledger, connections, figures);
    }
    page += &threads(results.threads, figures);
    page += &switches(results.switches);
    page += READING;
    page += &files();
    page
}

/// The findings alone, a line each, for the terminal.
#[must_use]
pub fn findings(results: Results<'_>) -> String {
    let steps = steps(results.ledger);
    let mut lines: Vec<_> = steps.iter().map(|step| of_step(results.ledger, *step)).collect();
    if !results.threads.is_empty() {
        lines.push(of_threads(results.threads));
    }
    lines.extend(of_mappings(results.threads));
    lines.extend(of_switches(results.switches));
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

fn facts(manifest: &Manifest) -> String {
    format!(
        "{}; {}. Revision {}. Command: `{}`",
        manifest.host.line(),
        manifest.started,
        manifest.build.revision,
        manifest.command.join(" ")
    )
}

fn step(ledger: &[Held], connections: u64, figures: &[Drawn]) -> String {
    let clients = grouped(connections as f64);
    let mut text = format!("## {clients} connections\n\n{}.\n\n", of_step(ledger, connections));
    text += &figure(figures, &format!("connections-{connections}"));
    let rows = held(ledger, connections);
    if !rows.is_empty() {
        text += "Octets for each connection:\n\n";
        text += &table_head();
        rows.iter().for_each(|row| text += &line(*row));
        text.push('\n');
    }
    text + &others(ledger, connections)
}

fn figure(figures: &[Drawn], name: &str) -> String {
    let drawn =
        figures.iter().find(|drawn| drawn.path.file_stem().is_some_and(|stem| stem == name));
    drawn.map_or_else(String::new, |drawn| format!("![{}](plots/{name}.svg)\n\n", drawn.finding))
}

fn table_head() -> String {
    let names = GROUPS.map(|group| group.name).join(" | ");
    let rule = "---:|".repeat(GROUPS.len() + 2);
    format!("| model | {names} | server's end | total |\n|---|{rule}\n")
}

fn line((held, found): Row<'_>) -> String {
    let (hold, account) = (&held.hold, &found.account);
    let cells = GROUPS.map(|group| signed(group.each(account, hold.connections))).join(" | ");
    let total = signed(account.total as f64 / hold.connections.max(1) as f64);
    let mark = if account.believed(hold.connections) { "" } else { " ?" };
    let server = signed(server_each((held, found)));
    format!("| {}{mark} | {cells} | {server} | {total} |\n", hold.model)
}

fn signed(value: f64) -> String {
    let sign = if value <= -0.5 { "−" } else { "" };
    format!("{sign}{}", grouped(value.abs()))
}

/// The models that did not hold so many, each with the reason.
fn others(ledger: &[Held], connections: u64) -> String {
    let of_step = ledger.iter().filter(|held| held.hold.connections == connections);
    let missing = of_step.filter(|held| held.outcome != Outcome::Held);
    let lines = missing
        .map(|held| format!("- {}: {}: {}\n", held.hold.model, held.outcome.word(), held.reason));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("Not held:\n\n{lines}\n") }
}

fn threads(threads: &[Held], figures: &[Drawn]) -> String {
    if threads.is_empty() {
        return String::new();
    }
    let mut text = format!("## Threads\n\n{}.\n\n", of_threads(threads));
    text += &of_mappings(threads).map_or_else(String::new, |words| format!("{words}.\n\n"));
    text += &figure(figures, "threads");
    text += "Octets for each thread:\n\n\
        | stack | overflow | mappings | addresses | stack touched | other user memory | \
        kernel stack | page tables | objects | kept for sending | memory |\n\
        |---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for overflow in [Overflow::Handled, Overflow::Ignored] {
        let lines = anatomies(threads, overflow).into_iter();
        text.extend(lines.map(|(stack, anatomy)| thread_line(stack, overflow, &anatomy)));
    }
    text + "\n"
}

fn thread_line(stack: u64, overflow: Overflow, a: &Anatomy) -> String {
    let each = [a.addresses, a.stack, a.user, a.kernel_stack, a.page_tables, a.objects, a.sending];
    let cells = each.map(signed).join(" | ");
    let (size, overflow, mappings) = (octets(stack as f64), overflow.word(), three(a.mappings));
    format!("| {size} | {overflow} | {mappings} | {cells} | {} |\n", signed(a.memory()))
}

fn switches(all: &[Switches]) -> String {
    let Some(first) = all.first() else { return String::new() };
    let finding = of_switches(all).map_or_else(String::new, |words| format!("{words}.\n\n"));
    let clients = grouped(first.connections as f64);
    let mut text = format!("## Context switches\n\n{finding}Closed loop, {clients} clients:\n\n");
    text += "| model | threads | requests | voluntary | involuntary | for one request |\n\
        |---|---:|---:|---:|---:|---:|\n";
    for row in all {
        let counts = [row.threads, row.requests, row.voluntary, row.involuntary];
        let counts = counts.map(|count| grouped(count as f64)).join(" | ");
        let each = row.each().map_or_else(|| "-".into(), three);
        let _ = writeln!(text, "| {} | {counts} | {each} |", row.model);
    }
    text + "\n"
}

fn files() -> String {
    format!(
        "## Files\n\n- `{}`: a row a model and number of connections; the holders' columns sum to \
         `total_octets`\n- `{}`: the kernel's objects that were added, by name\n- `{}`: a row a \
         size of stacks\n- `{}`: context switches\n- `manifest.toml`: host, revision, command\n",
        file::LEDGER,
        file::OBJECTS,
        file::THREADS,
        file::SWITCHES
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::ledger::trial::Hold;

    #[test]
    fn a_model_that_did_not_hold_is_listed_with_its_reason() {
        let hold = Hold {
            model: "iterative".into(),
            app: App::Echo,
            connections: 5,
            stack: None,
            overflow: Overflow::Handled,
        };
        let reason = "iterative serves 1 at once".to_owned();
        let ledger = [Held { hold, outcome: Outcome::Beyond, reason, found: None, attempts: 1 }];
        let text = step(&ledger, 5, &[]);
        assert!(text.contains("- iterative: beyond: iterative serves 1 at once"), "{text}");
        assert!(text.contains("No model held 5 connections"), "{text}");
    }

    #[test]
    fn negative_amounts_keep_their_sign() {
        assert_eq!([signed(-1_234.4), signed(-0.2), signed(7.6)], ["−1,234", "0", "8"]);
    }

    #[test]
    fn nothing_measured_is_nothing_said() {
        let results = Results { ledger: &[], threads: &[], switches: &[] };
        assert_eq!(findings(results), "");
        assert_eq!((threads(&[], &[]), switches(&[])), (String::new(), String::new()));
    }
}
