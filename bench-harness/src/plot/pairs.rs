//! Two bars a row, one below the other: such as what was expected and what was found.

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::axis::Axis;
use super::canvas::{Canvas, Pen, Side, Type};
use super::figure::Frame;
use super::legend;
use super::style::{GREY, INK};

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
        self.axis.draw_below(canvas, frame)?;
        legend::draw(canvas, (frame.left, frame.top - 16.0), self.legend)?;
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
