//! `packets`: what it costs to wait for packets.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::print;
use crate::cli::Places;
use crate::fault::Unfit;
use crate::folder::file;
use crate::launch::process::Binaries;
use crate::packets::check::Verdict;
use crate::packets::rate::{Outcome, Rate};
use crate::packets::run::{RATES, Run};
use crate::packets::site::{Effort, Site};
use crate::packets::trip::Trip;
use crate::packets::way::{Generator, WAYS, Way};
use crate::packets::{filtered, jobs, page, receive, relay, send_back, stalled};
use crate::report::number::{short, time};
use crate::{interrupt, kept};

/// `packets`
#[derive(Debug, Args)]
pub struct Packets {
    /// A try: one pass of short trials. Its numbers are not worth keeping
    #[arg(long)]
    pub quick: bool,
    /// Seed of the orders
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// Measures, draws, and writes the report.
///
/// # Errors
/// [`Unfit`] where this user or this host can't have hosts of our own, or nothing could be
/// measured: the rows say what is missing. An interrupted run is kept, and is an error.
pub fn run(options: &Packets, places: &Places) -> Result<()> {
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    interrupt::listen()?;
    let mut run = Run::create(&options.out, &binaries, rows(effort))?;
    run.manifest.seed = options.seed;
    run.manifest.repeat = effort.passes;
    run.manifest.measure_ms = u64::try_from(effort.rate.as_millis())?;
    let Binaries { servers, loadgen } = binaries;
    let pinning = run.manifest.pinning.clone();
    let mut session = Session { site: Site { servers, loadgen, pinning, effort }, run };
    let measured = session.measure();
    session.publish()?;
    measured
}

/// How many rows a whole run has.
fn rows(effort: Effort) -> usize {
    let trips = WAYS.iter().filter(|way| way.echo.is_some()).count();
    let relays = relay::WAYS.len() * relay::LOADS.len();
    let each_pass = WAYS.len() * Generator::ALL.len() + trips + relays;
    effort.passes as usize * each_pass + jobs::BALANCERS.len() + relay::WAYS.len()
}

/// A run that is being made.
struct Session {
    site: Site,
    run: Run,
}

impl Session {
    fn measure(&mut self) -> Result<()> {
        if let Err(error) = self.site.pair() {
            self.unless_interrupted()?;
            self.skip(&format!("{error:#}"));
            return Err(error);
        }
        self.statements()?;
        let mut random = StdRng::seed_from_u64(self.run.manifest.seed);
        for pass in 1..=self.site.effort.passes {
            self.pass(pass, &mut random)?;
        }
        let nothing = self.run.rates.iter().all(|rate| rate.outcome != Outcome::Ok);
        let broken = self.run.checks.iter().any(|check| check.verdict == Verdict::Broken);
        match (nothing, broken) {
            (true, _) => Err(Unfit(format!("nothing could be measured; {RATES} says why")).into()),
            (_, true) => Err(Unfit("a statement about correctness is broken".into()).into()),
            _ => Ok(()),
        }
    }

    /// Every row of a host that can't have any, with the reason.
    fn skip(&mut self, reason: &str) {
        for way in &WAYS {
            for generator in Generator::ALL {
                self.run.rates.push(Rate {
                    way: way.name.into(),
                    generator: generator.name().into(),
                    reason: reason.into(),
                    ..Rate::default()
                });
            }
            let (way, reason) = (way.name.to_owned(), reason.to_owned());
            self.run.trips.push(Trip { way, reason, ..Trip::default() });
        }
    }

    /// What is right or wrong; that does not depend on time, and is asked once.
    fn statements(&mut self) -> Result<()> {
        for mode in filtered::MODES {
            say(&format!("filter, {mode}: correctness"));
            let checks = filtered::checks(&self.site, mode);
            self.unless_interrupted()?;
            self.run.checks.extend(checks);
            self.run.keep()?;
        }
        for balancer in jobs::BALANCERS {
            say(&format!("jobs, {}", balancer.name));
            let (row, checks) = jobs::jobs(&self.site, balancer);
            self.unless_interrupted()?;
            self.run.jobs.push(row);
            self.run.checks.extend(checks);
            self.run.keep()?;
        }
        self.stalls()
    }

    /// How much relays take in vain; that is asked once, too.
    fn stalls(&mut self) -> Result<()> {
        for way in relay::WAYS {
            say(&format!("relay, {way}: a receiver that does not read"));
            let row = stalled::stalled(&self.site, way);
            self.unless_interrupted()?;
            self.run.stalls.push(row);
            self.run.keep()?;
        }
        Ok(())
    }

    /// Everything once, in an order of its own, so that a drift of the host falls on all alike.
    fn pass(&mut self, pass: u32, random: &mut StdRng) -> Result<()> {
        let others = self.site.others();
        let mut order: Vec<_> =
            WAYS.iter().flat_map(|way| Generator::ALL.map(|generator| (way, generator))).collect();
        order.shuffle(random);
        for (way, generator) in order {
            self.rate(way, generator, pass, others)?;
        }
        let mut order: Vec<_> = WAYS.iter().collect();
        order.shuffle(random);
        for way in order {
            self.trip(way, pass, others)?;
        }
        self.relays(pass)
    }

    fn rate(
        &mut self,
        way: &Way,
        generator: Generator,
        pass: u32,
        others: Option<f64>,
    ) -> Result<()> {
        let mut rate = receive::rate(&self.site, way, generator, pass);
        self.unless_interrupted()?;
        rate.others_cpus = others;
        let found = match rate.outcome {
            Outcome::Ok => {
                format!("{}/s of {}", short(rate.handled_per_s), short(rate.offered_per_s))
            }
            _ => rate.reason.clone(),
        };
        say(&format!("{pass}: {}, {}: {found}", way.name, generator.name()));
        self.run.rates.push(rate);
        self.run.keep()
    }

    fn trip(&mut self, way: &Way, pass: u32, others: Option<f64>) -> Result<()> {
        let Some(trip) = send_back::trip(&self.site, way, pass, others) else { return Ok(()) };
        self.unless_interrupted()?;
        let found = match trip.outcome {
            Outcome::Ok => format!("{} to and fro", time(trip.p50_ns as f64 / 1e3)),
            _ => trip.reason.clone(),
        };
        say(&format!("{pass}: {}: {found}", way.echo_name()));
        self.run.trips.push(trip);
        self.run.keep()
    }

    fn relays(&mut self, pass: u32) -> Result<()> {
        let offered = relay::on_offer(&self.site)?;
        for load in relay::LOADS {
            for way in relay::WAYS {
                let row = match offered.contains(&way) {
                    true => relay::relay(&self.site, way, load, pass),
                    false => relay::skipped(way, load),
                };
                self.unless_interrupted()?;
                say(&format!("{pass}: relay, {way}, {}: {}", load.name, words(&row)));
                self.run.relays.push(row);
                self.run.keep()?;
            }
        }
        Ok(())
    }

    /// A trial that was cut short says nothing, and is no row.
    fn unless_interrupted(&self) -> Result<()> {
        if interrupt::requested() {
            bail!("interrupted; what was done is kept in {}", self.run.folder.path().display());
        }
        Ok(())
    }

    /// Charts, page and manifest; also of a run that was cut short.
    fn publish(&mut self) -> Result<()> {
        self.run.finish()?;
        kept::publish(&self.run)?;
        let page = self.run.folder.path().join(file::REPORT);
        let found: String =
            page::statements(&self.run).iter().map(|words| format!("{words}\n")).collect();
        print(&format!("{found}\nreport  {}\n", page.display()))
    }
}

fn say(words: &str) {
    eprintln!("{words}");
}

fn words(row: &relay::Relay) -> String {
    match row.outcome {
        Outcome::Ok => format!("{} to and fro", time(row.p50_us)),
        Outcome::Skipped => format!("skipped: {}", row.reason),
        Outcome::Failed => row.reason.clone(),
    }
}
