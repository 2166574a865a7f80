//! Which limit a model meets first, with the arithmetic.

use serde::{Deserialize, Serialize};

use super::appetite::Appetite;
use super::host::{HostLimits, Limit};
use super::need::{Need, needs, of_clients};
use crate::experiment::model::Model;

/// What is expected of a model on this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The model.
    pub model: String,
    /// The most clients that are served at once; no more than were asked about.
    pub clients: u64,
    /// What stops it there; `None` when nothing does up to the most that was asked about.
    pub binding: Option<Limit>,
    /// How that comes about: `(20,000 - 9 of the server) descriptors = 19,991`.
    pub arithmetic: String,
    /// The command that raises it; empty when nothing binds.
    pub raise: String,
    /// Every limit that was reckoned with, the first to bind first.
    pub ladder: Vec<Rung>,
    /// The same for the load generator, which is held by limits of its own.
    pub client_side: Vec<Rung>,
    /// Limits that would matter and could not be read: the prediction says nothing about them.
    pub unknown: Vec<Limit>,
}

/// How many clients one limit allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// The limit.
    pub limit: Limit,
    /// How many clients it allows.
    pub clients: u64,
    /// How that comes about.
    pub arithmetic: String,
    /// The command that raises it to what the most clients that were asked about need; empty when it
    /// allows them.
    pub raise: String,
}

/// Predicts how many clients a model serves at once, with its clients dealt out over so many
/// descriptor tables. `limits` are those of the server itself.
#[must_use]
pub fn predict(
    model: &Model,
    appetite: &Appetite,
    limits: &HostLimits,
    tables: u32,
    clients_asked_up_to: u64,
) -> Prediction {
    let needs = needs(model, appetite, limits, tables);
    let ladder = ladder(&needs, clients_asked_up_to);
    let first = ladder.first();
    let binding = first.filter(|rung| rung.clients < clients_asked_up_to);
    Prediction {
        model: model.name.clone(),
        clients: binding.map_or(clients_asked_up_to, |rung| rung.clients),
        binding: binding.map(|rung| rung.limit),
        arithmetic: first.map_or(String::new(), |rung| rung.arithmetic.clone()),
        raise: first.map_or(String::new(), |rung| rung.raise.clone()),
        client_side: self::ladder(&of_clients(limits), clients_asked_up_to),
        unknown: needs.iter().filter(|need| need.is_unknown()).map(Need::limit).collect(),
        ladder,
    }
}

/// What each limit allows, the tightest first.
fn ladder(needs: &[Need], asked: u64) -> Vec<Rung> {
    let rung = |need: &Need| {
        let (limit, clients) = (need.limit(), need.clients()?);
        Some(Rung { limit, clients, arithmetic: need.arithmetic(), raise: need.raise(asked) })
    };
    let mut ladder: Vec<_> = needs.iter().filter_map(rung).collect();
    ladder.sort_by_key(|rung| (rung.clients, rung.limit));
    ladder
}
