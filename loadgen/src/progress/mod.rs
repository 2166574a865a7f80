//! A sign of life a second, on standard error.
//!
//! ```text
//!   Sight ──▶ screen: a few lines ──▶ terminal: drawn over the last ones
//!         └─▶ plain:  one line    ──▶ written below the last one
//! ```
//!
//! What is shown is made by functions without side effects; only [`Progress`] knows the clock and
//! standard error.

mod bar;
mod line;
mod number;
mod plain;
mod screen;
mod sight;
mod spark;
mod terminal;

use std::env;
use std::io::{self, Write};
use std::time::{Duration, Instant};

pub use line::Colour;
pub use screen::lines;
pub use sight::{Moments, Phase, Sight};
pub use spark::Trail;
use terminal::Terminal;

/// Whether and how progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// A few lines that are drawn over, if standard error is a terminal; else nothing.
    Auto,
    /// A new line each second.
    Plain,
    /// Nothing.
    None,
}

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    trail: Trail,
    begun: Instant,
    next: Duration,
}

/// Where progress goes.
#[derive(Debug)]
enum Output {
    Screen(Terminal, Colour),
    /// Lines of at most so many columns.
    Plain(usize),
    None,
}

const EACH: Duration = Duration::from_secs(1);

impl Progress {
    /// Begins to count the seconds.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let variable = |name: &str| env::var(name).unwrap_or_default();
        let output = match Terminal::of_standard_error() {
            Some(terminal) => {
                on_terminal(style, terminal, &variable("TERM"), &variable("NO_COLOR"))
            }
            None if style == Style::Plain => Output::Plain(usize::MAX),
            None => Output::None,
        };
        Self { output, trail: Trail::default(), begun: Instant::now(), next: EACH }
    }

    /// How long it is until the next sight is to be shown.
    pub(crate) fn until_next(&self) -> Duration {
        self.next.saturating_sub(self.begun.elapsed())
    }

    /// Shows a sight; once a second is enough. Nobody to tell is no reason to stop.
    pub fn show(&mut self, sight: &Sight) {
        self.next += EACH;
        self.trail.push(sight);
        let _ = match &mut self.output {
            Output::Screen(terminal, colour) => {
                let lines = lines(sight, &self.trail, terminal.columns(), *colour);
                terminal.draw(&lines, &mut io::stderr().lock())
            }
            Output::Plain(width) => writeln!(io::stderr(), "{}", plain::line(sight, *width)),
            Output::None => Ok(()),
        };
    }

    /// Takes the lines that change off the screen: the result says it all.
    pub fn end(&mut self) {
        if let Output::Screen(terminal, _) = &mut self.output {
            let _ = terminal.draw(&[], &mut io::stderr().lock());
        }
    }
}

/// A terminal that can't move its cursor gets plain lines (term(7)). Any value of `NO_COLOR` but
/// the empty one asks for no colours (no-color.org).
fn on_terminal(style: Style, terminal: Terminal, term: &str, no_color: &str) -> Output {
    let colour = if no_color.is_empty() { Colour::Some } else { Colour::None };
    match style {
        Style::None => Output::None,
        Style::Auto if !["", "dumb"].contains(&term) => Output::Screen(terminal, colour),
        Style::Auto | Style::Plain => Output::Plain(terminal.columns()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_decides_what_auto_is() {
        let chosen =
            |style, term, no_color| match on_terminal(style, Terminal::default(), term, no_color) {
                Output::Screen(_, Colour::Some) => "coloured",
                Output::Screen(_, Colour::None) => "black and white",
                Output::Plain(_) => "plain",
                Output::None => "nothing",
            };
        assert_eq!(chosen(Style::Auto, "xterm", ""), "coloured");
        assert_eq!(chosen(Style::Auto, "xterm", "1"), "black and white");
        assert_eq!(chosen(Style::Auto, "dumb", ""), "plain");
        assert_eq!(chosen(Style::Auto, "", ""), "plain");
        assert_eq!(chosen(Style::Plain, "xterm", ""), "plain");
        assert_eq!(chosen(Style::None, "xterm", ""), "nothing");
    }

    #[test]
    fn the_next_sight_is_a_second_after_the_last() {
        let mut progress = Progress::new(Style::None);
        let first = progress.until_next();
        progress.show(&Sight::default());
        assert!(first <= EACH && progress.until_next() > first);
        assert_eq!(progress.next, 2 * EACH);
    }
}
