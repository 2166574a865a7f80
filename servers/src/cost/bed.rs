//! The test bed: TCP connections over loopback, some of them watched, some of those active.
//!
//! All watched connections are alike, and those of one condition are the first so many: then
//! neither the numbers of their descriptors nor their lines in a list have gaps. The active ones
//! lie evenly among them, where `active` random ones would lie on average: select(2) and poll(2)
//! ask descriptors to call back only up to the first that is ready, and a pass over a list may end
//! at the last.
//!
//! In a round each active connection gets one octet, and only when all have arrived is the clock
//! started. It is stopped when the poller has returned. Reading the octets, and asking again where
//! the poller wants to be asked, come after that.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::far::FarEnds;
use super::room::{Reach, Room, Skip};
use super::sitters::{Sitter, watch};
use super::{ACTIVE_MAX, dial};
use crate::connection::Interest;
use crate::drive::poller::{Block, Event, Poller, Token, Trigger};

/// Connections made at a time: fewer than a listener lets wait.
const BATCH: usize = 64;
/// How long an octet may take over loopback. It takes microseconds, but the host may be busy.
const ARRIVAL: Duration = Duration::from_secs(10);

/// What one round took.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The wait, with the translation of what the kernel said into events, and one reading of the
    /// clock.
    pub wait: Duration,
    /// Asking for all active descriptors again, where the trigger is one-shot.
    pub rearm: Option<Duration>,
}

/// A connection that is spoken on.
struct Active {
    /// Its place among the watched ones.
    place: usize,
    far: TcpStream,
}

/// Connections, and the poller that watches them.
pub struct Bed<P: Poller> {
    poller: Arc<Mutex<P>>,
    near: Vec<TcpStream>,
    registered: usize,
    sitters: Vec<Sitter<P>>,
    far: FarEnds,
    active: Vec<Active>,
    events: Vec<Event>,
    /// Why there are not as many connections as were asked for.
    end: Option<Skip>,
}

impl<P: Poller + Send + 'static> Bed<P> {
    /// Makes `watched` connections, or as many as `P` can watch.
    ///
    /// # Errors
    /// When the kernel refuses one: which, and what to do.
    pub fn new(watched: usize, reach: Reach) -> anyhow::Result<Self> {
        let room = Room::look(reach);
        let poller = Arc::new(Mutex::new(P::new().context("cannot make the poller")?));
        let far = FarEnds::open()?;
        let here = watched.min(room.here);
        // Reach are copied when they part; so all part before there is anything to copy.
        let elsewhere = room.elsewhere(watched - here);
        let first = |number: usize| u32::try_from(here + number * room.each);
        let sitters = (0..elsewhere.len())
            .map(|number| Ok(Sitter::open(&poller, first(number)?)?))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let events = Vec::with_capacity(ACTIVE_MAX);
        let (near, active) = (Vec::with_capacity(here), Vec::with_capacity(ACTIVE_MAX));
        let end = room.end(watched);
        let mut bed = Self { poller, near, registered: 0, sitters, far, active, events, end };
        bed.fill(here)?;
        for (sitter, seats) in bed.sitters.iter_mut().zip(elsewhere) {
            sitter.fill(u32::try_from(seats)?)?;
        }
        Ok(bed)
    }

    /// Makes `count` connections with their near ends in this table, in ascending order of
    /// descriptors.
    fn fill(&mut self, count: usize) -> anyhow::Result<()> {
        let listener = dial::listener()?;
        let address = listener.local_addr()?;
        let ceiling = P::CEILING.map_or(usize::MAX, |ceiling| ceiling as usize);
        while self.near.len() < count {
            let batch = BATCH.min(count - self.near.len());
            for from in self.far.connect(address, batch)? {
                let near = dial::accept(&listener, from)
                    .with_context(|| format!("cannot accept connection {}", self.near.len()))?;
                if dial::number(&near) >= ceiling {
                    self.end = Some(Skip::Ceiling { ceiling, room: self.near.len() });
                    return Ok(());
                }
                self.near.push(near);
            }
        }
        Ok(())
    }

    /// Whether so many can be watched, or why not.
    ///
    /// # Errors
    /// The reason.
    pub fn holds(&self, watched: usize) -> Result<(), Skip> {
        let there = self.near.len() + self.sitters.iter().map(|s| s.seats).sum::<usize>();
        match self.end {
            Some(end) if watched > there => Err(end),
            _ => Ok(()),
        }
    }

    /// How many descriptor tables the watched connections are in.
    #[must_use]
    pub fn tables(&self) -> usize {
        1 + self.sitters.len()
    }

    /// One more than the highest watched descriptor of this table: what select(2) is told.
    #[must_use]
    pub fn highest(&self) -> usize {
        self.registered.checked_sub(1).map_or(0, |last| dial::number(&self.near[last]) + 1)
    }

    /// Has `idle + active` connections watched, and makes `active` of them those that are spoken
    /// on.
    ///
    /// # Errors
    /// When there are not so many, and when the kernel refuses.
    pub fn arrange(&mut self, idle: usize, active: usize) -> anyhow::Result<()> {
        ensure!((1..=ACTIVE_MAX).contains(&active), "active connections: 1 to {ACTIVE_MAX}");
        let watched = idle + active;
        self.holds(watched).map_err(|skip| anyhow::anyhow!("{skip}"))?;
        self.register(watched).context("cannot have the connections watched")?;
        self.settle(watched)?;
        self.active.clear();
        for place in places(watched.min(self.near.len()), active) {
            let far = self.far.fetch(place).context("cannot fetch a far end")?;
            self.active.push(Active { place, far });
        }
        Ok(())
    }

    fn register(&mut self, wanted: usize) -> io::Result<()> {
        let here = wanted.min(self.near.len());
        let mut rest = wanted - here;
        watch(&mut *lock(&self.poller), &self.near, 0, &mut self.registered, here)?;
        for sitter in &self.sitters {
            let share = rest.min(sitter.seats);
            sitter.register(share)?;
            rest -= share;
        }
        Ok(())
    }

    /// Takes the reports that are due by now: an edge-triggered poller reports each new connection
    /// once as ready for writing.
    fn settle(&mut self, watched: usize) -> anyhow::Result<()> {
        for _ in 0..=watched {
            self.events.clear();
            lock(&self.poller).wait(&mut self.events, Block::No)?;
            if self.events.is_empty() {
                return Ok(());
            }
        }
        bail!("connections that nobody has spoken on keep being reported as ready")
    }

    /// Makes the active connections ready, waits once, and puts everything back.
    ///
    /// # Errors
    /// When anything but the active connections is reported.
    pub fn round(&mut self) -> anyhow::Result<Round> {
        self.stir()?;
        self.events.clear();
        let mut poller = lock(&self.poller);
        let start = Instant::now();
        poller.wait(&mut self.events, Block::Yes)?;
        let wait = start.elapsed();
        drop(poller);
        self.check()?;
        self.rest()?;
        Ok(Round { wait, rearm: self.rearm()? })
    }

    /// One octet for each active connection; returns when all are there.
    fn stir(&mut self) -> anyhow::Result<()> {
        for active in &mut self.active {
            active.far.write_all(&[0]).context("cannot write to a far end")?;
        }
        self.active.iter().try_for_each(|active| arrival(&self.near[active.place]))
    }

    /// Whether the active connections were reported, as ready for reading, and no others.
    fn check(&mut self) -> anyhow::Result<()> {
        self.events.sort_unstable_by_key(|event| event.token.slot);
        let expected = self.active.iter().map(|active| (active.place as u64, true));
        let reported =
            self.events.iter().map(|event| (u64::from(event.token.slot), event.ready.read));
        let (found, active) = (self.events.len(), self.active.len());
        ensure!(expected.eq(reported), "{active} connections were active, and {found} reported");
        Ok(())
    }

    fn rest(&self) -> anyhow::Result<()> {
        for active in &self.active {
            let count = (&self.near[active.place]).read(&mut [0; 16])?;
            ensure!(count == 1, "{count} octets where one was sent");
        }
        Ok(())
    }

    fn rearm(&self) -> io::Result<Option<Duration>> {
        if P::TRIGGER != Trigger::Oneshot {
            return Ok(None);
        }
        let mut poller = lock(&self.poller);
        let start = Instant::now();
        for active in &self.active {
            let token = Token { slot: active.place as u32, generation: 0 };
            poller.modify(self.near[active.place].as_fd(), token, Interest::Read)?;
        }
        Ok(Some(start.elapsed()))
    }
}

impl<P: Poller> Drop for Bed<P> {
    fn drop(&mut self) {
        // Nothing is closed that a poller still has. Sitters' connections are known to the kernel
        // only.
        let mut poller = lock(&self.poller);
        self.near[..self.registered].iter().for_each(|near| poller.forget(near.as_fd()));
    }
}

fn lock<P>(poller: &Mutex<P>) -> MutexGuard<'_, P> {
    poller.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the active ones are among the watched ones: the mean places of so many random ones.
fn places(watched: usize, active: usize) -> impl Iterator<Item = usize> {
    (1..=active).map(move |number| number * (watched + 1) / (active + 1) - 1)
}

/// Returns when an octet is there. Over loopback it is as soon as it was sent, unless the kernel
/// has put off its work.
fn arrival(near: &TcpStream) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match near.peek(&mut [0]) {
            Ok(1) => return Ok(()),
            Ok(_) => bail!("a far end was closed"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("cannot look whether an octet has arrived"),
        }
        ensure!(start.elapsed() < ARRIVAL, "an octet has not arrived over loopback");
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Edge, Epoll, Level, Oneshot, Poll, Portable, Select, SelectWide};

    #[test]
    fn active_ones_lie_evenly_and_apart() {
        assert_eq!(places(9, 1).collect::<Vec<_>>(), [4]);
        assert_eq!(places(9, 4).collect::<Vec<_>>(), [1, 3, 5, 7]);
        for (watched, active) in [(1, 1), (7, 7), (300, 256), (19_000, 256)] {
            let all = places(watched, active).collect::<Vec<_>>();
            assert!(all.windows(2).all(|two| two[0] < two[1]) && all[active - 1] < watched);
        }
    }

    /// [`Bed::round`] fails when anything but the active ones is reported; and the count is looked
    /// at once more here.
    fn reports_the_active_ones_only<P: Poller + Send + 'static>() {
        let mut bed = Bed::<P>::new(40 + ACTIVE_MAX, Reach::OneTable).unwrap();
        for (idle, active) in [(0, 1), (40, ACTIVE_MAX), (3, 2), (40, 1), (0, 7)] {
            bed.arrange(idle, active).unwrap();
            for _ in 0..5 {
                let round = bed.round().unwrap();
                assert_eq!(bed.events.len(), active, "beside {idle} idle ones");
                assert_eq!(round.rearm.is_some(), P::TRIGGER == Trigger::Oneshot);
            }
        }
    }

    #[test]
    fn every_poller_reports_the_active_ones_only() {
        reports_the_active_ones_only::<Select>();
        reports_the_active_ones_only::<SelectWide>();
        reports_the_active_ones_only::<Poll>();
        reports_the_active_ones_only::<Epoll<Level>>();
        reports_the_active_ones_only::<Epoll<Edge>>();
        reports_the_active_ones_only::<Epoll<Oneshot>>();
        reports_the_active_ones_only::<Portable>();
    }

    #[test]
    fn what_is_reported_and_was_not_spoken_on_is_an_error() {
        let mut bed = Bed::<Epoll<Level>>::new(3, Reach::OneTable).unwrap();
        bed.arrange(2, 1).unwrap();
        bed.far.fetch(0).unwrap().write_all(b"!").unwrap();
        let words = bed.round().unwrap_err().to_string();
        assert_eq!(words, "1 connections were active, and 2 reported");
    }

    #[test]
    fn an_octet_that_does_not_come_is_not_waited_for_in_the_poller() {
        let mut bed = Bed::<Poll>::new(1, Reach::OneTable).unwrap();
        bed.arrange(0, 1).unwrap();
        bed.active[0].far.shutdown(std::net::Shutdown::Both).unwrap();
        assert!(bed.round().is_err());
    }
}
