//! What a process has in user memory, by what its mappings are for (proc_pid_smaps(5)).
//!
//! Only anonymous pages count: those of files are in the page cache, once for everybody. Stacks of
//! threads and arenas of the C library's malloc have no name. A stack has a guard of a few pages
//! right below it (pthread_create(3)); an arena has the reserved rest of its 64 MiB right above.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context, Result};

/// A guard is not larger than this; what malloc reserves is.
const GUARD_MAX: u64 = 1 << 20;

/// Anonymous memory of a process in octets, and its mappings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserMemory {
    /// The heap and malloc's arenas.
    pub heap: u64,
    /// Stacks of threads, those for signals among them.
    pub stacks: u64,
    /// The rest: data of the program and its libraries, large blocks of malloc.
    pub other: u64,
    /// Mappings.
    pub mappings: u64,
    /// Mappings for stacks of threads, those for signals among them; guards included.
    pub stack_mappings: u64,
    /// Addresses of these, in octets, whether or not there is memory behind them.
    pub stack_addresses: u64,
}

/// A mapping.
#[derive(Clone, Debug, Default)]
struct Mapping {
    start: u64,
    end: u64,
    reserved: bool,
    name: String,
    anonymous: u64,
}

impl UserMemory {
    /// That of a running process.
    ///
    /// # Errors
    /// When it has gone.
    pub fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/smaps");
        let file = File::open(&path).with_context(|| format!("reading {path}"))?;
        Self::parse(BufReader::new(file)).with_context(|| format!("reading {path}"))
    }

    /// Reads the text of `/proc/PID/smaps`. It is long where there are many threads, so it is never
    /// held as a whole.
    ///
    /// # Errors
    /// When a line can't be read.
    pub fn parse(text: impl BufRead) -> std::io::Result<Self> {
        let mut sums = Sums::default();
        for line in text.lines() {
            sums.line(&line?);
        }
        Ok(sums.finish())
    }

    /// All anonymous memory.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.heap + self.stacks + self.other
    }
}

/// Three mappings in a row: one is known only when its neighbours are.
#[derive(Debug, Default)]
struct Sums {
    below: Mapping,
    current: Mapping,
    sums: UserMemory,
}

impl Sums {
    fn line(&mut self, line: &str) {
        if let Some(next) = head(line) {
            self.close(&next);
            self.below = std::mem::replace(&mut self.current, next);
            self.sums.mappings += 1;
        } else if let Some(rest) = line.strip_prefix("Anonymous:") {
            let kibibytes =
                rest.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
            self.current.anonymous = kibibytes.unwrap_or(0) * 1024;
        }
    }

    fn finish(mut self) -> UserMemory {
        self.close(&Mapping::default());
        self.sums
    }

    fn close(&mut self, above: &Mapping) {
        let Self { below, current, sums } = self;
        let holder = match current.name.as_str() {
            "[heap]" => &mut sums.heap,
            "[stack]" => &mut sums.stacks,
            "" if touching(below, current) && below.guards() => {
                sums.stack_mappings += 2;
                sums.stack_addresses += current.end - below.start;
                &mut sums.stacks
            }
            "" if touching(current, above) && above.reserved && !above.guards() => &mut sums.heap,
            _ => &mut sums.other,
        };
        *holder += current.anonymous;
    }
}

impl Mapping {
    fn guards(&self) -> bool {
        self.reserved && self.end - self.start <= GUARD_MAX
    }
}

fn touching(low: &Mapping, high: &Mapping) -> bool {
    low.end == high.start && low.end > 0
}

/// `7f3e2b0a0000-7f3e2b0a2000 rw-p 00000000 00:00 0   [name]`
fn head(line: &str) -> Option<Mapping> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    let reserved = words.next()?.starts_with("---");
    let name = words.nth(3).unwrap_or_default().to_owned();
    Some(Mapping { start, end: end.max(start), reserved, name, anonymous: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
564000000000-564000021000 rw-p 00000000 00:00 0   [heap]
Size:                132 kB
Anonymous:            56 kB
AnonHugePages:         4 kB
7f3e14000000-7f3e14021000 rw-p 00000000 00:00 0
Anonymous:            36 kB
7f3e14021000-7f3e18000000 ---p 00000000 00:00 0
Anonymous:             0 kB
7f3e2b0a5000-7f3e2b0a6000 ---p 00000000 00:00 0
Anonymous:             0 kB
7f3e2b0a6000-7f3e2b0b6000 rw-p 00000000 00:00 0
Anonymous:             8 kB
7f3e2b0b6000-7f3e2b0b7000 ---p 00000000 00:00 0
Anonymous:             0 kB
7f3e2b0b7000-7f3e2b0c7000 rw-p 00000000 00:00 0
Anonymous:            12 kB
7f3e2b4e9000-7f3e2b4eb000 rw-p 00000000 00:00 0
Anonymous:             8 kB
7f3e2b4ec000-7f3e2b4ed000 rw-p 00001000 fe:00 123   /usr/lib/libc.so.6
Anonymous:             4 kB
7ffd82e69000-7ffd82e8a000 rw-p 00000000 00:00 0   [stack]
Anonymous:            48 kB
VmFlags: rd wr
";

    #[test]
    fn each_mapping_goes_to_what_it_is_for() {
        let read = UserMemory::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(read.heap, (56 + 36) << 10);
        assert_eq!(read.stacks, (8 + 12 + 48) << 10);
        assert_eq!(read.other, (8 + 4) << 10);
        assert_eq!(read.mappings, 10);
        assert_eq!((read.stack_mappings, read.stack_addresses), (4, (2 * (64 + 4)) << 10));
    }

    #[test]
    fn memory_that_this_process_takes_is_seen() {
        let before = UserMemory::of(std::process::id()).unwrap();
        let taken = vec![1_u8; 64 << 20];
        let with = UserMemory::of(std::process::id()).unwrap();
        assert!(with.octets() > before.octets() + (32 << 20), "{before:?} {with:?}");
        assert_eq!(taken.iter().map(|&octet| u64::from(octet)).sum::<u64>(), 64 << 20);
    }
}
