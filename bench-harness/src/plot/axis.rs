//! An axis: what it means, how it grows, and which values are marked along it.

use anyhow::Result;
use plotters::prelude::DrawingBackend;

use super::canvas::{Canvas, Pen, Side, Type};
use super::figure::Frame;
use super::scale::Scale;
use super::style::{FAINT, GREY, INK};

/// The size of a number beside an axis, and of what the axis means.
const TICK: f64 = 12.5;
const TITLE: f64 = 13.0;

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What it means, with the unit.
    pub(super) title: String,
    /// How it grows.
    pub(super) scale: Scale,
    /// Marked values with their text.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis with round values. Nothing is `0` in any unit.
    pub(super) fn round(title: &str, scale: Scale, text: fn(f64) -> String) -> Self {
        let text = |value| if value == 0.0 { "0".into() } else { text(value) };
        let ticks = scale.ticks().into_iter().map(|value| (value, text(value))).collect();
        Self { title: title.into(), scale, ticks }
    }

    /// An axis with these values marked.
    pub(super) fn over(title: &str, values: &[f64], text: fn(f64) -> String) -> Self {
        let ticks = values.iter().map(|value| (*value, text(*value))).collect();
        Self { title: title.into(), scale: Scale::over(values), ticks }
    }

    /// Draws it below a frame, with a line up through the frame at each marked value.
    pub(super) fn draw_below<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
    ) -> Result<()> {
        for (value, text) in &self.ticks {
            let (x, _) = frame.at(self.scale.place(*value), 0.0);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], Pen::fine(FAINT))?;
            let place = (x, frame.bottom + 14.0);
            canvas.text(text, place, Side::Centre, Type::plain(TICK, GREY))?;
        }
        let place = (f64::midpoint(frame.left, frame.right), frame.bottom + 34.0);
        canvas.text(&self.title, place, Side::Centre, Type::plain(TITLE, INK))
    }

    /// Draws it left of a frame, with a line through the frame at each marked value. What it means
    /// stands `above` the frame, and begins `left` of it.
    pub(super) fn draw_beside<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        (left, above): (f64, f64),
    ) -> Result<()> {
        for (value, text) in &self.ticks {
            let (_, y) = frame.at(0.0, self.scale.place(*value));
            canvas.line(&[(frame.left, y), (frame.right, y)], Pen::fine(FAINT))?;
            canvas.text(text, (frame.left - 10.0, y), Side::Right, Type::plain(TICK, GREY))?;
        }
        let place = (frame.left - left, frame.top - above);
        canvas.text(&self.title, place, Side::Left, Type::plain(TITLE, INK))
    }
}
