//! One model after the other: predicted, measured, told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::forecast::Forecast;
use super::raise;
use super::record::Recorder;
use super::report::{Row, StepRow};
use super::seek::{Found, Search, Step, seek};
use super::trial::Trial;
use crate::experiment::model::Model;
use crate::experiment::span;
use crate::launch::pinning::Pinning;
use crate::launch::process::{Binaries, Processes};
use crate::report::number::grouped;
use crate::restraint::{Hold, Restraint};
use crate::results::Scratch;

/// How long to wait for a run that changes the host between two models of this one.
const BETWEEN: Duration = Duration::from_secs(30);

/// Whether the limits of the host are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// They stay as they are.
    Nothing,
    /// What the prediction proposes is set, and put back after each model.
    Proposed,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Predict only.
    Predict,
    /// Predict and measure.
    Measure,
}

/// What all models of a survey have in common.
#[derive(Debug)]
pub struct Survey {
    /// The binaries.
    pub binaries: Binaries,
    /// The CPUs of each role.
    pub pinning: Pinning,
    /// This program, which is its own warden.
    pub program: PathBuf,
    /// A folder for short-lived files.
    pub scratch: Scratch,
    /// The steps, of a model without a name.
    pub trial: Trial,
    /// Where to look, without a hint.
    pub search: Search,
    /// Limits that the servers are under.
    pub under: Restraint,
    /// Whether those of the host are raised.
    pub raise: Raise,
    /// What is done.
    pub depth: Depth,
    /// How long the first model waits for another run that has changed the host.
    pub patience: Duration,
}

/// How far a survey is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The place of the model among all, from 1 on.
    pub number: usize,
    /// How many models there are.
    pub of: usize,
    /// When the time of the model is up.
    pub until: Instant,
}

impl Survey {
    /// Predicts what a model serves, and measures it.
    ///
    /// # Errors
    /// When limits can't be set, or a row can't be written, or the user wants to stop; a model that
    /// serves nobody is a row.
    pub fn model(&self, model: &Model, turn: Turn, recorder: &mut Recorder) -> Result<Row> {
        let mut trial = Trial { model: model.name.clone(), ..self.trial.clone() };
        let (mut processes, forecast) = self.prepare(model, &mut trial, turn)?;
        recorder.prediction(forecast.prediction());
        let row = self.row(&forecast, &processes);
        turn.say(&row);
        let search = Search { hint: Some(row.predicted), ..self.search };
        let row = match self.depth {
            Depth::Predict => row,
            Depth::Measure => Measurement { trial, turn, recorder, steps: 0 }.make(
                row,
                &search,
                &mut processes,
            )?,
        };
        processes.release()?;
        Ok(row)
    }

    /// Sets the limits and predicts; where they are to be raised, sets what is proposed, and
    /// predicts again.
    fn prepare(
        &self,
        model: &Model,
        trial: &mut Trial,
        turn: Turn,
    ) -> Result<(Processes, Forecast)> {
        let mut processes = self.processes(&self.under, turn)?;
        let forecast = self.forecast(model, trial, &mut processes)?;
        if self.raise == Raise::Nothing {
            return Ok((processes, forecast));
        }
        let advice = forecast.advice();
        processes.release()?;
        let raised = self.under.clone().and(raise::restraint(&advice));
        let mut processes = self.processes(&raised, turn)?;
        trial.take_tables(advice.tables);
        let forecast = self.forecast(model, trial, &mut processes)?;
        Ok((processes, forecast))
    }

    fn forecast(
        &self,
        model: &Model,
        trial: &Trial,
        processes: &mut Processes,
    ) -> Result<Forecast> {
        Forecast::make(&self.binaries, model, trial, processes, self.search.most)
            .with_context(|| format!("predicting {}", model.name))
    }

    /// Another run that slips in between two models of this one is waited for.
    fn processes(&self, restraint: &Restraint, turn: Turn) -> Result<Processes> {
        let patience = if turn.number == 1 { self.patience } else { BETWEEN };
        let hold = Hold::take(restraint, &self.program, patience)?;
        let processes =
            Processes::new(self.binaries.clone(), self.pinning.clone(), self.scratch.path());
        Ok(processes.under(hold))
    }

    fn row(&self, forecast: &Forecast, processes: &Processes) -> Row {
        let (app, under) = (self.trial.app.to_string(), processes.restraint());
        let under = under.map_or_else(String::new, ToString::to_string);
        let row = Row::predicted(&forecast.prediction(), forecast.tables(), self.search.most);
        Row { app, under, ..row }
    }
}

/// The search of one model.
struct Measurement<'a> {
    trial: Trial,
    turn: Turn,
    recorder: &'a mut Recorder,
    steps: usize,
}

impl Measurement<'_> {
    /// Adds what was measured to what was predicted.
    fn make(mut self, row: Row, search: &Search, processes: &mut Processes) -> Result<Row> {
        let start = Instant::now();
        let found = self.find(search, processes)?;
        let seconds = (start.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        Ok(Row { steps: self.steps, seconds, ..row.measured(&found) })
    }

    fn find(&mut self, search: &Search, processes: &mut Processes) -> Result<Found> {
        seek(search, |clients| {
            let left = self.turn.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let longest = self.trial.longest.min(left);
            let step = Trial { longest, ..self.trial.clone() }.step(clients, processes)?;
            // What the end of the time cut short is no failure of the model.
            if !step.outcome.served() && Instant::now() >= self.turn.until {
                return Ok(None);
            }
            self.note(&step)?;
            Ok(Some(step))
        })
    }

    fn note(&mut self, step: &Step) -> Result<()> {
        self.steps += 1;
        let row = StepRow::new(&self.trial.model, self.steps, step);
        self.turn.tell(&row);
        self.recorder.step(&row)
    }
}

impl Turn {
    /// Nothing is printed while load is on.
    fn say(self, row: &Row) {
        let Self { number, of, .. } = self;
        let limit = if row.predicted_limit.is_empty() { "nothing" } else { &row.predicted_limit };
        let (model, predicted) = (&row.model, grouped(row.predicted as f64));
        eprintln!(
            "[{number}/{of}] {model}: predicted to serve {predicted} at once; {limit} stops it"
        );
    }

    fn tell(self, row: &StepRow) {
        let Self { number, of, until } = self;
        let left = span::words(until.saturating_duration_since(Instant::now()));
        let StepRow { model, clients, outcome, seconds, .. } = row;
        let clients = grouped(*clients as f64);
        eprintln!(
            "[{number}/{of}] {model:<14} c={clients:<7} {outcome:<20} {seconds:>5.1} s  \
             ({left} left at most)"
        );
    }
}
