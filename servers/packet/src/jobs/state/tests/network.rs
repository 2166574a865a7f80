//! Many jobs over a network that loses, doubles and delays messages: each one done once all the
//! same.

use std::collections::HashSet;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

/// How bad the network is: each is a chance in a hundred.
#[derive(Clone, Copy)]
struct Weather {
    lost: u32,
    doubled: u32,
    overtaken: u32,
}

const FINE: Weather = Weather { lost: 0, doubled: 0, overtaken: 0 };
const FOUL: Weather = Weather { lost: 5, doubled: 5, overtaken: 50 };

/// A step of the simulation; a job takes a few.
const STEP: Duration = Duration::from_millis(1);
const CAPACITY: usize = 5;

/// A server as it should be: it knows which jobs it had, and does none twice.
#[derive(Default)]
struct Pool {
    running: Vec<u64>,
    had: HashSet<u64>,
}

struct Simulation {
    desk: Desk,
    random: SmallRng,
    weather: Weather,
    pools: Vec<Pool>,
    /// Messages on their way, with the sender or the receiver.
    to_balancer: VecDeque<(u8, Message)>,
    to_pools: VecDeque<(SocketAddr, Message)>,
    done: Vec<u64>,
}

impl Simulation {
    fn new(seed: u64, weather: Weather) -> Self {
        Self {
            desk: Desk::new(Limits::default()),
            random: SmallRng::seed_from_u64(seed),
            weather,
            pools: (0..3).map(|_| Pool::default()).collect(),
            to_balancer: VecDeque::new(),
            to_pools: VecDeque::new(),
            done: Vec::new(),
        }
    }

    fn chance(&mut self, of_a_hundred: u32) -> bool {
        self.random.random_range(0..100) < of_a_hundred
    }

    /// Which of `count` messages comes next: the first, if none overtakes it.
    fn next_of(&mut self, count: usize) -> usize {
        let overtaken = count > 0 && self.chance(self.weather.overtaken);
        if overtaken { self.random.random_range(0..count) } else { 0 }
    }

    /// Puts a message of a server on its way, perhaps twice, perhaps not at all.
    fn say(&mut self, number: u8, message: Message) {
        if !self.chance(self.weather.lost) {
            self.to_balancer.push_back((number, message));
        }
        if self.chance(self.weather.doubled) {
            self.to_balancer.push_back((number, message));
        }
    }

    fn heartbeats(&mut self) {
        for number in 1..=3 {
            self.say(number, Message::register(self.free(number), 1));
        }
    }

    fn free(&self, number: u8) -> u16 {
        (CAPACITY - self.pools[usize::from(number) - 1].running.len()) as u16
    }

    /// Up to three jobs arrive and three end; the balancer keeps up with what is said of them.
    fn step(&mut self) {
        self.desk.now += STEP;
        if self.desk.now.as_millis().is_multiple_of(200) {
            self.heartbeats();
        }
        for _ in 0..3 {
            (0..4).for_each(|_| self.balancer_hears());
            self.pool_hears();
            self.job_ends();
        }
    }

    fn balancer_hears(&mut self) {
        let at = self.next_of(self.to_balancer.len());
        let Some((from, message)) = self.to_balancer.remove(at) else { return };
        let decision = self.desk.hear(from, message);
        self.send(decision);
    }

    fn send(&mut self, decision: Decision) {
        if let Decision::Send { to, job } = decision
            && !self.chance(self.weather.lost)
        {
            self.to_pools.push_back((to, job));
        }
    }

    fn pool_hears(&mut self) {
        let at = self.next_of(self.to_pools.len());
        let Some((to, job)) = self.to_pools.remove(at) else { return };
        let number = (1..=3).find(|number| address(*number) == to).unwrap();
        let pool = &mut self.pools[usize::from(number) - 1];
        if pool.had.insert(job.id) {
            pool.running.push(job.id);
            assert!(pool.running.len() <= CAPACITY, "more than it can do");
        } else if !pool.running.contains(&job.id) {
            self.say(number, Message::done(job.id, 1));
        }
        if job.more == More::Waiting && self.free(number) > 0 {
            self.say(number, Message::register(self.free(number), 1));
        }
    }

    fn job_ends(&mut self) {
        let number = self.random.random_range(1..=3_u8);
        let pool = &mut self.pools[usize::from(number) - 1];
        if pool.running.is_empty() || self.random.random_range(0..3) == 0 {
            return;
        }
        let at = self.random.random_range(0..pool.running.len());
        let id = pool.running.swap_remove(at);
        self.done.push(id);
        self.say(number, Message::done(id, 1));
    }

    /// Submits `jobs`, as fast as the queue has room, and waits for the last one.
    fn run(&mut self, jobs: u64) {
        for id in 0..jobs {
            while self.desk.state.queue.len() >= 1_024 {
                self.step();
            }
            let decision = self.desk.submit(id);
            self.send(decision);
            if self.chance(40) {
                self.step();
            }
        }
        let patience = self.desk.now + Duration::from_secs(600);
        while self.desk.counts().done < jobs && self.desk.now < patience {
            self.step();
        }
    }

    /// None twice, none missing.
    fn assert_each_done_once(&mut self, jobs: u64) {
        self.done.sort_unstable();
        assert!(self.done.iter().copied().eq(0..jobs), "{} of {jobs}", self.done.len());
        let counts = self.desk.counts();
        assert_eq!((counts.done, counts.rejected, counts.lost), (jobs, 0, 0));
    }
}

#[test]
fn a_hundred_thousand_jobs_are_each_done_once_and_never_more_than_fit_at_once() {
    let mut simulation = Simulation::new(1, FINE);
    simulation.run(100_000);
    simulation.assert_each_done_once(100_000);
    let counts = simulation.desk.counts();
    assert_eq!((counts.sent, counts.stray, counts.repeated), (100_000, 0, 0));
}

#[test]
fn messages_lost_doubled_and_delayed_cost_time_and_no_job() {
    for seed in 0..5 {
        let mut simulation = Simulation::new(seed, FOUL);
        simulation.run(5_000);
        simulation.assert_each_done_once(5_000);
        let counts = simulation.desk.counts();
        assert!(counts.stray > 0 && counts.repeated > 0, "{counts:?}");
    }
}

/// Jobs against a model of the queue that only counts.
#[test]
fn the_number_of_rejected_jobs_is_exact() {
    let mut random = SmallRng::seed_from_u64(3);
    let mut desk = Desk::with_servers(&[5, 5, 5]);
    let (mut waiting, mut rejected, mut next, mut next_done) = (0, 0, 0, 0);
    let mut at: Vec<(u8, u64)> = Vec::new();
    for _ in 0..200_000 {
        // More jobs come than go: the queue fills, and stays full for most of the time.
        let decision = if random.random_range(0..100) < 55 {
            next += 1;
            match (at.len() < 15, waiting < 1_024) {
                (true, _) => (),
                (false, true) => waiting += 1,
                (false, false) => rejected += 1,
            }
            desk.submit(next)
        } else if at.is_empty() {
            continue;
        } else {
            let (number, id) = at.swap_remove(random.random_range(0..at.len()));
            waiting -= u64::from(waiting > 0);
            next_done += 1;
            desk.done(number, id)
        };
        if let Decision::Send { to, job } = decision {
            let number = (1..=3).find(|number| address(*number) == to).unwrap();
            at.push((number, job.id));
        }
    }
    let counts = desk.counts();
    assert!(rejected > 10_000);
    assert_eq!((counts.rejected, counts.waiting, counts.done), (rejected, waiting, next_done));
}
