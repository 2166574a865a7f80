//! `servers balance`: the balancer and its replicas.

/// How many replicas, and how they are watched.
#[derive(Debug, clap::Args)]
pub struct Balance {}

/// Balances until it is told to stop.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Balance) -> anyhow::Result<()> {
    let _ = options;
    Ok(())
}
