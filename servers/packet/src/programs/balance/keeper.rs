//! What user space does for the balancer: it makes the maps and reads the counts.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::counts::Row;
use super::layout::{self, Record, Slot, Threads};
use super::{Count, IN_FLIGHT, Parameters, SERVERS, code};
use crate::bpf::{Error, Kind, Map, Program, Shared, Type};
use crate::jobs::state::Counts;

/// Room for some 4,000 events and their heads.
const EVENTS_SIZE: u32 = 1 << 18;

/// A balancer in the kernel, and what user space shares with it.
#[derive(Debug)]
pub struct Keeper {
    /// To be attached to an interface.
    pub program: Program,
    /// An [`super::Event`] for each message, with [`crate::programs::filter::Trace::On`].
    pub events: Map,
    pub(super) slots: Shared<Slot>,
    pub(super) places: Map,
    pub(super) spare: Map,
    pub(super) jobs: Map,
    counts: Map,
    patience: u64,
    /// Jobs of servers whose slot was taken.
    pub(super) evicted: AtomicU64,
    /// Jobs sent once more.
    pub(super) repeated: AtomicU64,
    _maps: [Map; 2],
}

/// A server, as the balancer sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Server {
    /// Where it is.
    pub address: SocketAddrV4,
    /// How many threads it has.
    pub capacity: u16,
    /// How many of them have no job.
    pub free: u16,
    /// How many jobs it was given.
    pub given: u64,
    /// How many of them it has done.
    pub done: u64,
    /// Whether it was heard of lately.
    pub health: Health,
}

/// Whether a server was heard of lately.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Health {
    /// It was.
    Alive,
    /// It was silent for longer than the balancer has patience.
    Dead,
}

impl Health {
    pub(super) fn is_alive(self) -> bool {
        self == Self::Alive
    }
}

impl Keeper {
    /// Makes the maps, and loads the program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(parameters: &Parameters) -> Result<Self, Error> {
        let slots = Map::shared_array(layout::SLOTS, size_of::<Slot>() * SERVERS as usize, 1)?;
        let places = Map::new(layout::PLACES, Kind::Hash, [8, 4], SERVERS)?;
        let spare = Map::new(layout::SPARE, Kind::Queue, [0, 4], SERVERS)?;
        let waiting = Map::new(layout::WAITING, Kind::Queue, [0, 8], parameters.queue)?;
        let known = IN_FLIGHT.saturating_add(parameters.queue);
        let jobs = Map::new(layout::JOBS, Kind::Hash, [8, size_of::<Record>()], known)?;
        let counts = Map::new(layout::COUNTS, Kind::PercpuArray, [4, size_of::<Row>()], 1)?;
        let events = Map::new(layout::EVENTS, Kind::Ring, [0, 0], EVENTS_SIZE)?;
        let maps = [&slots, &places, &spare, &waiting, &jobs, &counts, &events];
        let program = Program::load(&code(parameters), Type::Xdp, &maps)?;
        let shared = Shared::new(&slots)?;
        let patience = parameters.patience.as_nanos() as u64;
        let keeper = Self {
            program,
            events,
            slots: shared,
            places,
            spare,
            jobs,
            counts,
            patience,
            evicted: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            _maps: [slots, waiting],
        };
        keeper.number_slots().map_err(|cause| Error::Map(layout::SPARE, cause))?;
        Ok(keeper)
    }

    fn number_slots(&self) -> io::Result<()> {
        for (number, slot) in (0_u32..).zip(self.slots.values()) {
            slot.number.store(number, Relaxed);
            self.spare.push(&number)?;
        }
        Ok(())
    }

    /// The servers, in the order of their slots.
    pub fn servers(&self) -> Vec<Server> {
        let now = now();
        let known = self.slots.values().iter().filter(|slot| threads(slot).incarnation != 0);
        known.map(|slot| self.server(slot, now)).collect()
    }

    pub(super) fn server(&self, slot: &Slot, now: u64) -> Server {
        let Threads { capacity, free, .. } = threads(slot);
        let address = Ipv4Addr::from(slot.address.load(Relaxed).to_ne_bytes());
        let port = u16::from_be(slot.port.load(Relaxed));
        Server {
            address: SocketAddrV4::new(address, port),
            capacity,
            free,
            given: slot.given.load(Relaxed),
            done: slot.done.load(Relaxed),
            health: self.health(slot, now),
        }
    }

    pub(super) fn health(&self, slot: &Slot, now: u64) -> Health {
        match slot.heard.load(Relaxed).saturating_add(self.patience) > now {
            true => Health::Alive,
            false => Health::Dead,
        }
    }

    /// How often what was counted, in the order of [`Count`].
    ///
    /// # Errors
    /// What the kernel says.
    pub fn numbers(&self) -> io::Result<[u64; Count::ALL]> {
        let rows = self.counts.lookup_each_cpu::<Row>(0)?;
        Ok(std::array::from_fn(|index| rows.iter().map(|row| row[index]).sum()))
    }

    /// What has happened, as the balancer in user space tells it. While packets come in the numbers
    /// are of slightly different moments.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn counts(&self) -> io::Result<Counts> {
        let numbers = self.numbers()?;
        let of = |count: Count| numbers[count as usize];
        let (alive, dead) = self.busy();
        let gone = of(Count::Sent) + of(Count::Rejected) + of(Count::Duplicates);
        Ok(Counts {
            submitted: of(Count::Submitted),
            sent: of(Count::Sent),
            queued: of(Count::Queued),
            rejected: of(Count::Rejected),
            duplicates: of(Count::Duplicates),
            done: of(Count::Done),
            lost: of(Count::Lost) + dead + self.evicted.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            registered: of(Count::Registered),
            no_place: of(Count::NoPlace),
            stray: of(Count::Stray),
            nonsense: of(Count::Nonsense),
            waiting: of(Count::Submitted).saturating_sub(gone),
            in_flight: alive,
        })
    }

    /// How many jobs are at living servers, and at dead ones.
    fn busy(&self) -> (u64, u64) {
        self.servers().iter().fold((0, 0), |(alive, dead), server| {
            let busy = u64::from(server.capacity.saturating_sub(server.free));
            match server.health {
                Health::Alive => (alive + busy, dead),
                Health::Dead => (alive, dead + busy),
            }
        })
    }
}

pub(super) fn threads(slot: &Slot) -> Threads {
    Threads::from(slot.threads.load(Acquire))
}

/// Nanoseconds of the clock that programs read.
pub(super) fn now() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}
