//! The command `loadgen`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use loadgen::cli::{Command, CommandLine, Format, RunArguments};
use loadgen::failure::Failure;
use loadgen::progress::Progress;
use loadgen::report::{self, Folder, Summary};
use loadgen::run::measure;
use loadgen::{calibrate, hostile, merge};

fn main() -> ExitCode {
    match obey(&CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("loadgen: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn obey(line: &CommandLine) -> Result<(), Failure> {
    match &line.command {
        Some(Command::Calibrate(arguments)) => calibrate::run(arguments),
        Some(Command::Merge(arguments)) => merge::run(arguments),
        Some(Command::Hostile(arguments)) => hostile::run(arguments),
        None => run(&line.run),
    }
}

fn run(arguments: &RunArguments) -> Result<(), Failure> {
    let plan = arguments.plan(std::env::args().collect())?;
    let folder = arguments.out.as_deref().map(|path| Folder::reserve(path, plan.connections));
    let folder = folder.transpose()?;
    let (summary, found) = measure(&plan, &mut Progress::new(arguments.progress))?;
    if let Some(folder) = folder {
        folder.write(&summary, &found)?;
    }
    print(&summary, arguments.format)
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
