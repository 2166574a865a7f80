//! The kernel's objects by kind (slabinfo(5)).
//!
//! Objects of one kind lie in slabs: blocks of whole pages. Two figures are worth keeping apart:
//! what the objects in use take, which is what a connection needs, and what their slabs take, which
//! is what the host has less. The difference is slack.
//!
//! Kinds of one size may share slabs. They are one line then, under the name of one of them, and
//! links in /sys/kernel/slab tell which they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The objects of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slab {
    /// Objects in use, with some that a CPU keeps at hand.
    pub objects: u64,
    /// The size of one.
    pub object_octets: u64,
    /// The slabs, in octets.
    pub octets: u64,
}

impl Slab {
    /// What the objects in use take.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.objects * self.object_octets
    }
}

/// All kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slabs {
    /// By name.
    pub kinds: BTreeMap<String, Slab>,
    /// The kind that epoll's entries in wait queues share slabs with, if they share.
    pub wait_entries: Option<String>,
}

/// The name of epoll's entries in wait queues: one for each descriptor that is watched.
const WAIT_ENTRIES: &str = "eventpoll_pwq";

impl Slabs {
    /// Reads them now.
    ///
    /// # Errors
    /// For others than root.
    pub fn read(page: u64) -> Result<Self> {
        let text = fs::read_to_string("/proc/slabinfo").context("reading /proc/slabinfo")?;
        let slabs = Self::parse(&text, page);
        let wait_entries = slabs.shared(WAIT_ENTRIES, |name| {
            fs::read_link(Path::new("/sys/kernel/slab").join(name)).ok()
        });
        Ok(Self { wait_entries, ..slabs })
    }

    /// The kind that this one shares slabs with, if it has no line of its own.
    fn shared(&self, name: &str, link: impl Fn(&str) -> Option<PathBuf>) -> Option<String> {
        if self.kinds.contains_key(name) {
            return None;
        }
        let target = link(name)?;
        self.kinds.keys().find(|other| link(other).as_ref() == Some(&target)).cloned()
    }

    /// Reads the text of `/proc/slabinfo`, for pages of so many octets.
    #[must_use]
    pub fn parse(text: &str, page: u64) -> Self {
        let kinds = text.lines().filter_map(|line| kind(line, page)).collect();
        Self { kinds, wait_entries: None }
    }

    /// All slabs together, in octets.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.kinds.values().map(|slab| slab.octets).sum()
    }

    /// The kind of this name; without one, no objects.
    #[must_use]
    pub fn of(&self, name: &str) -> Slab {
        self.kinds.get(name).copied().unwrap_or_default()
    }
}

/// `name active num size per-slab pages-per-slab : tunables a b c : slabdata active slabs shared`
fn kind(line: &str, page: u64) -> Option<(String, Slab)> {
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let words: Vec<_> = rest.split_whitespace().collect();
    let number = |place: usize| words.get(place)?.parse::<u64>().ok();
    let slabs = words.iter().position(|word| *word == "slabdata").and_then(|at| number(at + 2))?;
    let octets = slabs * number(4)? * page;
    Some((name.into(), Slab { objects: number(0)?, object_octets: number(2)?, octets }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "slabinfo - version: 2.1\n\
        # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : x\n\
        TCP  100 117 2368 13 8 : tunables 0 0 0 : slabdata 9 9 0\n\
        filp 729 735 192 21 1 : tunables 0 0 0 : slabdata 35 36 0\n\
        torn 1 2 3\n";

    #[test]
    fn objects_and_their_slabs_are_two_figures() {
        let slabs = Slabs::parse(TEXT, 4096);
        let tcp = slabs.of("TCP");
        assert_eq!((tcp.objects, tcp.used(), tcp.octets), (100, 236_800, 9 * 8 * 4096));
        assert_eq!(slabs.octets(), (72 + 36) * 4096);
    }

    #[test]
    fn a_kind_without_a_line_shares_one_with_a_kind_of_the_same_link() {
        let slabs = Slabs::parse(TEXT, 4096);
        let link = |name: &str| (name != "TCP").then(|| PathBuf::from(":A-0000064"));
        assert_eq!(slabs.shared("eventpoll_pwq", link).as_deref(), Some("filp"));
        assert_eq!(slabs.shared("filp", link), None);
        assert_eq!(slabs.shared("eventpoll_pwq", |_| None), None);
    }

    #[test]
    fn heads_and_torn_lines_are_no_kinds() {
        assert_eq!(Slabs::parse(TEXT, 4096).kinds.len(), 2);
        assert_eq!(Slabs::parse(TEXT, 4096).of("torn"), Slab::default());
    }
}
