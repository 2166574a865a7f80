//! Clients that misbehave on purpose, and what polite ones feel of it.
//!
//! ```text
//!               before        during        after
//!   polite      ─────────────────────────────────   one request each 10 ms, checked
//!   hostile                 ─────────────           as their manner says
//!   watch       ─────────────────────────────────   the server's memory and CPU
//! ```
//!
//! A mode is not code of its own but a row of habits (`manner`): what is sent, how fast, how
//! slowly answers are read, and what comes at the end. One loop (`attack`) lives them all. No
//! packet is forged or dropped, so what a server sees here any client on the Internet can do to it.

mod arguments;
mod attack;
mod client;
mod conversation;
mod descriptors;
mod felt;
mod manner;
mod polite;
mod report;
mod script;
mod tally;
mod text;
mod timeline;
mod watch;

use std::io::{self, Write};
use std::thread;

pub use arguments::Arguments;
use arguments::Plan;
use attack::Attack;
use polite::Polite;
pub use report::{Bearing, Ended, PoliteReport, Report, WatchReport};
use timeline::Timeline;
use watch::Watch;

use crate::cli::Format;
use crate::failure::Failure;

/// Attacks the target, and prints what came of it.
///
/// # Errors
/// If the command line contradicts itself, this host can't do it, or no connection could be made.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = carry_out(&arguments.plan()?)?;
    let text = match arguments.format() {
        Format::Text => text::text(&report),
        Format::Json => report.json(),
    };
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

/// The polite clients have a thread each, the hostile ones one together; this thread watches.
fn carry_out(plan: &Plan) -> Result<Report, Failure> {
    descriptors::admit(plan)?;
    let watch = Watch::new(plan.watch)?;
    let attack = Attack::new(&plan.manner, &plan.target, plan.connections)?;
    let timeline = Timeline::new(plan.before, plan.duration, plan.after);
    let (tally, felt, watched) = thread::scope(|scope| {
        let polite: Vec<_> = (plan.kinds().zip(0..))
            .map(|(kind, which)| {
                let client = Polite::new(plan, kind, which, timeline);
                scope.spawn(move || (kind, client.live()))
            })
            .collect();
        let attack = scope.spawn(move || attack.live(timeline));
        let watched = watch.look(timeline);
        let felt: Vec<_> = polite.into_iter().map(joined).collect();
        (joined(attack), felt, watched)
    });
    if tally.established == 0 {
        return Err(Failure::Failed(tally.complaint(&plan.target.given)));
    }
    Ok(Report::new(plan, &tally, &felt, watched?))
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
