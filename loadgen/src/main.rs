//! The command `loadgen`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use loadgen::cli::{Arguments, Format};
use loadgen::failure::Failure;
use loadgen::plan::Plan;
use loadgen::progress::Progress;
use loadgen::report::{self, Folder, Summary};
use loadgen::sources::{self, Sources};
use loadgen::{engine, limits};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("loadgen: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.plan(std::env::args().collect())?;
    let folder = arguments.out.as_deref().map(|path| Folder::reserve(path, plan.connections));
    let folder = folder.transpose()?;
    let sources = prepare_host(&plan)?;
    let found = engine::run(&plan, &sources, &mut Progress::new(arguments.progress))?;
    let summary = report::summarise(&plan, &found);
    if let Some(folder) = folder {
        folder.write(&summary, &found)?;
    }
    print(&summary, arguments.format)
}

/// Everything the host could refuse is asked for before the first connection is opened.
fn prepare_host(plan: &Plan) -> Result<Sources, Failure> {
    limits::admit(plan)?;
    if !plan.cpus.is_empty() {
        engine::pin(&plan.cpus)?;
    }
    Sources::new(plan, sources::local_ports())
}

fn print(summary: &Summary, format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Text => report::text(summary),
        Format::Json => report::json(summary),
    };
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Failed(format!("standard output: {error}")))
}
