//! The report of a run as a Markdown page.

use std::path::Path;

use super::findings::{Findings, Fit};
use super::live::Live;
use super::measure::{COSTS, LIVE, MOVES, Run, SHARES, SLOTS};
use super::moved::Moved;
use super::published;
use super::row::Change;
use super::spread::{Origin, Spread};
use crate::folder::file;
use crate::launch::pinning::listed;
use crate::plot::Drawn;
use crate::report::number::{grouped, octets, three};
use crate::report::page::{Circumstances, charts, cut_short, list, quiet};
use crate::report::table::markdown;

/// The name of the table of spreads.
pub const SPREADS: &str = "spreads.csv";
/// The name of the table of tests.
pub const FITS: &str = "fits.csv";

/// The method with the functions of the published system.
const GIVEN: &str = "ring-given";

/// The page, with figures by relative paths.
#[must_use]
pub fn page(run: &Run, findings: &Findings, figures: &[Drawn]) -> String {
    let mut text = String::from("# How evenly keys are placed\n\n");
    text += cut_short(&run.manifest.beginning);
    text += &list(sentences(findings).into_iter().map(|sentence| sentence + "."), "Nothing.");
    text += &charts(figures, Path::new(file::PLOTS));
    text += &why(findings);
    text += &spreads(run, findings);
    text += &fits(findings);
    text += &live(run);
    text += &moves(findings);
    text += &costs(run);
    text += &missing(run);
    text + &method(run) + &host(run)
}

/// What was found, most important first.
#[must_use]
pub fn sentences(findings: &Findings) -> Vec<String> {
    let rings = findings.rings.iter().filter_map(|ring| findings.ring(&ring.method));
    let rest = [
        findings.explained(Origin::Published),
        findings.explained(Origin::Counted),
        findings.explained(Origin::Live),
        findings.lost(),
        findings.peak(),
        findings.needless(Change::Remove),
        findings.needless(Change::Add),
    ];
    rings.chain(rest.into_iter().flatten()).collect()
}

/// What the functions of the published system do to its ring, in numbers of this run's.
fn why(findings: &Findings) -> String {
    let Some(ring) = findings.rings.iter().find(|ring| ring.method == GIVEN) else {
        return String::new();
    };
    let share = findings.spread(GIVEN, Origin::Exact, findings.most);
    let share = share.map_or(0.0, |share| 100.0 * share.peak_to_average / f64::from(share.nodes));
    format!(
        "## Why {GIVEN} is poor\n\n\
         It hashes the id i to i² + 2i + 17 = (i + 1)² + 16, modulo {slots}. That less 16 is \
         a square, and only {met} of {slots} remainders are squares: no id ever meets the other \
         {} slots, and the one that is met most has {} % of all ids. It puts the j-th copy of the \
         i-th server on i² + j² + 2j + 25. For few servers and few copies these are small numbers, \
         so all {} copies stand close together, with a gap of {} slots between two of them. The \
         one server behind that gap answers for all of it, and has {} % of the ids in the \
         end.\n\n",
        ring.slots - ring.met,
        three(100.0 * ring.most),
        ring.copies,
        ring.gap,
        three(share),
        slots = ring.slots,
        met = ring.met,
    )
}

/// A table with a line a method and origin, and a column a number of servers.
fn by_size(run: &Run, findings: &Findings, cell: impl Fn(&Spread) -> String) -> String {
    let sizes = run.manifest.extent.fewest..=run.manifest.extent.most;
    let head = ["method".into(), "loads".into()].into_iter();
    let mut lines = vec![head.chain(sizes.clone().map(|n| format!("{n} servers"))).collect()];
    for method in &run.manifest.methods {
        for (origin, name) in ORIGINS {
            let spread = |nodes| findings.spread(method, origin, nodes);
            if sizes.clone().any(|nodes| spread(nodes).is_some()) {
                let cells =
                    sizes.clone().map(|nodes| spread(nodes).map_or_else(|| "–".into(), &cell));
                lines.push([method.clone(), name.into()].into_iter().chain(cells).collect());
            }
        }
    }
    markdown(&lines)
}

const ORIGINS: [(Origin, &str); 4] = [
    (Origin::Exact, "exact"),
    (Origin::Counted, "counted here"),
    (Origin::Live, "balancer at work"),
    (Origin::Published, "published"),
];

fn spreads(run: &Run, findings: &Findings) -> String {
    let peak = by_size(run, findings, |spread| format!("{:.3}", spread.peak_to_average));
    let deviation = by_size(run, findings, |spread| grouped(spread.deviation));
    format!(
        "## Peak over average\n\n{peak}\n## Standard deviation of the loads\n\nOf {} keys. What is \
         exact is the method's own; what is counted has chance in it.\n\n{deviation}\n",
        grouped(run.manifest.extent.keys.into())
    )
}

fn fits(findings: &Findings) -> String {
    let line = |fit: &&Fit| {
        let whose = ORIGINS.iter().find(|(origin, _)| *origin == fit.origin);
        vec![
            fit.method.clone(),
            whose.map_or("", |(_, name)| name).into(),
            format!("{:.1}", fit.chi_square),
            fit.freedom.to_string(),
            format!("{:.3}", fit.chance),
            if fit.holds() { "explained" } else { "**not explained**" }.into(),
        ]
    };
    let head = ["method", "counts", "χ²", "degrees of freedom", "p", ""].map(String::from).to_vec();
    let whole = findings.fits.iter().filter(|fit| fit.nodes.is_none());
    let lines: Vec<_> = std::iter::once(head).chain(whole.map(|fit| line(&fit))).collect();
    format!(
        "## Are the counts a sample of the exact shares?\n\nPearson's test, over all numbers of \
         servers. Each of these has keys of its own, so the sums are of independent parts.\n\n{}\n",
        markdown(&lines)
    )
}

/// Who answered: a line a method and number of replicas, with the replicas in their order.
fn live(run: &Run) -> String {
    if run.live.is_empty() {
        return String::new();
    }
    let head = ["method", "replicas", "requests", "answered by each", "exact", "failed"];
    let same = |one: &Live, other: &Live| (&one.method, one.nodes) == (&other.method, other.nodes);
    let head = [head.map(String::from).to_vec()].into_iter();
    let lines: Vec<_> = head.chain(run.live.chunk_by(same).map(live_line)).collect();
    format!(
        "## Balancers at work\n\n`servers balance` with this method and so many replicas, each a \
         process of its own, was asked over connections that stay open; each reply says which \
         replica it is from. The balancer draws the id of each request by itself. As many \
         requests as the published counts are of go to the methods that have such counts, fewer \
         to the others; `servers balance` does not take a method that goes by loads as well. \
         What is exact of `anchor` is that of one with room for 128 servers; a balancer's has room \
         for 56.\n\n{}\n",
        markdown(&lines)
    )
}

fn live_line(balancer: &[Live]) -> Vec<String> {
    let list = |value: fn(&Live) -> Option<f64>| {
        let each = balancer.iter().map(|row| value(row).map_or_else(|| "–".into(), grouped));
        each.collect::<Vec<_>>().join(" / ")
    };
    let first = &balancer[0];
    vec![
        first.method.clone(),
        first.nodes.to_string(),
        grouped(first.requests.into()),
        list(|row| Some(row.count as f64)),
        list(|row| row.expected),
        first.failed.to_string(),
    ]
}

/// What moves when a server goes, and when one comes.
fn moves(findings: &Findings) -> String {
    let most = findings.most;
    format!(
        "## Keys that move when one of {most} servers goes\n\nThe server whose going moves the \
         most; the others are in [{MOVES}]({MOVES}).\n\n{}\n## Keys that move when one more comes \
         to {most} servers\n\n{}\n",
        moves_by(findings, Change::Remove),
        moves_by(findings, Change::Add)
    )
}

fn moves_by(findings: &Findings, change: Change) -> String {
    let percent = |share: f64| format!("{} %", three(100.0 * share));
    let head = ["method", "server", "must move", "move and need not"].map(String::from).to_vec();
    let line = |moved: &Moved| {
        let (must, more) = (percent(moved.must), percent(moved.need_not));
        vec![moved.method.clone(), moved.node.clone(), must, more]
    };
    markdown(&std::iter::once(head).chain(findings.moved_by(change).map(line)).collect::<Vec<_>>())
}

fn costs(run: &Run) -> String {
    let head = ["method", "servers", "look-up, ns", "quartiles", "set-up, µs", "memory"];
    let mut lines = vec![head.map(String::from).to_vec()];
    let ends = [run.manifest.extent.fewest, run.manifest.extent.most];
    lines.extend(run.costs.iter().filter(|cost| ends.contains(&cost.nodes)).map(|cost| {
        vec![
            cost.method.clone(),
            cost.nodes.to_string(),
            three(cost.lookup_median_ns),
            format!("{} to {}", three(cost.lookup_q25_ns), three(cost.lookup_q75_ns)),
            three(cost.build_us),
            octets(cost.octets as f64),
        ]
    }));
    format!("## What it costs\n\n{}\n", markdown(&lines))
}

/// Balancers that could not be asked.
fn missing(run: &Run) -> String {
    match run.manifest.missing.as_slice() {
        [] => String::new(),
        all => format!("## What is not there\n\n{}", list(all.iter().cloned(), "")),
    }
}

fn method(run: &Run) -> String {
    let extent = &run.manifest.extent;
    format!(
        "## How\n\n\
         Keys are ids of six digits, as the requests of the published system had: {} of them, \
         drawn evenly (seed {}), others for each number of servers. *Exact* is what comes out when \
         each of the 900,000 ids is asked for once, scaled to as many keys; nothing is sampled \
         there. For `bounded` nothing is exact, since it goes by the loads, and these by the keys \
         before. Moves are counted for the same keys before and after, with the servers' own \
         numbers: a key must move when the server that came has it now, or when the server that \
         went had it. Look-ups are timed in batches of 4,096 different keys for {} ms; told are \
         the quartiles of the batches. The memory is what is allocated for the servers, without \
         their names.\n\n\
         Published counts: {}.\n\n\
         [{SHARES}]({SHARES}) has a line a server, [{SPREADS}]({SPREADS}) a line a method and \
         number of servers, [{FITS}]({FITS}) a line a test, [{MOVES}]({MOVES}) a line a server \
         that came or went, [{COSTS}]({COSTS}) a line a method and number of servers, \
         [{SLOTS}]({SLOTS}) a line a slot of a ring, and [{LIVE}]({LIVE}) a line a replica of a \
         balancer at work.\n\n",
        grouped(extent.keys.into()),
        extent.seed,
        extent.budget_ms,
        published::SOURCE
    )
}

fn host(run: &Run) -> String {
    let manifest = &run.manifest;
    let roles = format!("the methods on CPU {}", listed(&manifest.place.pinning.server));
    let circumstances = Circumstances::of(&manifest.beginning, &manifest.place);
    circumstances.section(&roles, &quiet(&manifest.disturbed))
}
