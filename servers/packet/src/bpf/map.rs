//! Maps: memory that programs and processes share, as tables of keys and values.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::call::{Command, address, bpf, make, object_name};
use super::{Error, Plain, plain};

/// What kind of map: `enum bpf_map_type` in Linux `include/uapi/linux/bpf.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// By any key; a delete succeeds for one caller only.
    Hash = 1,
    /// By an index of 32 bits; every value exists from the start, zeroed.
    Array = 2,
    /// An array for each CPU.
    PercpuArray = 6,
    /// Interfaces to send frames to.
    Devmap = 14,
    /// Sockets by index.
    Sockmap = 15,
    /// AF_XDP sockets by receive queue.
    Xskmap = 17,
    /// Sockets by key.
    Sockhash = 18,
    /// First in, first out; no key.
    Queue = 22,
    /// Records from programs to one process.
    Ring = 27,
}

/// How an update treats what is there: `BPF_ANY` and the others in bpf(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Flag {
    /// Makes or replaces it. A queue that is full refuses.
    Any = 0,
    /// Fails with EEXIST if it is there.
    NoExist = 1,
    /// Fails with ENOENT if it is not.
    Exist = 2,
}

/// A map, until it and every program that uses it are gone.
#[derive(Debug)]
pub struct Map {
    descriptor: OwnedFd,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    key_size: usize,
    pub(super) value_size: usize,
    pub(super) entries: u32,
}

/// `BPF_F_MMAPABLE`: a process can have the values in its memory.
const MAPPABLE: u32 = 1 << 10;

#[derive(Default)]
#[repr(C)]
struct Create {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
    inner: u32,
    numa_node: u32,
    name: [u8; 16],
}

#[derive(Default)]
#[repr(C)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Map {
    /// A map with keys and values of some octets each. A queue and a ring have keys of 0 octets, a
    /// ring also values; the `entries` of a ring are its octets, a power of two of pages.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(
        name: &'static str,
        kind: Kind,
        [key_size, value_size]: [usize; 2],
        entries: u32,
    ) -> Result<Self, Error> {
        Self::create(name, kind, [key_size, value_size], entries, 0)
    }

    /// An array whose values a process can have in its memory, see [`super::Shared`].
    ///
    /// # Errors
    /// What the kernel says.
    pub fn shared_array(name: &'static str, value: usize, entries: u32) -> Result<Self, Error> {
        Self::create(name, Kind::Array, [4, value], entries, MAPPABLE)
    }

    fn create(
        name: &'static str,
        kind: Kind,
        [key_size, value_size]: [usize; 2],
        entries: u32,
        flags: u32,
    ) -> Result<Self, Error> {
        let mut create = Create {
            kind: kind as u32,
            key_size: key_size as u32,
            value_size: value_size as u32,
            entries,
            flags,
            name: object_name(name),
            ..Default::default()
        };
        // SAFETY: this is the structure of the command, and it has no address.
        let made = unsafe { make(Command::MapCreate, &mut create) };
        let descriptor = made.map_err(|cause| Error::Map(name, cause))?;
        Ok(Self { descriptor, name, kind, key_size, value_size, entries })
    }

    /// The name by which programs ask for it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is at `key`, or nothing. A socket in a map is its cookie, see socket(7).
    ///
    /// # Errors
    /// What the kernel says, but not ENOENT.
    ///
    /// # Panics
    /// If `K` or `V` are not of this map's sizes.
    pub fn lookup<K: Plain, V: Plain>(&self, key: &K) -> io::Result<Option<V>> {
        assert_eq!(size_of::<V>(), self.value_size, "values of {}", self.name);
        let mut octets = vec![0; self.value_size];
        Ok(self.read(Command::MapLookup, key, &mut octets)?.and_then(|()| plain::read(&octets)))
    }

    /// The values of each CPU at `index`, of a map that has one for each.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Panics
    /// If `V` is not of this map's size.
    pub fn lookup_each_cpu<V: Plain>(&self, index: u32) -> io::Result<Vec<V>> {
        assert_eq!(self.kind, Kind::PercpuArray, "{}", self.name);
        assert_eq!(size_of::<V>(), self.value_size, "values of {}", self.name);
        let stride = self.value_size.next_multiple_of(8);
        let mut octets = vec![0; stride * possible_cpus()?];
        self.read(Command::MapLookup, &index, &mut octets)?;
        Ok(octets.chunks_exact(stride).filter_map(plain::read).collect())
    }

    /// The sum of what each CPU counted, for `N` counters of 64 bits.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn sums<const N: usize>(&self) -> io::Result<[u64; N]> {
        let mut sums = [0; N];
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = self.lookup_each_cpu::<u64>(index as u32)?.iter().sum();
        }
        Ok(sums)
    }

    /// Puts `value` at `key`.
    ///
    /// # Errors
    /// What the kernel says: E2BIG if the map is full, and what `flag` says.
    ///
    /// # Panics
    /// If `K` or `V` are not of this map's sizes.
    pub fn update<K: Plain, V: Plain>(&self, key: &K, value: &V, flag: Flag) -> io::Result<()> {
        assert_eq!(size_of::<K>(), self.key_size, "keys of {}", self.name);
        assert_eq!(size_of::<V>(), self.value_size, "values of {}", self.name);
        let mut element = self.element(address(key), address(value));
        element.flags = flag as u64;
        // SAFETY: key and value are of the sizes that the map was made with.
        unsafe { bpf(Command::MapUpdate, &mut element) }.map(drop)
    }

    /// Puts `value` at the end of a queue.
    ///
    /// # Errors
    /// E2BIG if the queue is full.
    pub fn push<V: Plain>(&self, value: &V) -> io::Result<()> {
        self.update::<[u8; 0], V>(&[], value, Flag::Any)
    }

    /// Takes the value at the head of a queue, if there is one.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Panics
    /// If `V` is not of this map's size.
    pub fn pop<V: Plain>(&self) -> io::Result<Option<V>> {
        assert_eq!(size_of::<V>(), self.value_size, "values of {}", self.name);
        let mut octets = vec![0; self.value_size];
        let found = self.read(Command::MapLookupAndDelete, &[0_u8; 0], &mut octets)?;
        Ok(found.and_then(|()| plain::read(&octets)))
    }

    /// Takes away what is at `key`: `true` for the one who did it.
    ///
    /// # Errors
    /// What the kernel says, but not ENOENT.
    pub fn remove<K: Plain>(&self, key: &K) -> io::Result<bool> {
        let mut nothing = [0; 0];
        Ok(self.read(Command::MapDelete, key, &mut nothing)?.is_some())
    }

    /// All keys that are there while this goes through them.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keys<K: Plain>(&self) -> io::Result<Vec<K>> {
        let (mut keys, mut last): (Vec<K>, Option<K>) = (Vec::new(), None);
        // A key that is removed by others meanwhile makes the kernel begin again: hence the bound.
        while keys.len() < self.entries as usize {
            let Some(next) = self.key_after(last.as_ref())? else { break };
            keys.push(next);
            last = Some(next);
        }
        Ok(keys)
    }

    fn key_after<K: Plain>(&self, key: Option<&K>) -> io::Result<Option<K>> {
        assert_eq!(size_of::<K>(), self.key_size, "keys of {}", self.name);
        let mut octets = vec![0; self.key_size];
        let key = key.map_or(0, |key| address(key));
        let mut element = self.element(key, address(octets.as_mut_ptr()));
        // SAFETY: the key that is read and the key that is written are of the map's size.
        let found = unsafe { bpf(Command::MapNextKey, &mut element) };
        Ok(or_nothing(found)?.and_then(|()| plain::read(&octets)))
    }

    /// A command that reads a key and writes as many octets as there are, or none.
    fn read<K: Plain>(&self, command: Command, key: &K, to: &mut [u8]) -> io::Result<Option<()>> {
        assert_eq!(size_of::<K>(), self.key_size, "keys of {}", self.name);
        // The kernel wants no address at all where there is nothing.
        let key = if size_of::<K>() == 0 { 0 } else { address(key) };
        let value = if to.is_empty() { 0 } else { address(to.as_mut_ptr()) };
        let mut element = self.element(key, value);
        // SAFETY: the key is of the map's size, and `to` is as long as what the command writes.
        or_nothing(unsafe { bpf(command, &mut element) })
    }

    fn element(&self, key: u64, value: u64) -> Element {
        let key = if self.key_size == 0 { 0 } else { key };
        Element { map: self.descriptor.as_raw_fd() as u32, key, value, ..Default::default() }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn or_nothing(result: io::Result<i32>) -> io::Result<Option<()>> {
    match result {
        Ok(_) => Ok(Some(())),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// For how many CPUs a per-CPU map has values: a list of ranges such as `0-3`, and the last counts.
fn possible_cpus() -> io::Result<usize> {
    const FILE: &str = "/sys/devices/system/cpu/possible";
    let list = std::fs::read_to_string(FILE)?;
    let last = list.trim().rsplit([',', '-']).next().and_then(|last| last.parse::<usize>().ok());
    last.map(|last| last + 1).ok_or_else(|| io::Error::other(format!("{FILE} has {list:?}")))
}
