//! A sign of life a second, on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Whether and how progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// One line that changes, if standard error is a terminal; else nothing.
    Auto,
    /// A new line each second.
    Plain,
    /// Nothing.
    None,
}

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    begun: Instant,
    next: Duration,
    before: u64,
}

const EACH: Duration = Duration::from_secs(1);

impl Progress {
    /// Begins to count the seconds.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let style = match style {
            Style::Auto if !io::stderr().is_terminal() => Style::None,
            style => style,
        };
        Self { style, begun: Instant::now(), next: EACH, before: 0 }
    }

    /// How long it is until the next line.
    pub(crate) fn until_next(&self) -> Duration {
        self.next.saturating_sub(self.begun.elapsed())
    }

    /// Shows the requests answered and failed so far.
    pub(crate) fn show(&mut self, (answered, failed): (u64, u64)) {
        let line =
            line(self.next.as_secs(), answered - self.before.min(answered), answered, failed);
        self.before = answered;
        self.next += EACH;
        // Nobody to tell is no reason to stop.
        let _ = match self.style {
            Style::Auto => write!(io::stderr(), "\r{line}\x1b[K"),
            Style::Plain => writeln!(io::stderr(), "{line}"),
            Style::None => Ok(()),
        };
    }

    /// Ends the line that changes.
    pub(crate) fn end(&self) {
        if self.style == Style::Auto {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(second: u64, recently: u64, answered: u64, failed: u64) -> String {
    format!("{second:>4} s  {recently:>9} answers/s  {answered:>11} answered  {failed:>7} failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_second_the_rate_and_the_sums() {
        let words = "3 s 120 answers/s 400 answered 2 failed";
        let shown = line(3, 120, 400, 2);
        assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), words);
    }
}
