//! A figure as data, and the frame that all figures have: title, conditions, notes.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use super::Drawn;
use super::bars::Bars;
use super::canvas::{Canvas, Place, Side, Type};
use super::circles::Circles;
use super::groups::Groups;
use super::lines::Lines;
use super::pairs::Pairs;
use super::spreads::Spreads;
use super::style::{GREY, INK};
use crate::folder::write;

/// The size of the sheet.
const SHEET: (u32, u32) = (1_000, 640);

/// Pixels of the PNG for one unit of the sheet.
const PNG_ZOOM: u32 = 2;

/// plotters' bitmap text sits this much of its size above the middle.
const PNG_DROP: f64 = 0.16;

const MARGIN: f64 = 28.0;
const TITLE: f64 = 19.0;
const SMALL: f64 = 12.5;

/// A figure.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// The name of the file, without its ending.
    pub(super) name: String,
    /// What was found, in one sentence.
    pub(super) finding: String,
    /// What is shown, and under which conditions: a line each.
    pub(super) subtitle: Vec<String>,
    /// What marks mean, and what does not show.
    pub(super) notes: Vec<String>,
    /// What is drawn.
    pub(super) body: Body,
}

/// The kinds of figure.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Lines over an axis.
    Lines(Lines),
    /// A bar a model.
    Bars(Bars),
    /// Two bars a row.
    Pairs(Pairs),
    /// A distribution a model.
    Spreads(Spreads),
    /// Bars side by side.
    Groups(Groups),
    /// Rings of slots.
    Circles(Circles),
}

/// The part of the sheet that is left for the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// A place within the frame, from its shares of width and height; up is up.
    pub(super) fn at(self, x: f64, y: f64) -> Place {
        (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top))
    }
}

impl Figure {
    /// Writes the figure as SVG and as PNG.
    pub(super) fn write(&self, folder: &Path) -> Result<Drawn> {
        let path = folder.join(&self.name).with_extension("svg");
        write(&path, self.svg()?.as_bytes())?;
        // The encoder goes by the ending; so the unfinished file needs the right one, too.
        let (png, part) =
            (path.with_extension("png"), folder.join(format!(".{}.part.png", self.name)));
        let placed = self.draw_png(&part).and_then(|()| Ok(std::fs::rename(&part, &png)?));
        if placed.is_err() {
            // What was begun takes room that a full disk does not have.
            let _ = std::fs::remove_file(&part);
        }
        placed.with_context(|| format!("writing {}", png.display()))?;
        Ok(Drawn { path, finding: self.finding.clone() })
    }

    fn svg(&self) -> Result<String> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, SHEET).into_drawing_area();
        self.draw(Canvas::new(&area, 1.0, 0.0)?)?;
        area.present().map_err(|error| anyhow!("drawing: {error}"))?;
        drop(area);
        Ok(text)
    }

    fn draw_png(&self, path: &Path) -> Result<()> {
        let size = (SHEET.0 * PNG_ZOOM, SHEET.1 * PNG_ZOOM);
        let area = BitMapBackend::new(path, size).into_drawing_area();
        self.draw(Canvas::new(&area, f64::from(PNG_ZOOM), PNG_DROP)?)?;
        area.present().with_context(|| format!("writing {}", path.display()))
    }

    fn draw<DB: DrawingBackend>(&self, canvas: Canvas<'_, DB>) -> Result<()> {
        let frame = Frame {
            left: MARGIN,
            top: self.head(&canvas)?,
            right: f64::from(SHEET.0) - MARGIN,
            bottom: self.foot(&canvas)?,
        };
        match &self.body {
            Body::Lines(lines) => lines.draw(&canvas, frame),
            Body::Bars(bars) => bars.draw(&canvas, frame),
            Body::Pairs(pairs) => pairs.draw(&canvas, frame),
            Body::Spreads(spreads) => spreads.draw(&canvas, frame),
            Body::Groups(groups) => groups.draw(&canvas, frame),
            Body::Circles(circles) => circles.draw(&canvas, frame),
        }
    }

    /// Title and subtitle; returns where they end.
    fn head<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Result<f64> {
        let mut y = MARGIN + 4.0;
        for line in wrapped(&self.finding, Type::bold(TITLE)) {
            canvas.text(&line, (MARGIN, y), Side::Left, Type::bold(TITLE))?;
            y += TITLE * 1.35;
        }
        let kind = Type::plain(SMALL, GREY);
        for line in self.subtitle.iter().flat_map(|line| wrapped(line, kind)) {
            canvas.text(&line, (MARGIN, y), Side::Left, kind)?;
            y += SMALL * 1.5;
        }
        Ok(y)
    }

    /// Notes; returns where they begin.
    fn foot<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Result<f64> {
        let kind = Type::plain(SMALL, INK);
        let lines: Vec<_> = self.notes.iter().flat_map(|note| wrapped(note, kind)).collect();
        let top = f64::from(SHEET.1) - MARGIN * 0.7 - SMALL * 1.5 * lines.len() as f64;
        for (n, line) in lines.iter().enumerate() {
            canvas.text(line, (MARGIN, top + SMALL * 1.5 * (n as f64 + 0.7)), Side::Left, kind)?;
        }
        Ok(top)
    }
}

/// Breaks a text between words where it would leave the sheet.
fn wrapped(text: &str, kind: Type) -> Vec<String> {
    let room = f64::from(SHEET.0) - 2.0 * MARGIN;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if kind.width(&format!("{line} {word}")) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
