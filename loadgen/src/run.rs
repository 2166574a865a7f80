//! One run, from the plan to the summary.

use crate::engine::{self, Found};
use crate::failure::Failure;
use crate::limits;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{self, Summary};
use crate::sources::{self, Sources};

/// Carries out a plan, after everything the host could refuse has been asked for.
///
/// # Errors
/// If this host can't do what the plan needs, or no connection at all could be made.
pub fn measure(plan: &Plan, progress: &mut Progress) -> Result<(Summary, Found), Failure> {
    let sources = prepare_host(plan)?;
    let found = engine::run(plan, &sources, progress, &mut |_, _| ())?;
    Ok((report::summarise(plan, &found), found))
}

fn prepare_host(plan: &Plan) -> Result<Sources, Failure> {
    limits::admit(plan)?;
    if !plan.cpus.is_empty() {
        engine::pin(&plan.cpus)?;
    }
    Sources::new(plan, sources::local_ports())
}
