//! A trial of `trips.csv`: an echo on one host, one datagram at a time from the other.

use anyhow::Result;

use super::rate::Outcome;
use super::site::{self, PORT, Site, ready};
use super::trip::{Said, Trip};
use super::way::Way;

/// Makes a trial; what goes wrong is a row, too. None for a way that sends nothing back.
#[must_use]
pub fn trip(site: &Site, way: &Way, pass: u32, others: Option<f64>) -> Option<Trip> {
    let echo = way.echo?;
    let failed = |error: anyhow::Error| Trip {
        way: way.name.to_owned(),
        pass,
        others_cpus: others,
        outcome: Outcome::Failed,
        reason: format!("{error:#}"),
        ..Trip::default()
    };
    let said = measure(site, way, echo);
    Some(said.map_or_else(failed, |said| said.of(way.name, pass, others)))
}

fn measure(site: &Site, way: &Way, echo: &str) -> Result<Said> {
    let stage = site.pair()?;
    let (near, far) = (0, 1);
    // What a program sends back natively arrives only where a program runs, too.
    let _pass = ready(&stage, near, "packet attach --program pass")?;
    let address = stage.host(far)?.address;
    let _echo = ready(&stage, far, &way.line(echo, address))?;
    let ms = site.effort.trips.as_millis();
    let ping = format!("packet generate ping --to {address}:{PORT} --duration {ms}ms");
    site::run(&stage, near, &ping, site.effort.trips)
}
