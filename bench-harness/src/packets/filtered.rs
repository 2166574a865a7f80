//! Whether the filter of even counters is right: at a rate that a socket behind it can follow,
//! where the socket says what passed, and at the full rate, where the program's counters do.

use std::time::Duration;

use anyhow::Result;

use super::check::{Check, Checks};
use super::receive::{Counted, Generated};
use super::site::{self, PORT, Site, ended, ready};

/// The modes that a program can be attached in.
pub const MODES: [&str; 2] = ["native", "generic"];

/// Packets per second that a socket can follow on any machine that this is run on.
const FOLLOWED_PER_S: u64 = 20_000;
/// Octets that may wait in the socket behind the filter: each packet counts with the page it is in.
const ROOM: u32 = 64 << 20;
/// How long a flood may take, and how long the last packet may be under way.
const PATIENCE: Duration = Duration::from_secs(60);

/// All statements about a filter in one mode.
#[must_use]
pub fn checks(site: &Site, mode: &str) -> Vec<Check> {
    let mut followed = Checks::of("filter, every packet seen behind it", mode);
    let done = follow(site, mode, &mut followed);
    let mut rows = followed.or_skipped(done);
    let mut flooded = Checks::of("filter, at the full rate", mode);
    let done = flood(site, mode, &mut flooded);
    rows.extend(flooded.or_skipped(done));
    rows
}

fn follow(site: &Site, mode: &str, checks: &mut Checks<'_>) -> Result<()> {
    let stage = site.pair()?;
    let address = stage.host(1)?.address;
    let sink = format!("packet sink --listen {address}:{PORT} --room {ROOM}");
    let sink = ready(&stage, 1, &sink)?;
    let filter = ready(&stage, 1, &filter(mode))?;
    let count = site.effort.followed;
    let line = format!(
        "packet generate live --to {address}:{PORT} --count {count} --rate {FOLLOWED_PER_S}"
    );
    let made: Generated = site::run(&stage, 0, &line, PATIENCE)?;
    let (filtered, passed): (Counted, Counted) = (ended(filter)?, ended(sink)?);
    checks.same("every packet went out", count, made.sent);
    checks.same("even counters that were dropped", count / 2, filtered.even);
    checks.same("odd counters that were let pass", count / 2, filtered.odd);
    checks.same("even counters that came to the socket", 0, passed.even);
    checks.same("odd counters that came to the socket", count / 2, passed.odd);
    checks.same("odd counters that came twice", 0, passed.duplicates);
    Ok(())
}

fn flood(site: &Site, mode: &str, checks: &mut Checks<'_>) -> Result<()> {
    let stage = site.pair()?;
    let address = stage.host(1)?.address;
    let sink = ready(&stage, 1, &format!("packet sink --listen {address}:{PORT}"))?;
    let filter = ready(&stage, 1, &filter(mode))?;
    let count = site.effort.flood;
    let line = format!("packet generate live --to {address}:{PORT} --count {count}");
    let made: Generated = site::run(&stage, 0, &line, PATIENCE)?;
    let (filtered, passed): (Counted, Counted) = (ended(filter)?, ended(sink)?);
    // Most of them: otherwise little would be tried, and nothing broken would mean little.
    checks.at_least("packets that found room at the cable's end", count / 2, made.sent);
    checks.same("packets decided on, of those that went out", made.sent, filtered.all());
    // Which of them found no room at the cable's end is not known, so only the sum can be exact.
    checks.at_most("even counters that were dropped", count / 2, filtered.even);
    checks.same("even counters that came to the socket", 0, passed.even);
    checks.at_most("odd counters that came to the socket", filtered.odd, passed.odd);
    checks.same("odd counters that came twice", 0, passed.duplicates);
    Ok(())
}

fn filter(mode: &str) -> String {
    format!("packet filter --interface eth0 --port {PORT} --mode {mode}")
}
