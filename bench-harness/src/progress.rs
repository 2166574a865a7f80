//! What a run says while it runs.
//!
//! On a terminal: one line with a bar, renewed before and after each trial. Elsewhere: a plain
//! line a trial, without control characters. Nothing is printed while load is on, since that would
//! cost CPU time that a trial may need.

use std::fmt;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::experiment::{Trial, span};
use crate::record::{Limit, Row};
use crate::report::number;

/// How wide the bar is, in characters.
const WIDTH: usize = 24;

/// Where the words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One line, renewed.
    Bar,
    /// A line a trial.
    Lines,
}

impl Style {
    /// The style that fits the standard error of this process. `NO_COLOR` and `TERM=dumb` ask for
    /// no control characters.
    #[must_use]
    pub fn of_this_terminal() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if stderr().is_terminal() && !dumb && !set("NO_COLOR") { Self::Bar } else { Self::Lines }
    }
}

/// How far a run is.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    total: usize,
    done: usize,
    start: Instant,
}

impl Progress {
    /// At the start of a run of so many trials.
    #[must_use]
    pub fn new(style: Style, total: usize) -> Self {
        Self { style, total, done: 0, start: Instant::now() }
    }

    /// Before a trial.
    pub fn begin(&self, trial: &Trial) {
        if self.style == Style::Bar {
            self.say(&format!("\r\x1b[2K{} {}", self.bar(), trial.cell));
        }
    }

    /// After a trial.
    pub fn end(&mut self, row: &Row) {
        self.done += 1;
        match self.style {
            Style::Bar => self.say(&format!("\r\x1b[2K{} {}", self.bar(), Line(row))),
            Style::Lines => {
                let width = self.total.to_string().len();
                let (done, total, left) = (self.done, self.total, self.left());
                self.say(&format!("[{done:width$}/{total}] {}  ({left} left)\n", Line(row)));
            }
        }
    }

    /// After the last trial.
    pub fn close(&self) {
        if self.style == Style::Bar {
            self.say("\n");
        }
    }

    fn bar(&self) -> String {
        let full = WIDTH * self.done / self.total.max(1);
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH - full));
        let elapsed = span::words(self.start.elapsed());
        format!("[{bar}] {}/{}  {elapsed}, {} left ", self.done, self.total, self.left())
    }

    /// The time left, if the other trials take as long as those before.
    fn left(&self) -> String {
        let Some(each) = u32::try_from(self.done).ok().filter(|done| *done > 0) else {
            return "?".into();
        };
        let trials = u32::try_from(self.total - self.done).unwrap_or(u32::MAX);
        span::words(
            (self.start.elapsed() / each).saturating_mul(trials) + Duration::from_millis(500),
        )
    }

    /// Progress is a courtesy: a closed standard error does not end a run.
    fn say(&self, text: &str) {
        let mut out = stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// A row in one line for people.
struct Line<'a>(&'a Row);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.0;
        write!(f, "{:<13} {:<4}", row.model, row.app)?;
        if let Some(policy) = &row.policy {
            write!(f, " {policy:<17}")?;
        }
        write!(f, " c={:<5}", row.connections)?;
        if row.idle > 0 {
            write!(f, " idle={:<6}", row.idle)?;
        }
        if let Some(size) = row.size_octets {
            write!(f, " size={size:<8}")?;
        }
        if let Some(rate) = row.rate_asked_per_s {
            write!(f, " rate={rate:<7}")?;
        }
        let rate = row.rate_per_s.map_or_else(|| "-".into(), number::grouped);
        write!(f, " {rate:>9} req/s")?;
        if let Some(p99) = row.latency_p99_us {
            write!(f, "  p99 {:>9}", number::time(p99))?;
        }
        if !row.outcome.full() {
            write!(f, "  {}: {}", row.outcome.word(), row.error.as_deref().unwrap_or(""))?;
        }
        if row.limited_by == Some(Limit::Client) && row.rate_asked_per_s.is_none() {
            write!(f, "  the load generator was the limit")?;
        }
        Ok(())
    }
}
