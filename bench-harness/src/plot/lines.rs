//! Lines over an axis, each with its name at its end.
//!
//! Ten lines in a legend send the reader to and fro; a name beside a line does not. Names that
//! would lie on each other are moved apart, with a thin line to where they belong.

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};

use super::axis::Axis;
use super::canvas::{Canvas, Pen, Place, Side, Type};
use super::figure::Frame;
use super::style::{GREY, INK, PAPER, look};

const TICK: f64 = 12.5;
const LABEL: f64 = 13.0;

/// Room for what stands beside the lines.
const LEFT: f64 = 62.0;
const LEADER: f64 = 52.0;
const ABOVE: f64 = 34.0;
const BELOW: f64 = 56.0;

/// What a mark says beside its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// No mark: a line of many values.
    None,
    /// A value by itself: no line leads to it.
    Alone,
    /// All clients were served.
    Full,
    /// All were, but other programs used the host.
    Faint,
    /// All were, but the load generator doubts its numbers.
    Pierced,
    /// Not all were, or the numbers don't hold.
    Hollow,
}

/// A value with its mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    /// The smallest and the largest value, where there were repeats.
    pub(super) range: Option<(f64, f64)>,
    pub(super) mark: Mark,
    /// Whether the true value is higher: the load generator was the limit.
    pub(super) at_least: bool,
}

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) label: String,
    pub(super) style: usize,
    pub(super) dots: Vec<Dot>,
    /// A second line of the same things, thin and without marks.
    pub(super) shadow: Vec<(f64, f64)>,
}

/// Lines over an axis.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

impl Lines {
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        outer: Frame,
    ) -> Result<()> {
        let frame = Frame {
            left: outer.left + LEFT,
            top: outer.top + ABOVE,
            right: outer.right - LEADER - self.widest_label(),
            bottom: outer.bottom - BELOW,
        };
        self.axes(canvas, frame)?;
        // What leads to a name lies below what was measured.
        self.labels(canvas, frame)?;
        for series in &self.series {
            self.path(canvas, frame, series)?;
        }
        self.series.iter().try_for_each(|series| self.marks(canvas, frame, series))
    }

    fn widest_label(&self) -> f64 {
        let kind = Type::plain(LABEL, INK);
        self.series.iter().map(|series| kind.width(&series.label)).fold(0.0, f64::max)
    }

    fn place(&self, frame: Frame, dot: &Dot) -> Place {
        frame.at(self.x.scale.place(dot.x), self.y.scale.place(dot.y))
    }

    fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        let kind = Type::plain(TICK, GREY);
        self.y.draw_beside(canvas, frame, (LEFT, 22.0))?;
        for (value, text) in &self.x.ticks {
            let (x, _) = frame.at(self.x.scale.place(*value), 0.0);
            canvas.line(&[(x, frame.bottom), (x, frame.bottom + 5.0)], Pen::fine(GREY))?;
            canvas.text(text, (x, frame.bottom + 16.0), Side::Centre, kind)?;
        }
        canvas.line(&[(frame.left, frame.bottom), (frame.right, frame.bottom)], Pen::fine(GREY))?;
        let title = Type::plain(LABEL, INK);
        let middle = f64::midpoint(frame.left, frame.right);
        canvas.text(&self.x.title, (middle, frame.bottom + 36.0), Side::Centre, title)
    }

    fn path<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        series: &Series,
    ) -> Result<()> {
        let look = look(series.style);
        let pen = Pen { colour: look.colour, width: 2.0, dashed: look.dashed };
        let joined = series.dots.iter().filter(|dot| dot.mark != Mark::Alone);
        let places: Vec<_> = joined.map(|dot| self.place(frame, dot)).collect();
        for dot in &series.dots {
            self.range(canvas, frame, dot, Pen::fine(look.colour))?;
        }
        self.shadow(canvas, frame, series)?;
        if places.len() > 1 { canvas.line(&places, pen) } else { Ok(()) }
    }

    fn shadow<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        series: &Series,
    ) -> Result<()> {
        let place = |(x, y): &(f64, f64)| frame.at(self.x.scale.place(*x), self.y.scale.place(*y));
        let places: Vec<_> = series.shadow.iter().map(place).collect();
        let pen = Pen { colour: faded(look(series.style).colour), width: 1.5, dashed: false };
        if places.len() > 1 { canvas.line(&places, pen) } else { Ok(()) }
    }

    fn range<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        dot: &Dot,
        pen: Pen,
    ) -> Result<()> {
        let Some((low, high)) = dot.range else { return Ok(()) };
        let end = |y: f64| self.place(frame, &Dot { y, ..*dot });
        canvas.line(&[end(low), end(high)], pen)
    }

    fn marks<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        frame: Frame,
        series: &Series,
    ) -> Result<()> {
        let look = look(series.style);
        for dot in series.dots.iter().filter(|dot| dot.mark != Mark::None) {
            let (x, y) = self.place(frame, dot);
            let inside = match dot.mark {
                Mark::Hollow => PAPER,
                Mark::Faint => faded(look.colour),
                Mark::Alone | Mark::Full | Mark::Pierced | Mark::None => look.colour,
            };
            if dot.at_least {
                let pen = Pen { colour: look.colour, width: 1.5, dashed: false };
                canvas.line(&[(x, y), (x, y - 15.0)], pen)?;
                canvas.line(&[(x - 4.0, y - 11.0), (x, y - 15.0), (x + 4.0, y - 11.0)], pen)?;
            }
            canvas.mark(look.shape, (x, y), look.colour, inside)?;
            if dot.mark == Mark::Pierced {
                canvas.bar((x - 1.5, y - 1.5), (x + 1.5, y + 1.5), &PAPER)?;
            }
        }
        Ok(())
    }

    fn labels<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, frame: Frame) -> Result<()> {
        let mut ends: Vec<(Place, &Series)> = Vec::new();
        for series in &self.series {
            ends.extend(series.dots.last().map(|dot| (self.place(frame, dot), series)));
        }
        ends.sort_by(|((_, a), _), ((_, b), _)| a.total_cmp(b));
        let wanted: Vec<_> = ends.iter().map(|((_, y), _)| *y).collect();
        // Beside the axis, not below it: its last number reaches beyond its end.
        let places = apart(&wanted, LABEL * 1.4, frame.top - 10.0, frame.bottom - 2.0);
        for ((end, series), y) in ends.into_iter().zip(places) {
            label(canvas, frame.right, end, y, series)?;
        }
        Ok(())
    }
}

fn label<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    edge: f64,
    (x, y): Place,
    at: f64,
    series: &Series,
) -> Result<()> {
    let look = look(series.style);
    let from = (x + 8.0).max(edge);
    let leader = [(x + 8.0, y), (from + 2.0, y), (edge + 24.0, at), (edge + 30.0, at)];
    canvas.line(&leader, Pen::fine(faded(look.colour)))?;
    let hollow = series.dots.iter().all(|dot| dot.mark == Mark::Hollow);
    let inside = if hollow { PAPER } else { look.colour };
    canvas.mark(look.shape, (edge + 36.0, at), look.colour, inside)?;
    canvas.text(&series.label, (edge + 47.0, at), Side::Left, Type::plain(LABEL, INK))
}

/// A thin line that leads to a name must not look like data.
fn faded(RGBColor(red, green, blue): RGBColor) -> RGBColor {
    let fade = |part: u8| u8::MAX - (u8::MAX - part) / 3;
    RGBColor(fade(red), fade(green), fade(blue))
}

/// Moves places apart until neighbours have a gap, as near to where they were as a sweep down and
/// one up can keep them. The places have to be in ascending order.
fn apart(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    let mut least = top;
    for place in &mut places {
        *place = place.max(least);
        least = *place + gap;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn names_keep_their_distance_and_stay_on_the_sheet() {
        let places = apart(&[50.0, 51.0, 52.0, 99.0, 99.5], 10.0, 0.0, 100.0);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 10.0 - 1e-9), "{places:?}");
        assert!(places.iter().all(|place| (0.0..=100.0).contains(place)), "{places:?}");
    }

    #[test]
    fn names_with_room_stay_where_they_belong() {
        assert_eq!(apart(&[10.0, 30.0, 70.0], 10.0, 0.0, 100.0), [10.0, 30.0, 70.0]);
    }
}
