//! A sheet to draw on: the few strokes that figures are made of, over any backend of plotters.
//!
//! Places and sizes are in units of the sheet. The PNG has two pixels a unit, so that it is sharp
//! on a dense screen; the SVG has one.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::style::{FAMILY, INK, PAPER, Shape};

/// plotters takes the height of a line for the size of a font; this is the ratio it assumes.
const LINE_HEIGHT: f64 = 1.24;

/// The side of the text that its place means. The place is always the middle of its height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Centre,
    Right,
}

/// How text is set.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) size: f64,
    pub(super) style: FontStyle,
    pub(super) colour: RGBColor,
}

impl Type {
    pub(super) fn plain(size: f64, colour: RGBColor) -> Self {
        Self { size, style: FontStyle::Normal, colour }
    }

    pub(super) fn bold(size: f64) -> Self {
        Self { size, style: FontStyle::Bold, colour: INK }
    }

    fn font(self, zoom: f64) -> FontDesc<'static> {
        FontDesc::new(FontFamily::Name(FAMILY), self.size * LINE_HEIGHT * zoom, self.style)
    }

    /// The width that a text will have.
    pub(super) fn width(self, text: &str) -> f64 {
        let measured = self.font(1.0).box_size(text).map(|(width, _)| f64::from(width));
        measured.unwrap_or_else(|_| self.size * 0.6 * text.chars().count() as f64)
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    pub(super) colour: RGBColor,
    pub(super) width: f64,
    pub(super) dashed: bool,
}

impl Pen {
    pub(super) fn fine(colour: RGBColor) -> Self {
        Self { colour, width: 1.0, dashed: false }
    }
}

/// A place on the sheet, from its upper left corner.
pub(super) type Place = (f64, f64);

/// The sheet.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    zoom: f64,
    drop: f64,
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    /// An empty sheet with so many pixels a unit. Backends differ in what they take for the middle
    /// of a text; `drop` says by how much of its size text has to be lowered.
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>, zoom: f64, drop: f64) -> Result<Self> {
        area.fill(&PAPER).map_err(failed)?;
        Ok(Self { area, zoom, drop })
    }

    fn at(&self, (x, y): Place) -> (i32, i32) {
        ((x * self.zoom).round() as i32, (y * self.zoom).round() as i32)
    }

    /// A line of text.
    pub(super) fn text(&self, text: &str, place: Place, side: Side, kind: Type) -> Result<()> {
        let side = match side {
            Side::Left => HPos::Left,
            Side::Centre => HPos::Center,
            Side::Right => HPos::Right,
        };
        let style = kind.font(self.zoom).color(&kind.colour).pos(Pos::new(side, VPos::Center));
        let lowered = (place.0, place.1 + self.drop * kind.size);
        self.area.draw_text(text, &style, self.at(lowered)).map_err(failed)
    }

    /// A line of text to the right of a place, with paper behind it: no grid line goes through it.
    pub(super) fn text_on_paper(&self, text: &str, (x, y): Place, kind: Type) -> Result<()> {
        let (half, width) = (kind.size * 0.65, kind.width(text));
        self.bar((x - 2.0, y - half), (x + width + 2.0, y + half), &PAPER)?;
        self.text(text, (x, y), Side::Left, kind)
    }

    /// A line of text that goes up from a place.
    pub(super) fn text_upwards(&self, text: &str, (x, y): Place, kind: Type) -> Result<()> {
        let font = kind.font(self.zoom).transform(FontTransform::Rotate270);
        let style = font.color(&kind.colour).pos(Pos::new(HPos::Left, VPos::Center));
        let moved = (x + self.drop * kind.size, y);
        self.area.draw_text(text, &style, self.at(moved)).map_err(failed)
    }

    /// A line through all the places.
    pub(super) fn line(&self, places: &[Place], pen: Pen) -> Result<()> {
        let style = pen.colour.stroke_width((pen.width * self.zoom).round().max(1.0) as u32);
        let points = places.iter().map(|place| self.at(*place));
        if pen.dashed {
            let (dash, gap) = ((7.0 * self.zoom) as u32, (4.0 * self.zoom) as u32);
            let line = DashedPathElement::new(points.collect::<Vec<_>>(), dash, gap, style);
            return self.area.draw(&line).map_err(failed);
        }
        self.area.draw(&PathElement::new(points.collect::<Vec<_>>(), style)).map_err(failed)
    }

    /// A fine line from a smallest to a largest value, seen on paper and on bars of any colour.
    pub(super) fn stroke(&self, from: Place, to: Place) -> Result<()> {
        self.line(&[from, to], Pen { colour: PAPER, width: 3.0, dashed: false })?;
        self.line(&[from, to], Pen::fine(INK))
    }

    /// A filled rectangle between two corners.
    pub(super) fn bar(&self, from: Place, to: Place, colour: &impl Color) -> Result<()> {
        let bar = Rectangle::new([self.at(from), self.at(to)], colour.filled());
        self.area.draw(&bar).map_err(failed)
    }

    /// A filled shape.
    pub(super) fn patch(&self, places: &[Place], colour: &impl Color) -> Result<()> {
        let points: Vec<_> = places.iter().map(|place| self.at(*place)).collect();
        self.area.draw(&Polygon::new(points, colour.filled())).map_err(failed)
    }

    /// A mark around a place; a hollow one has the colour of the paper inside.
    pub(super) fn mark(
        &self,
        shape: Shape,
        place: Place,
        colour: RGBColor,
        inside: RGBColor,
    ) -> Result<()> {
        let outline = Pen { colour, width: 2.0, dashed: false };
        if shape == Shape::Circle {
            let radius = (4.5 * self.zoom) as i32;
            self.area
                .draw(&Circle::new(self.at(place), radius, inside.filled()))
                .map_err(failed)?;
            let ring = colour.stroke_width((2.0 * self.zoom) as u32);
            return self.area.draw(&Circle::new(self.at(place), radius, ring)).map_err(failed);
        }
        let corners = corners(shape, place);
        self.patch(&corners, &inside)?;
        let closed: Vec<_> = corners.iter().chain(corners.first()).copied().collect();
        self.line(&closed, outline)
    }
}

fn corners(shape: Shape, (x, y): Place) -> Vec<Place> {
    let around = |offsets: &[(f64, f64)]| offsets.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    match shape {
        Shape::Square => around(&[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]),
        Shape::Up => around(&[(0.0, -5.5), (5.0, 3.5), (-5.0, 3.5)]),
        Shape::Down => around(&[(0.0, 5.5), (5.0, -3.5), (-5.0, -3.5)]),
        Shape::Left => around(&[(-5.5, 0.0), (3.5, -5.0), (3.5, 5.0)]),
        Shape::Right => around(&[(5.5, 0.0), (-3.5, -5.0), (-3.5, 5.0)]),
        Shape::Diamond | Shape::Circle => {
            around(&[(0.0, -5.5), (5.5, 0.0), (0.0, 5.5), (-5.5, 0.0)])
        }
    }
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing: {error}")
}
