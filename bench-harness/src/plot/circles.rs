//! Rings of slots, side by side: who answers each slot, who stands on it, and how many requests
//! meet it.

use std::f64::consts::TAU;

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::canvas::{Canvas, Pen, Place, Side, Type};
use super::figure::Frame;
use super::legend;
use super::style::{FAINT, GREY, INK};

const TEXT: f64 = 13.0;
const LEGEND: f64 = 34.0;
/// Room below a circle for its captions.
const CAPTIONS: f64 = 85.0;
const LINE: f64 = 19.0;
/// The width of the ring.
const BAND: f64 = 15.0;
/// How far a mark of who stands there sticks out.
const STICK: f64 = 8.0;

/// One slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slot {
    /// Who answers, as a place in the legend.
    pub(super) answers: Option<usize>,
    /// Whether somebody stands here.
    pub(super) stands: bool,
    /// The length of the ray of those who meet it, from 0 to 1.
    pub(super) ray: f64,
}

/// One ring.
#[derive(Clone, Debug)]
pub(super) struct Circle {
    pub(super) title: String,
    pub(super) captions: Vec<String>,
    /// From the top, clockwise.
    pub(super) slots: Vec<Slot>,
}

/// Rings side by side.
#[derive(Clone, Debug)]
pub(super) struct Circles {
    pub(super) legend: Vec<(String, RGBColor)>,
    pub(super) circles: Vec<Circle>,
}

/// Where a ring is.
#[derive(Clone, Copy)]
struct Round {
    centre: Place,
    radius: f64,
    slots: f64,
}

impl Round {
    /// A place on it, by the slot and the distance from the centre.
    fn at(self, slot: f64, radius: f64) -> Place {
        let (sine, cosine) = (TAU * slot / self.slots).sin_cos();
        (self.centre.0 + radius * sine, self.centre.1 - radius * cosine)
    }
}

impl Circles {
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        outer: Frame,
    ) -> Result<()> {
        let entries = self.legend.iter().map(|(name, colour)| (name.as_str(), *colour));
        legend::draw(canvas, (outer.left, outer.top + 10.0), entries)?;
        let width = (outer.right - outer.left) / self.circles.len().max(1) as f64;
        let top = outer.top + LEGEND + LINE;
        let height = outer.bottom - CAPTIONS - top;
        let radius = (width.min(height) / 2.0 - STICK - 4.0).max(BAND);
        for (n, circle) in self.circles.iter().enumerate() {
            let centre = (outer.left + width * (n as f64 + 0.5), top + radius + STICK);
            let round = Round { centre, radius, slots: circle.slots.len() as f64 };
            self.circle(canvas, circle, round)?;
        }
        Ok(())
    }

    fn circle<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        circle: &Circle,
        round: Round,
    ) -> Result<()> {
        for (n, slot) in circle.slots.iter().enumerate() {
            self.slot(canvas, round, n as f64, *slot)?;
        }
        let (x, y) = (round.centre.0, round.centre.1 - round.radius - STICK - LINE);
        canvas.text(&circle.title, (x, y), Side::Centre, Type::bold(TEXT))?;
        let below = round.centre.1 + round.radius + STICK;
        for (n, caption) in circle.captions.iter().enumerate() {
            let place = (x, below + LINE * (n as f64 + 1.0));
            canvas.text(caption, place, Side::Centre, Type::plain(TEXT, INK))?;
        }
        Ok(())
    }

    fn slot<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        round: Round,
        n: f64,
        slot: Slot,
    ) -> Result<()> {
        let colour = slot.answers.and_then(|place| self.legend.get(place)).map_or(FAINT, |l| l.1);
        let inner = round.radius - BAND;
        // A little into the next slot, which is drawn over it: no seams.
        let edges = [(n, round.radius), (n + 1.2, round.radius), (n + 1.2, inner), (n, inner)];
        canvas.patch(&edges.map(|(slot, radius)| round.at(slot, radius)), &colour)?;
        let middle = n + 0.5;
        if slot.stands {
            let stick = [round.at(middle, round.radius), round.at(middle, round.radius + STICK)];
            canvas.line(&stick, Pen { colour: INK, width: 2.0, dashed: false })?;
        }
        if slot.ray > 0.0 {
            let tip = round.at(middle, (inner - 3.0) * (1.0 - slot.ray));
            canvas.line(&[round.at(middle, inner - 3.0), tip], Pen::fine(GREY))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_clockwise_from_the_top() {
        let round = Round { centre: (100.0, 100.0), radius: 50.0, slots: 4.0 };
        let near = |(x, y): Place, (u, v): Place| (x - u).abs() < 1e-9 && (y - v).abs() < 1e-9;
        assert!(near(round.at(0.0, 50.0), (100.0, 50.0)));
        assert!(near(round.at(1.0, 50.0), (150.0, 100.0)));
        assert!(near(round.at(2.0, 10.0), (100.0, 110.0)));
    }
}
