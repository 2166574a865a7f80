//! One run, from the plan to the summary and the files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::{ClockState, ClockWatch, Closing, Identity, Trust, Workload};
use crate::engine::{self, Found, Witness};
use crate::failure::Failure;
use crate::plan::{Load, Plan};
use crate::progress::Progress;
use crate::recorder::Interval;
use crate::records::{Draft, IntervalLog, Origin, Pen, RequestLog, Series, Tag, write_file};
use crate::report::{self, Folder, Summary};
use crate::sources::{self, Sources};
use crate::{limits, server_stats};

/// Carries out a plan, after everything the host could refuse has been asked for.
///
/// # Errors
/// If this host can't do what the plan needs, or no connection at all could be made.
pub fn measure(plan: &Plan, progress: &mut Progress) -> Result<(Summary, Found), Failure> {
    let found = carry_out(plan, progress, &mut (), Vec::new())?;
    Ok((report::summarise(plan, &found), found))
}

/// What is written down of a run, besides its summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The times of each second.
    Seconds,
    /// Every request too.
    Requests,
}

/// Like [`measure`], and writes the files of the run into a folder.
///
/// # Errors
/// Those of [`measure`], and if something can't be written.
pub fn record(
    plan: &Plan,
    progress: &mut Progress,
    folder: &Folder,
    detail: Detail,
) -> Result<(Summary, Found), Failure> {
    let clock = ClockState::read()?;
    clock.check(plan.seat, plan.trust)?;
    let identity = identity(plan, clock);
    let mut diary = Diary::new(folder.path(), &identity);
    let threads = match detail {
        Detail::Seconds => None,
        Detail::Requests => Some(plan.threads),
    };
    let log = threads
        .map(|threads| RequestLog::create(&folder.path().join("requests.log"), &identity, threads));
    let (log, pens) = log.transpose()?.map_or((None, Vec::new()), |(log, pens)| (Some(log), pens));
    let found = carry_out(plan, progress, &mut diary, pens)?;
    let summary = report::summarise(plan, &found);
    diary.close(&found)?;
    if let Some(log) = log {
        let written = log.finish(Duration::from_nanos(found.elapsed_ns))?;
        if written.missing > 0 {
            eprintln!(
                "loadgen: requests.log misses {} of {} requests, since the disk could not keep up",
                written.missing,
                written.missing + written.records
            );
        }
    }
    let spectrum = crate::records::percentiles(found.recorder.latency.histogram());
    write_file(&folder.path().join("latency.hgrm"), spectrum.as_bytes())?;
    folder.write(&summary, &found)?;
    Ok((summary, found))
}

/// The run, and what the server has counted in it.
fn carry_out(
    plan: &Plan,
    progress: &mut Progress,
    witness: &mut dyn Witness,
    pens: Vec<Pen>,
) -> Result<Found, Failure> {
    let sources = prepare_host(plan)?;
    let counted = || plan.server_stats.as_ref().map(server_stats::answered).transpose();
    let before = counted()?;
    let mut found = engine::run(plan, &sources, progress, witness, pens)?;
    // The first question was one of the requests that were answered in between.
    let between = |(before, after): (u64, u64)| after.saturating_sub(before + 1);
    found.server_answered = before.zip(counted()?).map(between);
    Ok(found)
}

fn prepare_host(plan: &Plan) -> Result<Sources, Failure> {
    limits::admit(plan)?;
    if !plan.cpus.is_empty() {
        engine::pin(&plan.cpus)?;
    }
    Sources::new(plan, sources::local_ports())
}

fn identity(plan: &Plan, clock: ClockState) -> Identity {
    let workload = match &plan.load {
        Load::Open(schedule) => Workload {
            schedule: format!("{:016x}", schedule.fingerprint()),
            rate: Some(schedule.rate),
        },
        Load::Closed(think) => Workload {
            schedule: format!("closed {think:?} {} x {}", plan.connections, plan.depth),
            rate: None,
        },
    };
    let trust: Trust = plan.trust;
    let watch = ClockWatch::begin();
    Identity::of_this_process(plan.seat, workload, plan.start_at, (clock, trust), &watch)
}

/// The interval log, a line a second and series.
struct Diary<'a> {
    path: PathBuf,
    identity: &'a Identity,
    log: Option<IntervalLog<Draft>>,
    open: Duration,
    /// What went wrong while nobody could be told.
    trouble: Option<Failure>,
}

impl<'a> Diary<'a> {
    fn new(folder: &Path, identity: &'a Identity) -> Self {
        let path = folder.join(format!("r{}.hlog", identity.rank));
        Self { path, identity, log: None, open: Duration::ZERO, trouble: None }
    }

    /// The last thing that is written: what is known at the end only.
    fn close(self, found: &Found) -> Result<(), Failure> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        let requests = found.recorder.counts.requests;
        let (elapsed_ns, clock_step_ns) = (found.elapsed_ns, found.clock_step_ns as i64);
        let closing = Closing { elapsed_ns, clock_step_ns, requests };
        self.log.map_or(Ok(()), |log| log.finish(&closing))
    }

    fn try_second(&mut self, number: u64, interval: &Interval) -> Result<(), Failure> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let tag = |series| Tag { origin: Origin::Rank(self.identity.rank), series };
        let all = [
            (tag(Series::Response), interval.latency.histogram()),
            (tag(Series::Service), interval.service.histogram()),
            (tag(Series::Lag), interval.lag.histogram()),
        ];
        // In a closed loop the last two don't differ from the first, and from zero.
        let series = if self.identity.workload.rate.is_some() { &all[..] } else { &all[..1] };
        log.second(self.open + Duration::from_secs(number), Duration::from_secs(1), series)
    }
}

impl Witness for Diary<'_> {
    fn begins(&mut self, open: Duration) {
        self.open = open;
        match IntervalLog::create(&self.path, self.identity, open) {
            Ok(log) => self.log = Some(log),
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn second(&mut self, number: u64, interval: &Interval) {
        if self.trouble.is_none() {
            self.trouble = self.try_second(number, interval).err();
        }
    }
}
