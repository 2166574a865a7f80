//! Runs made up for tests: clean ones, in which a defect can be planted.

use crate::cli::plan_of;
use crate::engine::{Found, Tally};
use crate::memory::Growth;
use crate::plan::Plan;
use crate::recorder::{Counts, Recorder};
use crate::report::{ThreadUse, Usage};
use crate::schedule::Lane;
use crate::statistics::Slices;
use crate::statistics::chance::Chance;

pub(super) const MILLISECOND: u64 = 1_000_000;

/// The length of the measuring phase: ten seconds.
const PHASE_NS: u64 = 10_000 * MILLISECOND;

/// A plan, and what was found when it was carried out.
pub(super) struct Scene {
    pub(super) plan: Plan,
    pub(super) found: Found,
}

impl Scene {
    /// Ten connections, a thousand Poisson arrivals a second, and a server that needs 1 ms and
    /// something for each.
    pub(super) fn open() -> Self {
        Self::open_seeded(1)
    }

    pub(super) fn open_seeded(seed: u64) -> Self {
        Self::open_as(&format!("-R 1000 --arrivals poisson --seed {seed}"))
    }

    pub(super) fn open_as(arguments: &str) -> Self {
        let plan = plan(arguments);
        let crate::plan::Load::Open(schedule) = &plan.load else { panic!("an open loop") };
        let lead = schedule.lead.as_nanos() as u64;
        let measured = lead..lead + PHASE_NS;
        let mut chance = Chance::new(schedule.seed);
        let mut found = Self::nothing();
        let arrivals = schedule.arrivals(Lane { index: 0, of: 1 });
        let planned = arrivals.take_while(|at| *at < measured.end).filter(|at| *at >= lead);
        for (turn, planned) in planned.enumerate() {
            let lag = 5_000 + chance.exponential(8_000.0) as u64;
            let sent = planned - lead + lag;
            let service = MILLISECOND + chance.exponential(1e6) as u64;
            found.sends.push(sent);
            found.recorder.lag.record(lag);
            found.recorder.service.record(service);
            found.answer(turn % 10, sent, service, lag);
        }
        found.sends.sort_unstable();
        found.close();
        Self { plan, found }
    }

    /// Ten connections, each of which asks again as soon as it is answered.
    pub(super) fn closed() -> Self {
        Self::closed_as("-c 10")
    }

    pub(super) fn closed_as(arguments: &str) -> Self {
        let plan = plan(arguments);
        let mut chance = Chance::new(plan.seed);
        let mut found = Self::nothing();
        for connection in 0..10 {
            let mut at = 0;
            while at < PHASE_NS {
                let service = MILLISECOND + chance.exponential(1e6) as u64;
                if at + service < PHASE_NS {
                    found.answer(connection, at, service, 0);
                } else {
                    found.in_flight_ns += u128::from(PHASE_NS - at);
                    found.recorder.counts.requests.outstanding += 1;
                }
                at += service;
            }
        }
        found.close();
        Self { plan, found }
    }

    /// A run in which nothing happened.
    pub(super) fn nothing() -> Found {
        Found {
            recorder: Recorder::default(),
            before: Counts::default(),
            tallies: vec![Tally::default(); 10],
            established: 10,
            abandoned: 0,
            idle: 0,
            elapsed_ns: PHASE_NS,
            client: Usage::default(),
            server: None,
            path: None,
            memory: Growth::default(),
            threads: Vec::new(),
            answers: 0,
            alive: 10,
            in_flight_ns: 0,
            cut: 0,
            replies: 0,
            server_answered: None,
            sends: Vec::new(),
            slices: Slices::new(Some(PHASE_NS)),
            seconds: Vec::new(),
            queue_longest: 0,
            clock_step_ns: 0,
            interrupted: false,
        }
    }
}

fn plan(arguments: &str) -> Plan {
    let connections = if arguments.contains("-c ") { "" } else { "-c 10" };
    let length = if arguments.contains("--count") { "" } else { "-d 10s" };
    plan_of(&format!("tcp://127.0.0.1:7 {connections} {length} {arguments}")).expect("a plan")
}

impl Found {
    /// A request was sent at that time of the phase, and answered.
    fn answer(&mut self, connection: usize, sent: u64, service: u64, lag: u64) {
        let (end, latency) = (sent + service, lag + service);
        self.recorder.counts.requests.answered += 1;
        self.recorder.latency.record(latency);
        self.slices.record(end, latency);
        self.in_flight_ns += u128::from(end.min(PHASE_NS).saturating_sub(sent));
        let late = end > PHASE_NS;
        self.answers += u64::from(!late);
        self.recorder.counts.requests.late += u64::from(late);
        let tally = &mut self.tallies[connection];
        tally.answered += 1;
        tally.silence_ns = tally.silence_ns.max(service);
    }

    /// The run is over.
    fn close(&mut self) {
        let requests = &mut self.recorder.counts.requests;
        requests.sent = requests.answered + requests.outstanding;
        self.threads = vec![ThreadUse {
            cpu_ns: self.elapsed_ns / 3,
            spun_ns: 0,
            delayed_ns: self.elapsed_ns / 200,
        }];
    }
}
