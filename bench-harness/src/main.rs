//! From a sub-command to its module, and from an error to an exit status.

use std::process::ExitCode;

use bench_harness::cli::{Cli, Command};
use bench_harness::{cmd, fault, restraint};
use clap::Parser;

fn main() -> ExitCode {
    let Cli { command, places } = Cli::parse();
    let result = match command {
        Command::List(options) => cmd::list::run(&options, &places),
        Command::Verify(options) => cmd::verify::run(&options, &places),
        Command::Doctor => cmd::doctor::run(),
        Command::Run(options) => cmd::run::run(&options, &places),
        Command::Limits(options) => cmd::limits::run(&options, &places),
        Command::Memory(options) => cmd::memory::run(&options, &places),
        Command::Waiting(options) => cmd::waiting::run(&options, &places),
        Command::Balance(options) => cmd::balance::run(&options, &places),
        Command::Packets(options) => cmd::packets::run(&options, &places),
        Command::Warden => restraint::warden::stand(),
        Command::Plot(folder) => cmd::plot::run(&folder),
        Command::Report(options) => cmd::report::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-harness: {error:#}");
            fault::exit_code(&error)
        }
    }
}
