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
}

fn one() -> u32 {
    1
}

/// How many workers a model has when nobody says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Workers {
    /// A fixed number; `None` when it depends on the clients or on the CPUs.
    #[serde(default)]
    pub count: Option<u64>,
}

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
