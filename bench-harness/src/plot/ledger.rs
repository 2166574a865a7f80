//! What a connection, or a thread, takes: a bar a model, or a size of stacks, with a part a holder.

use anyhow::Result;
use plotters::style::RGBColor;

use super::Drawn;
use super::axis::Axis;
use super::bars::{Bar, Bars, Part};
use super::figure::{Body, Figure};
use super::scale::Scale;
use super::style::{self, GREY, look};
use crate::folder::Folder;
use crate::ledger::anatomy::Anatomy;
use crate::ledger::finding::{self, Results, Row};
use crate::ledger::group::GROUPS;
use crate::ledger::record::file;
use crate::ledger::trial::{Held, Overflow};
use crate::report::number::{octets, three};

/// What nobody accounts for.
const UNEXPLAINED: RGBColor = RGBColor(0xc0, 0x10, 0x10);
/// The load generator's end, which is not the server's.
const CLIENT: RGBColor = RGBColor(0xc4, 0xc4, 0xca);

/// What one thread is made of: a name, and how much of it a thread has.
type Piece = (&'static str, fn(&Anatomy) -> f64);

const PIECES: [Piece; 6] = [
    ("stack touched", |a| a.stack),
    ("other user memory", |a| a.user),
    ("kernel stack", |a| a.kernel_stack),
    ("page tables", |a| a.page_tables),
    ("kernel objects", |a| a.objects),
    ("kept for sending", |a| a.sending),
];

/// Draws a figure for each number of connections that a model held, and one of threads.
///
/// # Errors
/// When a file can't be written.
pub fn draw(run: &Folder, results: Results<'_>, conditions: &str) -> Result<Vec<Drawn>> {
    style::register_fonts()?;
    let folder = run.plots()?;
    let steps = finding::steps(results.ledger);
    let steps = steps.into_iter().filter_map(|n| connections(results.ledger, n, conditions));
    let threads = threads(results.threads, conditions);
    steps.chain(threads).map(|figure| figure.write(&folder)).collect()
}

fn connections(ledger: &[Held], connections: u64, conditions: &str) -> Option<Figure> {
    let rows = finding::held(ledger, connections);
    let bars: Vec<_> = rows.iter().map(|row| bar(*row)).collect();
    let axis = axis(&bars, "memory for one connection, both ends")?;
    Some(Figure {
        name: format!("connections-{connections}"),
        finding: finding::of_step(ledger, connections),
        subtitle: vec![conditions.to_owned()],
        notes: vec![format!(
            "Behind a bar: the server's end; unexplained, in percent of the total. Pale: too much \
             of it. All figures are in {}.",
            file::LEDGER
        )],
        body: Body::Bars(Bars { axis, parts: parts(), bars }),
    })
}

fn axis(bars: &[Bar], title: &str) -> Option<Axis> {
    let longest = bars.iter().map(|bar| bar.parts.iter().sum::<f64>());
    let longest = longest.reduce(f64::max)?;
    // Round numbers of KiB, since that is what memory comes in.
    let step = (longest / 5.0).max(1.0).log2().ceil().exp2();
    let count = (longest / step).ceil().max(1.0);
    let ticks = (0..=count as u32).map(|n| f64::from(n) * step);
    Some(Axis {
        title: title.to_owned(),
        scale: Scale::Linear { low: 0.0, high: count * step },
        ticks: ticks.map(|value| (value, octets(value))).collect(),
    })
}

fn parts() -> Vec<Part> {
    let colour = |n: usize| match GROUPS.len() - n {
        1 => UNEXPLAINED,
        2 => CLIENT,
        3 => GREY,
        _ => look(n).colour,
    };
    let named = GROUPS.iter().enumerate();
    named.map(|(n, group)| Part { name: group.name, colour: colour(n) }).collect()
}

/// A part that has become less has no length.
fn bar((held, found): Row<'_>) -> Bar {
    let (hold, account) = (&held.hold, &found.account);
    let each = GROUPS.map(|group| group.each(account, hold.connections).max(0.0));
    let server = octets(finding::server_each((held, found)));
    let percent = account.unexplained_percent().map_or_else(|| "?".into(), three);
    Bar {
        label: hold.model.clone(),
        parts: each.into(),
        text: format!("{server}; {percent} %"),
        range: None,
        full: account.believed(hold.connections),
    }
}

fn threads(threads: &[Held], conditions: &str) -> Option<Figure> {
    let kinds = [Overflow::Handled, Overflow::Ignored];
    let all = kinds.iter().flat_map(|kind| finding::anatomies(threads, *kind));
    let bars: Vec<_> = all.map(|(stack, anatomy)| thread(stack, &anatomy)).collect();
    let axis = axis(&bars, "memory for one thread")?;
    let part = |(n, (name, _)): (usize, &Piece)| Part { name, colour: look(n).colour };
    Some(Figure {
        name: "threads".into(),
        finding: finding::of_threads(threads),
        subtitle: vec![conditions.to_owned()],
        notes: finding::of_mappings(threads).map(|words| words + ".").into_iter().collect(),
        body: Body::Bars(Bars { axis, parts: PIECES.iter().enumerate().map(part).collect(), bars }),
    })
}

fn thread(stack: u64, anatomy: &Anatomy) -> Bar {
    let size = octets(stack as f64);
    Bar {
        label: format!("{size}, {} maps", three(anatomy.mappings.round())),
        parts: PIECES.iter().map(|(_, of)| of(anatomy).max(0.0)).collect(),
        text: format!("{}; {} of addresses", octets(anatomy.memory()), octets(anatomy.addresses)),
        range: None,
        full: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(parts: &[f64]) -> Bar {
        Bar {
            label: String::new(),
            parts: parts.into(),
            text: String::new(),
            range: None,
            full: true,
        }
    }

    #[test]
    fn an_axis_ends_beyond_the_longest_bar_at_a_power_of_two() {
        let axis = axis(&[bar(&[60_000.0, 30_000.0]), bar(&[10.0])], "x").unwrap();
        assert_eq!(axis.scale, Scale::Linear { low: 0.0, high: 98_304.0 });
        assert_eq!(axis.ticks.last().unwrap().1, "96 KiB");
        assert!(super::axis(&[], "x").is_none());
    }

    #[test]
    fn no_two_parts_look_alike() {
        let parts = parts();
        for (n, part) in parts.iter().enumerate() {
            assert!(parts.iter().skip(n + 1).all(|other| other.colour != part.colour));
        }
    }
}
