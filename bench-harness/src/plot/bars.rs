//! A bar a model, from top to bottom, in one or more parts.

use anyhow::Result;
use plotters::prelude::{Color, DrawingBackend, RGBColor};

use super::axis::Axis;
use super::canvas::{Canvas, Pen, Side, Type};
use super::figure::Frame;
use super::legend;
use super::style::{GREY, INK};

const TEXT: f64 = 13.0;
/// Room before the bars, and between them and their labels: a long label gets more.
const LEFT: f64 = 118.0;
const GAP: f64 = 9.0;
/// Room behind the longest text.
const RIGHT: f64 = 22.0;
const ABOVE: f64 = 34.0;
/// From one line of the legend to the next.
const LINE: f64 = 20.0;
const BELOW: f64 = 52.0;

/// How much of a row its bar fills.
const FILL: f64 = 0.66;

/// How pale the bar of a model is that did not serve everybody.
const PALE: f64 = 0.35;

/// A model's bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    /// The length of each part.
    pub(super) parts: Vec<f64>,
    /// What stands behind the bar.
    pub(super) text: String,
    /// The smallest and the largest of the lengths whose median it is.
    pub(super) range: Option<(f64, f64)>,
    /// Whether the number is that of all clients.
    pub(super) full: bool,
}

/// A part of all bars.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) colour: RGBColor,
}

/// Bars from top to bottom.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    pub(super) axis: Axis,
    pub(super) parts: Vec<Part>,
    pub(super) bars: Vec<Bar>,
}

impl Bars {
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        outer: Frame,
    ) -> Result<()> {
        let room = LEFT.max(self.widest_label() + GAP);
        let (left, right) = (outer.left + room, outer.right - self.widest_text() - RIGHT);
        let further_lines = self.legend_lines(right - left).len() - 1;
        let frame = Frame {
            left,
            top: outer.top + ABOVE + LINE * further_lines as f64,
            right,
            bottom: outer.bottom - BELOW,
        };
        self.axis.draw_below(canvas, frame)?;
        self.legend(canvas, frame)?;
        let row = (frame.bottom - frame.top) / self.bars.len().max(1) as f64;
        for (n, bar) in self.bars.iter().enumerate() {
            self.bar(canvas, frame, bar, frame.top + row * (n as f64 + 0.5), row)?;
        }
        canvas.line(&[(frame.left, frame.top), (frame.left, frame.bottom)], Pen::fine(GREY))
    }

    fn widest_label(&self) -> f64 {
        let widths = self.bars.iter().map(|bar| Type::plain(TEXT, INK).width(&bar.label));
        widths.fold(0.0, f64::max)
    }

    fn widest_text(&self) -> f64 {
        let widths = self.bars.iter().map(|bar| Type::plain(TEXT, INK).width(&bar.text));
        widths.fold(0.0, f64::max)
    }

    /// Names the parts where there is more than one, in as many lines as that takes.
    fn legend<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        let lines = self.legend_lines(frame.right - frame.left);
        for (n, line) in lines.iter().enumerate() {
            let y = frame.top - 16.0 - LINE * (lines.len() - 1 - n) as f64;
            let entries = line.iter().map(|part| (part.name, part.colour));
            legend::draw(canvas, (frame.left, y), entries)?;
        }
        Ok(())
    }

    fn legend_lines(&self, room: f64) -> Vec<Vec<&Part>> {
        let (mut lines, mut x) = (vec![Vec::new()], 0.0);
        for part in self.parts.iter().filter(|_| self.parts.len() > 1) {
            if x > 0.0 && x + legend::width(part.name) > room {
                lines.push(Vec::new());
                x = 0.0;
            }
            lines.last_mut().into_iter().for_each(|line| line.push(part));
            x += legend::width(part.name);
        }
        lines
    }

    fn bar<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        bar: &Bar,
        y: f64,
        row: f64,
    ) -> Result<()> {
        let half = (row * FILL / 2.0).min(17.0);
        let mut sum = 0.0;
        for (length, part) in bar.parts.iter().zip(&self.parts) {
            let (from, _) = frame.at(self.axis.scale.place(sum), 0.0);
            sum += length;
            let (to, _) = frame.at(self.axis.scale.place(sum), 0.0);
            let colour = part.colour.mix(if bar.full { 1.0 } else { PALE });
            canvas.bar((from, y - half), (to, y + half), &colour)?;
        }
        let (low, high) = bar.range.unwrap_or((sum, sum));
        let [from, to, end] =
            [low, high, high.max(sum)].map(|x| frame.at(self.axis.scale.place(x), 0.0).0);
        if to > from {
            canvas.stroke((from, y), (to, y))?;
        }
        canvas.text(&bar.label, (frame.left - GAP, y), Side::Right, Type::plain(TEXT, INK))?;
        canvas.text_on_paper(&bar.text, (end + 8.0, y), Type::plain(TEXT, INK))
    }
}
