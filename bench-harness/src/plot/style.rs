//! Colours, marks, sizes, fonts: how all figures look.

use anyhow::{Result, anyhow};
use plotters::style::{FontStyle, RGBColor, register_font};

/// The family that text is set in. A browser takes its own sans-serif face for the SVG; PNGs take
/// the embedded one, which is wider than most, so that what fits here fits there.
pub(super) const FAMILY: &str = "sans-serif";

const REGULAR: &[u8] = include_bytes!("../../assets/DejaVuSans.subset.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.subset.ttf");

/// How many models can be told apart in a figure.
pub(super) const LOOKS: usize = 14;

/// Colours after Paul Tol's "muted" scheme, which people with any of the common colour vision
/// deficiencies can tell apart, and four more. Marks differ as well, so that colour is never the
/// only sign.
const COLOURS: [RGBColor; LOOKS] = [
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0xcc, 0x66, 0x77),
    RGBColor(0x11, 0x77, 0x33),
    RGBColor(0xd9, 0xa4, 0x1e),
    RGBColor(0x5d, 0xb4, 0xe0),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x44, 0xaa, 0x99),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0xaa, 0x44, 0x99),
    RGBColor(0x55, 0x55, 0x55),
    RGBColor(0xee, 0x77, 0x33),
    RGBColor(0x00, 0x77, 0xbb),
    RGBColor(0xc0, 0x30, 0x30),
    RGBColor(0x22, 0x55, 0x55),
];

/// Text.
pub(super) const INK: RGBColor = RGBColor(0x1d, 0x1d, 0x1f);
/// Text of second rank, and axes.
pub(super) const GREY: RGBColor = RGBColor(0x5c, 0x5c, 0x61);
/// Grid lines.
pub(super) const FAINT: RGBColor = RGBColor(0xe4, 0xe4, 0xe8);
/// What lies behind everything.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// User time in bars.
pub(super) const USER: RGBColor = RGBColor(0x33, 0x6a, 0xa8);
/// System time in bars.
pub(super) const SYSTEM: RGBColor = RGBColor(0xe0, 0x9f, 0x3e);

/// Waiting to be sent, in bars.
pub(super) const WAIT: RGBColor = RGBColor(0x88, 0x22, 0x55);
/// Being sent, in bars.
pub(super) const SEND: RGBColor = RGBColor(0xcc, 0x66, 0x77);
/// Waiting to be read, in bars.
pub(super) const READ: RGBColor = RGBColor(0x33, 0x6a, 0xa8);

/// The shape of a mark. All have an inside, since a hollow one has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Up,
    Diamond,
    Down,
    Left,
    Right,
}

const SHAPES: [Shape; 7] = [
    Shape::Circle,
    Shape::Square,
    Shape::Up,
    Shape::Diamond,
    Shape::Down,
    Shape::Left,
    Shape::Right,
];

/// How one model looks in every figure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) colour: RGBColor,
    pub(super) shape: Shape,
    pub(super) dashed: bool,
}

/// The look of the n-th model. Neighbours differ in colour and shape; the second half is dashed.
pub(super) fn look(n: usize) -> Look {
    let place = n % COLOURS.len();
    Look {
        colour: COLOURS[place],
        shape: SHAPES[place % SHAPES.len()],
        dashed: place >= SHAPES.len(),
    }
}

/// Makes the embedded font known, so that no system font and no fontconfig is needed.
pub(super) fn register_fonts() -> Result<()> {
    let broken = |_| anyhow!("the embedded font is broken");
    register_font(FAMILY, FontStyle::Normal, REGULAR).map_err(broken)?;
    register_font(FAMILY, FontStyle::Bold, BOLD).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_models_look_alike() {
        let looks: Vec<_> = (0..LOOKS).map(look).collect();
        for (n, one) in looks.iter().enumerate() {
            assert!(looks.iter().skip(n + 1).all(|other| other.colour != one.colour));
            let alike = |other: &&Look| (other.shape, other.dashed) == (one.shape, one.dashed);
            assert_eq!(looks.iter().filter(alike).count(), 1);
        }
    }
}
