//! The models on offer, as `servers list --format json` tells them.
//!
//! The harness has no list of its own: a model added to the servers is in every experiment that
//! says
//! `model = "all"`.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

/// One row of `servers list`. Keys that are not needed here are passed over.
#[derive(Clone, Debug, Deserialize)]
pub struct Model {
    /// The name on the command line.
    pub name: String,
    /// What it does, in a few words.
    #[serde(default)]
    pub summary: String,
    /// The kind of I/O it belongs to.
    #[serde(default)]
    pub family: String,
    /// How many clients it serves at once.
    #[serde(default)]
    pub at_once: AtOnce,
    /// How many workers it has when nobody says.
    #[serde(default)]
    pub workers: Workers,
    /// How many descriptor tables it has when nobody says, each with a copy of it.
    #[serde(default = "one")]
    pub tables: u32,
    /// Why this host does not have it, if it has not.
    #[serde(default)]
    pub refusal: Option<String>,
}

fn one() -> u32 {
    1
}

/// How many workers a model has when nobody says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Workers {
    /// What their number depends on.
    #[serde(default)]
    pub kind: Dependence,
    /// A fixed number; `None` when it depends on the clients or on the CPUs.
    #[serde(default)]
    pub count: Option<u64>,
}

/// What the number of workers depends on, as far as that matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependence {
    /// There is one for each connection.
    PerConnection,
    /// Something that has nothing to do with clients.
    #[default]
    #[serde(other)]
    Else,
}

impl Model {
    /// `--tables` for so many clients, where a table holds `limit` descriptors; `None` where it
    /// needs no more tables than it has.
    ///
    /// The kernel deals clients out to tables by chance, so each gets a share that leaves room. A
    /// model whose own bound is lower than the table's gets no more tables: it is to show that
    /// bound, unless many tables are its nature.
    #[must_use]
    pub fn tables_for(&self, clients: u64, limit: u64) -> Option<u64> {
        let room = match self.at_once {
            AtOnce::Descriptors { limit: Some(own) } if own < limit && self.tables > 1 => own,
            AtOnce::Descriptors { limit: Some(own) } if own < limit => return None,
            _ if clients + SPARE <= limit => return None,
            _ => limit,
        };
        let share = (room * 4 / 5).max(1);
        Some(clients.div_ceil(share)).filter(|tables| *tables > self.tables.into())
    }
}

/// Descriptors of a server beside those of its clients, in one table; a generous bound.
const SPARE: u64 = 100;

/// How many clients a model serves at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AtOnce {
    /// One; the others wait until it has gone.
    One,
    /// As many as it has workers; the others wait.
    Workers {
        /// How many that is by default.
        #[serde(default)]
        limit: Option<u64>,
    },
    /// As many as the descriptors it can hold; the others are turned away.
    Descriptors {
        /// How many descriptors that is.
        #[serde(default)]
        limit: Option<u64>,
    },
    /// As many as the host lets it.
    #[default]
    #[serde(other)]
    Unlimited,
}

impl AtOnce {
    /// Whether clients beyond the limit are left waiting.
    #[must_use]
    pub fn starves(self) -> bool {
        matches!(self, Self::One | Self::Workers { .. })
    }

    /// Whether clients beyond the limit are turned away.
    #[must_use]
    pub fn refuses(self) -> bool {
        matches!(self, Self::Descriptors { .. })
    }

    /// How many clients a check may use without any of them being starved.
    #[must_use]
    pub fn fair_clients(self, wanted: u64) -> u64 {
        match self {
            Self::One => 1,
            Self::Workers { limit: Some(limit) } => wanted.min(limit.max(1)),
            _ => wanted,
        }
    }
}

/// Which models an experiment is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every model on offer.
    All,
    /// These.
    Named(Vec<String>),
}

impl Selection {
    /// The models that are named; none for [`Selection::All`].
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::All => &[],
            Self::Named(names) => names,
        }
    }
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectionVisitor)
    }
}

struct SelectionVisitor;

impl<'de> Visitor<'de> for SelectionVisitor {
    type Value = Selection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\" or a list of model names")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Selection, E> {
        match word {
            "all" => Ok(Selection::All),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Selection, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        if names.is_empty() {
            Err(de::Error::invalid_length(0, &self))
        } else {
            Ok(Selection::Named(names))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once(json: &str) -> AtOnce {
        serde_json::from_str::<Model>(json).unwrap().at_once
    }

    #[test]
    fn tables_are_added_where_the_descriptors_of_one_do_not_suffice() {
        let model = |json: &str| serde_json::from_str::<Model>(json).unwrap();
        let plain = model(r#"{"name":"a"}"#);
        let tables = [1_000, 19_900, 19_901, 100_000].map(|n| plain.tables_for(n, 20_000));
        assert_eq!(tables, [None, None, Some(2), Some(7)]);
        let bounded = r#"{"name":"a","at_once":{"kind":"descriptors","limit":1024}}"#;
        assert_eq!(model(bounded).tables_for(100_000, 20_000), None, "it shows its bound");
        let sharded = r#"{"name":"a","tables":8,"at_once":{"kind":"descriptors","limit":1024}}"#;
        assert_eq!(model(sharded).tables_for(1_000, 20_000), None);
        assert_eq!(model(sharded).tables_for(10_000, 20_000), Some(13));
    }

    #[test]
    fn reads_each_kind_of_limit_and_passes_over_the_unknown() {
        assert_eq!(at_once(r#"{"name":"a","at_once":{"kind":"one"}}"#), AtOnce::One);
        assert_eq!(
            at_once(r#"{"name":"a","at_once":{"kind":"workers","limit":10}}"#),
            AtOnce::Workers { limit: Some(10) }
        );
        assert_eq!(
            at_once(r#"{"name":"a","new":1,"at_once":{"kind":"descriptors","limit":1024}}"#),
            AtOnce::Descriptors { limit: Some(1_024) }
        );
        assert_eq!(at_once(r#"{"name":"a","at_once":{"kind":"later"}}"#), AtOnce::Unlimited);
        assert_eq!(at_once(r#"{"name":"a"}"#), AtOnce::Unlimited);
    }
}
