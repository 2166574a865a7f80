//! What a colour means: a patch of it with its name.

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::canvas::{Canvas, Place, Side, Type};
use super::style::INK;

const TEXT: f64 = 13.0;
/// Half the side of a patch.
const HALF: f64 = 6.0;
/// From the left of a patch to its name, and from there to the next patch.
const NAME: f64 = 19.0;
const NEXT: f64 = 24.0;

/// The width of an entry, with the space behind it.
pub(super) fn width(name: &str) -> f64 {
    NAME + Type::plain(TEXT, INK).width(name) + NEXT
}

/// Draws entries one behind the other, and returns where the next one would begin. The place is the
/// middle of the left side of the first.
pub(super) fn draw<'a, DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    (mut x, y): Place,
    entries: impl IntoIterator<Item = (&'a str, RGBColor)>,
) -> Result<f64> {
    for (name, colour) in entries {
        canvas.bar((x, y - HALF), (x + 2.0 * HALF, y + HALF), &colour)?;
        canvas.text(name, (x + NAME, y), Side::Left, Type::plain(TEXT, INK))?;
        x += width(name);
    }
    Ok(x)
}
