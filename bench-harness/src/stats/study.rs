//! What came out, laid beside what others have published: a column a model, in the order of the
//! study and then in that of the servers; a line a number of clients.

use crate::experiment::published::{Published, Series};
use crate::experiment::{App, Cell, Skip};
use crate::record::{Outcome, Row};
use crate::results::Run;
use crate::stats::cell::{Point, points};

/// One kind of server, here and in the study.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    /// The model.
    pub model: &'a str,
    /// What was published about its like.
    pub published: Option<&'a Series>,
    points: Vec<Point<'a>>,
    skip: &'a [Skip],
    app: App,
}

/// What came out of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Came<'a> {
    /// Every client had all its answers.
    Passed {
        /// The mean response time in milliseconds.
        ms: f64,
        /// Whether the load generator stands by it.
        holds: bool,
    },
    /// Not every client had.
    Failed {
        /// The kind of failure.
        word: &'static str,
        /// What happened.
        why: &'a str,
    },
    /// It was not tried, for this reason.
    LeftOut(&'a str),
    /// Nobody asked.
    Nothing,
}

impl<'a> Column<'a> {
    /// The name of the model, with that in the study where it is another one.
    #[must_use]
    pub fn title(&self) -> String {
        match self.published {
            Some(series) if series.name != self.model => {
                format!("{} ({})", series.name, self.model)
            }
            _ => self.model.into(),
        }
    }

    /// The trials with so many clients.
    #[must_use]
    pub fn at(&self, clients: u64) -> Option<&Point<'a>> {
        self.points.iter().find(|point| point.connections == clients)
    }

    /// The trials, by clients.
    #[must_use]
    pub fn points(&self) -> &[Point<'a>] {
        &self.points
    }

    /// What came out with so many clients.
    #[must_use]
    pub fn came(&self, clients: u64) -> Came<'a> {
        let cell = self.cell(clients);
        match self.at(clients) {
            Some(point) => came(point),
            None => {
                let skip = self.skip.iter().find(|skip| skip.condition.holds(&cell));
                skip.map_or(Came::Nothing, |skip| Came::LeftOut(&skip.because))
            }
        }
    }

    /// The cell of so many clients.
    #[must_use]
    pub fn cell(&self, connections: u64) -> Cell {
        let (model, app) = (self.model.into(), self.app);
        Cell { model, app, policy: None, connections, idle: 0, size: None, rate: None }
    }
}

fn came<'a>(point: &Point<'a>) -> Came<'a> {
    let passed = |row: &Row| matches!(row.outcome, Outcome::Ok | Outcome::Invalid);
    let flawed = point.rows.iter().find(|row| !passed(row));
    match (flawed, point.median(|row| row.latency_mean_us)) {
        (None, Some(us)) => Came::Passed { ms: us / 1e3, holds: point.times_hold() },
        (flawed, _) => {
            let row: Option<&'a Row> = flawed.copied();
            let failure = row.and_then(|row| row.failure).map(crate::failure::Failure::word);
            let word = failure.or_else(|| row.map(|row| row.outcome.word())).unwrap_or("no number");
            Came::Failed { word, why: row.and_then(|row| row.error.as_deref()).unwrap_or("") }
        }
    }
}

/// All columns that there is anything to say in: those of the study first.
#[must_use]
pub fn columns<'a>(run: &'a Run, published: &'a Published) -> Vec<Column<'a>> {
    let experiment = &run.source.experiment;
    let app = experiment.matrix.app.first().copied().unwrap_or(App::Echo);
    let series = published.series.iter().map(|series| (series.model.as_str(), Some(series)));
    let known = |model: &&String| published.series.iter().all(|series| series.model != **model);
    let others = run.manifest.models.iter().filter(known).map(|model| (model.as_str(), None));
    let all = points(&run.rows, app, &run.manifest.models);
    let column = |(model, published): (&'a str, Option<&'a Series>)| {
        let points: Vec<_> = all.iter().filter(|point| point.model == model).cloned().collect();
        Column { model, published, points, skip: &experiment.skip, app }
    };
    let filled = |column: &Column<'_>| column.published.is_some() || !column.points.is_empty();
    series.chain(others).map(column).filter(filled).collect()
}

/// Every number of clients that the study or this run has something about.
#[must_use]
pub fn clients(columns: &[Column<'_>]) -> Vec<u64> {
    let here = columns.iter().flat_map(|column| column.points.iter().map(|p| p.connections));
    let series = columns.iter().filter_map(|column| column.published);
    let there = series.flat_map(|series| {
        series.response_ms.iter().map(|(clients, _)| *clients).chain(series.failed_at)
    });
    let mut all: Vec<_> = here.chain(there).collect();
    all.sort_unstable();
    all.dedup();
    all
}
