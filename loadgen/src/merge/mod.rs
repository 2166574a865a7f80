//! Logs of several agents become one result.

use crate::failure::Failure;

/// The command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {}

/// Does it.
///
/// # Errors
/// When it can't.
pub fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Err(Failure::Usage("not there yet".to_owned()))
}
