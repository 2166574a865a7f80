//! The policies on offer, as `servers list --policies --format json` tells them.

use anyhow::Result;
use serde::Deserialize;

use super::load::Source;
use crate::fault::usage;

/// One row of the list. Keys that are not needed here are passed over.
#[derive(Clone, Debug, Deserialize)]
pub struct Policy {
    /// The name on the command line.
    pub name: String,
}

impl Source {
    /// Whether the experiment needs to know what policies there are.
    #[must_use]
    pub fn names_policies(&self) -> bool {
        self.policies().next().is_some()
    }

    /// Checks that every policy that the file names is on offer.
    ///
    /// # Errors
    /// A usage error that lists the policies on offer.
    pub fn check_policies(&self, offered: &[Policy]) -> Result<()> {
        let unknown = |name: &&str| offered.iter().all(|policy| policy.name != **name);
        let Some(name) = self.policies().find(unknown) else { return Ok(()) };
        let names: Vec<_> = offered.iter().map(|policy| policy.name.as_str()).collect();
        usage(format!(
            "{}, line {}: no policy `{name}`; the policies are {}",
            self.path.display(),
            self.line_of(name),
            names.join(", ")
        ))
    }

    fn policies(&self) -> impl Iterator<Item = &str> {
        let matrices = std::iter::once(&self.experiment.matrix).chain(&self.experiment.also);
        matrices.flat_map(|matrix| &matrix.policy).map(String::as_str)
    }
}
