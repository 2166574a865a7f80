//! What is expected of a model under a restraint: its appetite and its limits are looked up on real
//! servers, and the rest is arithmetic.

use anyhow::{Context, Result};

use super::advice::Advice;
use super::appetite::Appetite;
use super::host::{HostLimits, Limit};
use super::need::needs;
use super::prediction::Prediction;
use super::trial::{Tables, Trial};
use super::{advise, predict};
use crate::experiment::model::Model;
use crate::launch::Server;
use crate::launch::process::{Binaries, Processes};

/// A model, what it takes, and what there is.
#[derive(Clone, Debug)]
pub struct Forecast {
    model: Model,
    appetite: Appetite,
    limits: HostLimits,
    tables: u32,
    most: u64,
}

impl Forecast {
    /// Measures what the model takes, without the restraint, which may leave no room for that; and
    /// reads what there is, off a server under it.
    ///
    /// # Errors
    /// When the server does not start, or does not answer.
    pub fn make(
        binaries: &Binaries,
        model: &Model,
        trial: &Trial,
        processes: &mut Processes,
        most: u64,
    ) -> Result<Self> {
        let arguments = trial.arguments();
        let bonds = processes.loose_bonds()?;
        let appetite = Appetite::measure_bound(binaries, model, &arguments, bonds)?;
        let server = processes.start(&trial.server(1)).context("reading its limits")?;
        let limits = HostLimits::of(server.pid());
        server.end(trial.longest)?;
        let tables = tables(trial.tables, model, &appetite, &limits, most);
        Ok(Self { model: model.clone(), appetite, limits, tables, most })
    }

    /// How many clients, and which limit.
    #[must_use]
    pub fn prediction(&self) -> Prediction {
        predict(&self.model, &self.appetite, &self.limits, self.tables, self.most)
    }

    /// With which settings the model serves the most that are asked for.
    #[must_use]
    pub fn advice(&self) -> Advice {
        advise(&self.model, &self.appetite, &self.limits, self.most)
    }

    /// In how many descriptor tables.
    #[must_use]
    pub fn tables(&self) -> u32 {
        self.tables
    }
}

/// `auto` takes as many tables as the clients need, so those that the most of them need are the
/// ones that count.
fn tables(
    asked: Option<Tables>,
    model: &Model,
    appetite: &Appetite,
    limits: &HostLimits,
    most: u64,
) -> u32 {
    match asked {
        None => model.tables,
        Some(Tables::Fixed(count)) => count.into(),
        Some(Tables::Auto) => {
            let needs = needs(model, appetite, limits, 1);
            let table = needs.iter().find(|need| need.limit() == Limit::Nofile);
            table.and_then(|need| need.tables_for(most)).unwrap_or(model.tables)
        }
    }
}
