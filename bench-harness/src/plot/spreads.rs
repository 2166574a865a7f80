//! A distribution a model: where its values lie, as a shape along an axis.

use anyhow::Result;
use plotters::prelude::{Color, DrawingBackend};

use super::axis::Axis;
use super::canvas::{Canvas, Pen, Side, Type};
use super::figure::Frame;
use super::style::{FAINT, INK, look};

const TEXT: f64 = 13.0;
const LEFT: f64 = 118.0;
const RIGHT: f64 = 30.0;
const ABOVE: f64 = 12.0;
const BELOW: f64 = 52.0;

/// One model's distribution.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    pub(super) label: String,
    pub(super) style: usize,
    /// Value and density, in ascending order; the densest has 1.
    pub(super) shape: Vec<(f64, f64)>,
    /// Values to be marked with a stroke.
    pub(super) marks: Vec<f64>,
    /// Whether the values are those of all clients.
    pub(super) full: bool,
}

/// Distributions from top to bottom.
#[derive(Clone, Debug)]
pub(super) struct Spreads {
    pub(super) axis: Axis,
    pub(super) spreads: Vec<Spread>,
}

impl Spreads {
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        outer: Frame,
    ) -> Result<()> {
        let frame = Frame {
            left: outer.left + LEFT,
            top: outer.top + ABOVE,
            right: outer.right - RIGHT,
            bottom: outer.bottom - BELOW,
        };
        self.axis.draw_below(canvas, frame)?;
        let row = (frame.bottom - frame.top) / self.spreads.len().max(1) as f64;
        for (n, spread) in self.spreads.iter().enumerate() {
            self.spread(canvas, frame, spread, frame.top + row * (n as f64 + 1.0), row)?;
        }
        Ok(())
    }

    fn x(&self, frame: Frame, value: f64) -> f64 {
        frame.at(self.axis.scale.place(value), 0.0).0
    }

    fn spread<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        spread: &Spread,
        floor: f64,
        row: f64,
    ) -> Result<()> {
        let look = look(spread.style);
        let height = |density: f64| floor - row * 0.86 * density;
        let top =
            spread.shape.iter().map(|(value, density)| (self.x(frame, *value), height(*density)));
        let top: Vec<_> = top.collect();
        if let (Some(first), Some(last)) = (top.first(), top.last()) {
            let outline: Vec<_> =
                [&[(first.0, floor)], top.as_slice(), &[(last.0, floor)]].concat();
            canvas.patch(&outline, &look.colour.mix(if spread.full { 0.55 } else { 0.18 }))?;
        }
        canvas.line(&[(frame.left, floor), (frame.right, floor)], Pen::fine(FAINT))?;
        canvas.text(
            &spread.label,
            (frame.left - 9.0, floor - row * 0.35),
            Side::Right,
            Type::plain(TEXT, INK),
        )?;
        let pen = Pen { colour: INK, width: 1.5, dashed: false };
        spread.marks.iter().try_for_each(|value| {
            let x = self.x(frame, *value);
            canvas.line(&[(x, floor - row * 0.5), (x, floor)], pen)
        })
    }
}
