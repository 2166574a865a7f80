//! Threads that do jobs, and never more jobs than there are threads.
//!
//! A job takes a thread at the moment it is accepted, not when a thread gets round to it, and gives
//! it back before anybody is told that it is done. So whoever hears that a thread is free can be
//! sure of it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How many jobs that are done are remembered, so that they are not done again.
const REMEMBERED: usize = 1 << 16;

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which one.
    pub id: u64,
    /// How long it takes: it sleeps.
    pub work: Duration,
}

/// What becomes of a job that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A thread does it.
    Accepted,
    /// All threads are busy: whoever sent it is wrong about that.
    OverCapacity,
    /// A thread is doing it already.
    Running,
    /// It has been done.
    Done,
}

/// What a thread has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins with a job.
    Began(Job),
    /// It has done a job, and is free.
    Finished {
        /// Which one.
        id: u64,
        /// How long all jobs have taken until now, added up.
        slept: Duration,
    },
}

/// What a pool has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Jobs done.
    pub done: u64,
    /// How long they were to take, added up, in microseconds.
    pub slept_microseconds: u64,
    /// Most jobs at the same time.
    pub most_at_once: u16,
    /// Jobs refused because all threads were busy.
    pub over_capacity: u64,
    /// Jobs that came again while they were being done, or later.
    pub repeated: u64,
    /// Jobs given up because the pool was closed.
    pub abandoned: u64,
}

/// Threads that do jobs. It has none of its own: they come by [`Pool::work`].
#[derive(Debug, Default)]
pub struct Pool {
    capacity: u16,
    desk: Mutex<Desk>,
    /// A job has come, for a thread that has none.
    offered: Condvar,
    /// For a thread that sleeps.
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    /// Accepted, and no thread has begun with it.
    next: VecDeque<Job>,
    /// Accepted, and not done.
    running: HashSet<u64>,
    remembered: HashSet<u64>,
    /// The same, the oldest first.
    order: VecDeque<u64>,
    closed: bool,
    tally: Tally,
}

impl Pool {
    /// For so many threads.
    #[must_use]
    pub fn new(capacity: u16) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Gives it a job, if a thread is free.
    pub fn offer(&self, job: Job) -> Answer {
        let mut desk = self.desk();
        let answer = if desk.running.contains(&job.id) {
            Answer::Running
        } else if desk.remembered.contains(&job.id) {
            Answer::Done
        } else if desk.running.len() >= self.capacity.into() {
            Answer::OverCapacity
        } else {
            Answer::Accepted
        };
        match answer {
            Answer::Accepted => {
                desk.accept(job);
                self.offered.notify_one();
            }
            Answer::OverCapacity => desk.tally.over_capacity += 1,
            Answer::Running | Answer::Done => desk.tally.repeated += 1,
        }
        answer
    }

    /// How many threads have no job.
    #[must_use]
    pub fn free(&self) -> u16 {
        // Never more than `capacity` are running.
        self.capacity - self.desk().running.len() as u16
    }

    /// What it has done.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let desk = self.desk();
        let abandoned = if desk.closed { desk.running.len() as u64 } else { 0 };
        Tally { abandoned, ..desk.tally }
    }

    /// Sends the threads home, also from the middle of a job.
    pub fn close(&self) {
        self.desk().closed = true;
        self.offered.notify_all();
        self.closed.notify_all();
    }

    /// Makes this thread one of the pool, until it is closed.
    pub fn work(&self, mut say: impl FnMut(Event)) {
        while let Some(job) = self.next() {
            say(Event::Began(job));
            if !self.sleep(job.work) {
                return;
            }
            let slept = self.desk().finish(job);
            say(Event::Finished { id: job.id, slept });
        }
    }

    fn next(&self) -> Option<Job> {
        let idle = |desk: &mut Desk| desk.next.is_empty() && !desk.closed;
        let mut desk =
            self.offered.wait_while(self.desk(), idle).unwrap_or_else(PoisonError::into_inner);
        if desk.closed { None } else { desk.next.pop_front() }
    }

    /// Whether it slept to the end.
    fn sleep(&self, work: Duration) -> bool {
        let end = Instant::now() + work;
        let mut desk = self.desk();
        while !desk.closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let woken = self.closed.wait_timeout(desk, left);
            desk = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn accept(&mut self, job: Job) {
        self.next.push_back(job);
        self.running.insert(job.id);
        self.tally.most_at_once = self.tally.most_at_once.max(self.running.len() as u16);
    }

    /// Frees the thread of a job. Returns how long all have taken.
    fn finish(&mut self, job: Job) -> Duration {
        self.running.remove(&job.id);
        self.remembered.insert(job.id);
        self.order.push_back(job.id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.remembered.remove(&oldest);
        }
        self.tally.done += 1;
        self.tally.slept_microseconds += job.work.as_micros() as u64;
        Duration::from_micros(self.tally.slept_microseconds)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn job(id: u64, milliseconds: u64) -> Job {
        Job { id, work: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn a_job_takes_a_thread_at_once_and_only_as_many_as_there_are() {
        let pool = Pool::new(2);
        let answers = [1, 2, 3].map(|id| pool.offer(job(id, 0)));
        assert_eq!(answers, [Answer::Accepted, Answer::Accepted, Answer::OverCapacity]);
        // No thread has begun with anything.
        assert_eq!((pool.free(), pool.tally().over_capacity), (0, 1));
    }

    #[test]
    fn a_job_is_done_once_however_often_it_comes() {
        let pool = Pool::new(1);
        let (said, events) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| pool.work(|event| said.send(event).unwrap()));
            assert_eq!(pool.offer(job(7, 3)), Answer::Accepted);
            assert_eq!(events.recv().unwrap(), Event::Began(job(7, 3)));
            let slept = Duration::from_millis(3);
            assert_eq!(events.recv().unwrap(), Event::Finished { id: 7, slept });
            // Whoever hears that may send the next one.
            assert_eq!(pool.offer(job(7, 3)), Answer::Done);
            assert_eq!(pool.offer(job(8, 0)), Answer::Accepted);
            events.iter().find(|event| matches!(event, Event::Finished { id: 8, .. }));
            pool.close();
        });
        let expected = Tally {
            done: 2,
            slept_microseconds: 3_000,
            most_at_once: 1,
            repeated: 1,
            ..Tally::default()
        };
        assert_eq!(pool.tally(), expected);
    }

    #[test]
    fn a_job_that_runs_is_not_begun_again() {
        let pool = Pool::new(2);
        pool.offer(job(7, 0));
        assert_eq!(pool.offer(job(7, 0)), Answer::Running);
        assert_eq!((pool.free(), pool.tally().repeated), (1, 1));
    }

    #[test]
    fn closing_wakes_who_sleeps_and_who_waits() {
        let pool = Pool::new(2);
        let (said, events) = mpsc::channel();
        thread::scope(|scope| {
            let say = said.clone();
            scope.spawn(|| pool.work(move |event| say.send(event).unwrap()));
            scope.spawn(|| pool.work(move |event| said.send(event).unwrap()));
            pool.offer(job(1, 3_600_000));
            assert_eq!(events.recv().unwrap(), Event::Began(job(1, 3_600_000)));
            pool.close();
        });
        assert_eq!((pool.tally().abandoned, pool.tally().done), (1, 0));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut desk = Desk::default();
        for id in 0..REMEMBERED as u64 + 10 {
            desk.accept(job(id, 0));
            desk.finish(job(id, 0));
        }
        assert_eq!((desk.remembered.len(), desk.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!desk.remembered.contains(&9) && desk.remembered.contains(&10));
    }
}
