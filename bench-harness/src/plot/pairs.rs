//! Two bars a row, one below the other: such as what was expected and what was found.

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::canvas::{Canvas, Pen, Side, Type};
use super::figure::Frame;
use super::lines::Axis;
use super::style::{FAINT, GREY, INK};

const TEXT: f64 = 12.5;
const LEFT: f64 = 118.0;
const RIGHT: f64 = 22.0;
const ABOVE: f64 = 34.0;
const BELOW: f64 = 52.0;

/// How much of a row its bars fill.
const FILL: f64 = 0.74;

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) label: String,
    /// The lengths of the two; `None` where there is none.
    pub(super) lengths: [Option<f64>; 2],
    /// What stands behind them.
    pub(super) text: String,
}

/// Rows from top to bottom.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    pub(super) axis: Axis,
    /// Name and colour of the two.
    pub(super) legend: [(&'static str, RGBColor); 2],
    pub(super) pairs: Vec<Pair>,
}

impl Pairs {
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        outer: Frame,
    ) -> Result<()> {
        let frame = Frame {
            left: outer.left + LEFT,
            top: outer.top + ABOVE,
            right: outer.right - self.widest_text() - RIGHT,
            bottom: outer.bottom - BELOW,
        };
        self.axis(canvas, frame)?;
        self.names(canvas, frame)?;
        let row = (frame.bottom - frame.top) / self.pairs.len().max(1) as f64;
        for (n, pair) in self.pairs.iter().enumerate() {
            self.pair(canvas, frame, pair, frame.top + row * (n as f64 + 0.5), row)?;
        }
        canvas.line(&[(frame.left, frame.top), (frame.left, frame.bottom)], Pen::fine(GREY))
    }

    fn widest_text(&self) -> f64 {
        let widths = self.pairs.iter().map(|pair| Type::plain(TEXT, INK).width(&pair.text));
        widths.fold(0.0, f64::max)
    }

    fn axis<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        for (value, text) in &self.axis.ticks {
            let (x, _) = frame.at(self.axis.scale.place(*value), 0.0);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], Pen::fine(FAINT))?;
            canvas.text(text, (x, frame.bottom + 14.0), Side::Centre, Type::plain(TEXT, GREY))?;
        }
        let place = (f64::midpoint(frame.left, frame.right), frame.bottom + 34.0);
        canvas.text(&self.axis.title, place, Side::Centre, Type::plain(TEXT, INK))
    }

    fn names<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        let (mut x, y) = (frame.left, frame.top - 16.0);
        for (name, colour) in &self.legend {
            canvas.bar((x, y - 6.0), (x + 12.0, y + 6.0), colour)?;
            canvas.text(name, (x + 19.0, y), Side::Left, Type::plain(TEXT, INK))?;
            x += 19.0 + Type::plain(TEXT, INK).width(name) + 26.0;
        }
        Ok(())
    }

    fn pair<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        pair: &Pair,
        y: f64,
        row: f64,
    ) -> Result<()> {
        let half = (row * FILL / 2.0).min(17.0);
        let mut end = frame.left;
        let sides = [(y - half, y - 1.0), (y + 1.0, y + half)];
        for ((length, (_, colour)), (top, bottom)) in
            pair.lengths.iter().zip(&self.legend).zip(sides)
        {
            let Some(length) = length else { continue };
            let (to, _) = frame.at(self.axis.scale.place(*length), 0.0);
            canvas.bar((frame.left, top), (to, bottom), colour)?;
            end = end.max(to);
        }
        canvas.text(&pair.label, (frame.left - 9.0, y), Side::Right, Type::plain(TEXT, INK))?;
        canvas.text_on_paper(&pair.text, (end + 8.0, y), Type::plain(TEXT, INK))
    }
}
