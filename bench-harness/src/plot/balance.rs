//! How evenly methods of placing keys balance, what they move, and what they cost.

mod counts;
mod live;
mod moved;
mod price;
mod ring;
mod sizes;

use anyhow::Result;

use super::Drawn;
use super::figure::Figure;
use super::style::register_fonts;
use crate::balance::findings::Findings;
use crate::balance::measure::Run;
use crate::balance::published;
use crate::balance::row::Change;
use crate::report::number::grouped;

/// What the figures are made from.
struct Evidence<'a> {
    run: &'a Run,
    findings: &'a Findings,
}

/// Draws all figures that there are numbers for.
///
/// # Errors
/// When a file can't be written.
pub fn draw(run: &Run, findings: &Findings) -> Result<Vec<Drawn>> {
    register_fonts()?;
    let folder = run.folder.plots()?;
    let evidence = Evidence { run, findings };
    figures(&evidence).iter().map(|figure| figure.write(&folder)).collect()
}

/// First why, then how much, then at what price.
fn figures(evidence: &Evidence<'_>) -> Vec<Figure> {
    let methods = || evidence.run.manifest.methods.iter();
    let mut all: Vec<_> = ring::build(evidence).into_iter().collect();
    all.extend(methods().filter_map(|method| counts::build(evidence, method)));
    all.extend(methods().filter_map(|method| live::build(evidence, method)));
    all.extend(sizes::peak(evidence));
    all.extend(sizes::deviation(evidence));
    all.extend(sizes::average(evidence));
    all.extend(moved::build(evidence, Change::Remove));
    all.extend(moved::build(evidence, Change::Add));
    all.extend(price::build(evidence));
    all
}

impl Evidence<'_> {
    /// The place of a method among all, which is what its look comes from: the same in each figure.
    fn style_of(&self, method: &str) -> usize {
        self.run.manifest.methods.iter().position(|name| name == method).unwrap_or(usize::MAX)
    }

    /// Numbers of nodes, from the fewest to the most.
    fn sizes(&self) -> std::ops::RangeInclusive<u32> {
        self.run.manifest.extent.fewest..=self.run.manifest.extent.most
    }

    /// What was placed, for the line under a title.
    fn keys(&self) -> String {
        let extent = &self.run.manifest.extent;
        let keys = grouped(extent.keys.into());
        format!("{keys} keys, drawn evenly from the ids 100000 to 999999 (seed {})", extent.seed)
    }

    /// The same, with where it was timed.
    fn conditions(&self) -> String {
        let manifest = &self.run.manifest;
        manifest.place.conditions(&manifest.beginning.started)
    }

    /// Whose the published counts are, where a figure has some of them.
    fn source(&self) -> String {
        format!("Published: {}.", published::SOURCE)
    }
}
