//! The ruler is measured: known answers against found ones.
//!
//! ```text
//!   case ──▶ schedule ──▶ lindley: the exact answer to this schedule ──┐
//!     │          │        md1: the closed form                        ├──▶ comparison ──▶ report
//!     │          └──▶ loadgen ◀── TCP, loopback ──▶ ruler ── found ───┘
//!     └── discipline: when a reply leaves, for lindley and for the ruler alike
//! ```
//!
//! The rulers are servers in a process of their own whose replies leave at moments that are known
//! beforehand. The same code measures them as measures any other server. What it finds beyond the
//! known answer is its own doing, and that of the kernel: the bias, which every other measurement
//! on this host has too.

mod case;
mod comparison;
mod discipline;
mod finding;
mod host;
mod lateness;
mod lindley;
mod md1;
mod process;
mod report;
mod representative;
mod ruler;

use std::path::PathBuf;
use std::time::Duration;

use self::case::{Case, Extent};
use self::discipline::Discipline;
use self::finding::Calibration;
use self::host::{Host, Placement};
use crate::cli::{Format, parse_duration};
use crate::failure::Failure;

/// The quantiles that are compared.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// The command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// In under 20 seconds, with less to go by
    #[arg(long)]
    quick: bool,
    /// Spin in place of sleeping, as a run with --spin does; 0s for what a run without it adds
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1ms")]
    spin: Duration,
    /// Also write calibration.json into this folder, which must not have one yet
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Be the server of a calibration, and nothing else
    #[arg(long, hide = true, value_name = "DISCIPLINE")]
    serve: Option<Discipline>,
    /// Server: have this CPU to itself
    #[arg(long, hide = true, value_name = "N", requires = "serve")]
    cpu: Option<usize>,
}

/// Measures all rulers, prints what was found, and stores it.
///
/// # Errors
/// [`Failure::Unfit`] if what was found is further from what is known than it may be;
/// [`Failure::Usage`] if there is a calibration in the folder already; [`Failure::Failed`] if a
/// server can't be started or a file not be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(discipline) = arguments.serve {
        return process::serve(discipline, arguments.cpu);
    }
    let draft = arguments.out.as_deref().map(report::reserve).transpose()?;
    let calibration = calibrate(arguments)?;
    report::print(&calibration, arguments.format)?;
    draft.map_or(Ok(()), |draft| report::store(&calibration, draft))?;
    if calibration.holds { Ok(()) } else { Err(Failure::Unfit(report::advice(&calibration))) }
}

fn calibrate(arguments: &Arguments) -> Result<Calibration, Failure> {
    let extent = if arguments.quick { Extent::Quick } else { Extent::Full };
    let placement = Placement::of_this_process()?;
    let host = Host::new(placement);
    let cases = case::all(extent)?;
    let findings = cases.iter().map(|case: &Case| case.measure(placement, arguments.spin));
    let findings = findings.collect::<Result<Vec<_>, _>>()?;
    Ok(Calibration::new(host, extent, arguments.spin, findings))
}
