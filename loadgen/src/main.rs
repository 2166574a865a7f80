//! The command `loadgen`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use loadgen::cli::{Command, CommandLine, Format, RunArguments};
use loadgen::failure::Failure;
use loadgen::plan::Plan;
use loadgen::progress::Progress;
use loadgen::report::{self, Folder, Sessions, Summary};
use loadgen::run::{Detail, measure, record};
use loadgen::search::{self, Objective};
use loadgen::verdict::Standing;
use loadgen::{calibrate, hostile, merge, records};

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
        Some(Command::Figures(arguments)) => records::run(arguments),
        Some(Command::Hostile(arguments)) => hostile::run(arguments),
        None => run(&line.run),
    }
}

fn run(arguments: &RunArguments) -> Result<(), Failure> {
    let plan = arguments.plan(std::env::args().collect())?;
    if let Some(objective) = &arguments.find_rate {
        return find_rate(&plan, objective, arguments.format);
    }
    let progress = &mut Progress::new(arguments.progress);
    let sessions = arguments.sessions.as_deref().map(Sessions::reserve).transpose()?;
    let (summary, found) = match &arguments.out {
        None => measure(&plan, progress)?,
        Some(path) => {
            let folder = Folder::reserve(path, plan.connections)?;
            let detail = if arguments.log { Detail::Requests } else { Detail::Seconds };
            record(&plan, progress, &folder, detail)?
        }
    };
    sessions.map_or(Ok(()), |sessions| sessions.write(&found))?;
    print(&summary, arguments.format)?;
    conclude(&summary, arguments.strict)
}

/// A result that was printed may still not be one to rely on.
fn conclude(summary: &Summary, strict: bool) -> Result<(), Failure> {
    match summary.verdict.standing {
        Standing::Suspect if strict => {
            Err(Failure::Inconclusive("the run is SUSPECT, see above".to_owned()))
        }
        Standing::Invalid if strict => {
            Err(Failure::Unfit("the run is INVALID, see above".to_owned()))
        }
        _ if summary.interrupted => Err(Failure::Inconclusive(
            "interrupted: these are the numbers of what was measured until then".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Each step is told as it is done, on standard error.
fn find_rate(plan: &Plan, objective: &Objective, format: Format) -> Result<(), Failure> {
    let options = search::Options::default();
    let found = search::run(plan, objective, &options, |step| eprintln!("{}", search::line(step)))?;
    let text = match format {
        Format::Text => search::text(&found),
        Format::Json => serde_json::to_string_pretty(&found).expect("a record of numbers") + "\n",
    };
    write(&text)
}

fn print(summary: &Summary, format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Text => report::text(summary),
        Format::Json => report::json(summary),
    };
    write(&text)
}

fn write(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Failed(format!("standard output: {error}")))
}
