//! Bars that stand side by side in groups: a group a value of the horizontal axis, a bar a model.
//! Where there is no bar, a word says why.

use anyhow::Result;
use plotters::prelude::{Color, DrawingBackend, RGBColor};

use super::axis::Axis;
use super::canvas::{Canvas, Pen, Side, Type};
use super::figure::Frame;
use super::legend;
use super::style::{GREY, INK};

const TEXT: f64 = 12.5;
const LEFT: f64 = 62.0;
const ABOVE: f64 = 58.0;
const BELOW: f64 = 52.0;

/// How pale the bar of a model is that did not serve everybody.
const PALE: f64 = 0.35;

/// How much of its share of the width a group fills.
const FILL: f64 = 0.82;

/// What stands in the place of a bar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// A bar up to this value.
    Bar(f64),
    /// Why there is none.
    Word(String),
    /// There is nothing to say.
    Empty,
}

/// A bar, and what others found.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) place: Place,
    /// A stroke across the bar at this value.
    pub(super) stroke: Option<f64>,
    /// The smallest and the largest of the values whose median the bar shows.
    pub(super) range: Option<(f64, f64)>,
    /// Whether the number is that of all clients.
    pub(super) full: bool,
}

/// The bars of one value of the horizontal axis, in the order of the legend.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) columns: Vec<Column>,
}

/// Groups of bars.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    pub(super) title: String,
    pub(super) y: Axis,
    /// Name and colour of each bar of a group.
    pub(super) legend: Vec<(String, RGBColor)>,
    /// What a stroke means; nothing where there are none.
    pub(super) stroke: Option<String>,
    pub(super) groups: Vec<Group>,
}

impl Groups {
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        outer: Frame,
    ) -> Result<()> {
        let frame = Frame {
            left: outer.left + LEFT,
            top: outer.top + ABOVE,
            right: outer.right,
            bottom: outer.bottom - BELOW,
        };
        self.axes(canvas, frame)?;
        self.names(canvas, frame)?;
        let width = (frame.right - frame.left) / self.groups.len().max(1) as f64;
        for (n, group) in self.groups.iter().enumerate() {
            let left = frame.left + width * n as f64;
            let label = (left + width / 2.0, frame.bottom + 14.0);
            canvas.text(&group.label, label, Side::Centre, Type::plain(TEXT - 1.5, GREY))?;
            self.group(canvas, frame, group, (left + width * (1.0 - FILL) / 2.0, width * FILL))?;
        }
        canvas.line(&[(frame.left, frame.bottom), (frame.right, frame.bottom)], Pen::fine(GREY))
    }

    fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        self.y.draw_beside(canvas, frame, (LEFT, 16.0))?;
        let middle = (f64::midpoint(frame.left, frame.right), frame.bottom + 36.0);
        canvas.text(&self.title, middle, Side::Centre, Type::plain(TEXT, INK))
    }

    fn names<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        let entries = self.legend.iter().map(|(name, colour)| (name.as_str(), *colour));
        let y = frame.top - 40.0;
        let x = legend::draw(canvas, (frame.left, y), entries)?;
        let Some(stroke) = &self.stroke else { return Ok(()) };
        canvas.line(&[(x, y), (x + 16.0, y)], pen())?;
        canvas.text(stroke, (x + 22.0, y), Side::Left, Type::plain(TEXT, INK))
    }

    fn group<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        group: &Group,
        (left, width): (f64, f64),
    ) -> Result<()> {
        let each = width / self.legend.len().max(1) as f64;
        for (n, (column, (_, colour))) in group.columns.iter().zip(&self.legend).enumerate() {
            let (from, to) = (left + each * n as f64, left + each * (n + 1) as f64 - 1.0);
            match &column.place {
                Place::Bar(value) => {
                    let (_, top) = frame.at(0.0, self.y.scale.place(*value));
                    let colour = colour.mix(if column.full { 1.0 } else { PALE });
                    canvas.bar((from, top), (to, frame.bottom), &colour)?;
                }
                Place::Word(word) => {
                    let foot = (f64::midpoint(from, to), frame.bottom - 5.0);
                    canvas.text_upwards(word, foot, Type::plain(TEXT - 1.5, *colour))?;
                }
                Place::Empty => {}
            }
            if let Some((low, high)) = column.range {
                let (x, end) =
                    (f64::midpoint(from, to), |value| frame.at(0.0, self.y.scale.place(value)).1);
                canvas.stroke((x, end(low)), (x, end(high)))?;
            }
            if let Some(value) = column.stroke {
                let (_, y) = frame.at(0.0, self.y.scale.place(value));
                canvas.line(&[(from - 1.0, y), (to + 1.0, y)], pen())?;
            }
        }
        Ok(())
    }
}

fn pen() -> Pen {
    Pen { colour: INK, width: 2.0, dashed: false }
}
