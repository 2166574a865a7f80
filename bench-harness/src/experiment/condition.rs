//! A condition on cells: the `where` of a skip, and `--filter` on the command line.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

use super::Cell;
use crate::fault::usage;

/// An axis of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// The I/O model.
    Model,
    /// The app.
    App,
    /// How a proxy chooses among its backends.
    Policy,
    /// Active connections.
    Connections,
    /// Idle connections.
    Idle,
    /// Octets of payload.
    Size,
    /// Requests a second of an open loop.
    Rate,
}

const AXES: [(&str, Axis); 7] = [
    ("model", Axis::Model),
    ("app", Axis::App),
    ("policy", Axis::Policy),
    ("connections", Axis::Connections),
    ("idle", Axis::Idle),
    ("size", Axis::Size),
    ("rate", Axis::Rate),
];

/// For each axis that it names, the values it lets through; a cell has to pass all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Condition(BTreeMap<Axis, Values>);

impl Condition {
    /// Whether the cell fulfils the condition. An empty condition is fulfilled by every cell.
    #[must_use]
    pub fn holds(&self, cell: &Cell) -> bool {
        self.0.iter().all(|(axis, values)| values.0.contains(&value(cell, *axis)))
    }

    /// The models that the condition names.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.0.get(&Axis::Model).into_iter().flat_map(|values| &values.0).map(String::as_str)
    }

    /// Adds `KEY=VALUE[,VALUE…]` as given on the command line.
    ///
    /// # Errors
    /// A usage error that names the keys when there is no such key.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let known = AXES.map(|(name, _)| name).join(", ");
        let Some((key, values)) = text.split_once('=') else {
            return usage(format!("--filter {text}: write KEY=VALUE; the keys are {known}"));
        };
        let Some((_, axis)) = AXES.iter().find(|(name, _)| *name == key) else {
            return usage(format!("--filter {text}: no key `{key}`; the keys are {known}"));
        };
        let values = values.split(',').map(|value| value.trim().replace('_', ""));
        self.0.entry(*axis).or_default().0.extend(values);
        Ok(())
    }
}

fn value(cell: &Cell, axis: Axis) -> String {
    match axis {
        Axis::Model => cell.model.clone(),
        Axis::App => cell.app.to_string(),
        Axis::Policy => cell.policy.clone().unwrap_or_default(),
        Axis::Connections => cell.connections.to_string(),
        Axis::Idle => cell.idle.to_string(),
        Axis::Size => cell.size.map_or_else(String::new, |size| size.to_string()),
        Axis::Rate => cell.rate.map_or_else(String::new, |rate| rate.to_string()),
    }
}

/// One value or a list of them, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of that axis or a list of them")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Values, E> {
        Ok(Values(vec![value.to_owned()]))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Values, E> {
        Ok(Values(vec![value.to_string()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
        let mut all = Values::default();
        while let Some(Values(mut values)) = list.next_element()? {
            all.0.append(&mut values);
        }
        Ok(all)
    }
}
