//! Pages that are free, though some CPU keeps them at hand, and pages that threads keep for
//! sending.
//!
//! A freed page first goes to a list of the CPU that freed it and is not `MemFree` there; such
//! lists may hold a hundred MiB and more (`high` in /proc/zoneinfo). A total from `MemFree` alone
//! is wrong by that.
//!
//! And a thread that has sent something on a TCP socket keeps the rest of a block of 32 KiB, to put
//! the next octets there (`task_frag`, net/core/sock.c). It belongs to no slab and to no cgroup;
//! only the list of all pages shows it (/proc/kpageflags): a block of eight pages that nobody owns.

use std::fs::{self, File};
use std::io::{BufReader, Read};

use anyhow::{Context, Result};

/// Flags of a page in /proc/kpageflags (Documentation/admin-guide/mm/pagemap.rst) that name an
/// owner: LRU, SLAB, BUDDY, MMAP, ANON, HUGE, NOPAGE, THP, OFFLINE, PGTABLE.
const OWNED: u64 = bits(&[5, 7, 10, 11, 12, 17, 20, 22, 23, 26]);
/// The first page of a block.
const HEAD: u64 = bits(&[15]);
/// Another page of a block.
const TAIL: u64 = bits(&[16]);

/// Pages in a block for sending, after the first: SKB_FRAG_PAGE_ORDER is that of 32 KiB.
const TAILS: u64 = (32 << 10) / 4096 - 1;

const fn bits(places: &[u32]) -> u64 {
    let (mut mask, mut n) = (0, 0);
    while n < places.len() {
        mask |= 1 << places[n];
        n += 1;
    }
    mask
}

/// Free pages now, in octets: those of the zones, and those that CPUs keep at hand. Both are in one
/// file, so that a page on its way from one to the other is not missed.
///
/// # Errors
/// When /proc/zoneinfo can't be read.
pub fn free(page: u64) -> Result<u64> {
    let text = fs::read_to_string("/proc/zoneinfo").context("reading /proc/zoneinfo")?;
    Ok(listed(&text) * page)
}

/// The sum of `pages free` of each zone, and of `count:` below each `pagesets`.
fn listed(zoneinfo: &str) -> u64 {
    let lines = zoneinfo.lines().map(str::trim);
    let counts = lines
        .filter_map(|line| line.strip_prefix("pages free").or_else(|| line.strip_prefix("count:")));
    counts.filter_map(|count| count.trim().parse::<u64>().ok()).sum()
}

/// Blocks of 32 KiB that threads keep for sending now, in octets. What can't be read is 0, and
/// shows up as unexplained.
#[must_use]
pub fn sending(page: u64) -> u64 {
    let blocks = File::open("/proc/kpageflags").map(|file| blocks(BufReader::new(file)));
    blocks.unwrap_or(0) * (TAILS + 1) * page
}

/// Blocks of eight pages without an owner. The list has 64 bits a page, in the order of the
/// machine.
fn blocks(mut flags: impl Read) -> u64 {
    let mut run = Run::default();
    let mut piece = vec![0; 1 << 20];
    let mut filled = 0;
    while let Ok(count @ 1..) = flags.read(&mut piece[filled..]) {
        filled += count;
        let whole = filled - filled % 8;
        for entry in piece[..whole].as_chunks::<8>().0 {
            run.page(u64::from_ne_bytes(*entry));
        }
        piece.copy_within(whole..filled, 0);
        filled -= whole;
    }
    run.end();
    run.blocks
}

/// The block that is being read.
#[derive(Debug, Default)]
struct Run {
    tails: Option<u64>,
    blocks: u64,
}

impl Run {
    fn page(&mut self, flags: u64) {
        match self.tails {
            Some(tails) if flags & TAIL != 0 => self.tails = Some(tails + 1),
            _ => {
                self.end();
                self.tails = (flags & HEAD != 0 && flags & OWNED == 0).then_some(0);
            }
        }
    }

    fn end(&mut self) {
        self.blocks += u64::from(self.tails.take() == Some(TAILS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pages: &[u64]) -> Vec<u8> {
        pages.iter().flat_map(|page| page.to_ne_bytes()).collect()
    }

    #[test]
    fn only_blocks_of_eight_pages_without_an_owner_count() {
        let block = |head: u64, tails: usize| [vec![head], vec![TAIL; tails]].concat();
        let slab = HEAD | bits(&[7]);
        let pages = [block(HEAD, 7), block(slab, 7), block(HEAD, 3), vec![0], block(HEAD, 7)];
        assert_eq!(blocks(flags(&pages.concat()).as_slice()), 2);
        assert_eq!(blocks(flags(&block(HEAD, 8)).as_slice()), 0);
    }

    /// A reader that tears entries.
    struct Torn(Vec<u8>);

    impl Read for Torn {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(into.len()).min(5);
            self.0.drain(..count).zip(into).for_each(|(octet, place)| *place = octet);
            Ok(count)
        }
    }

    #[test]
    fn an_entry_may_come_in_two_pieces() {
        assert_eq!(blocks(Torn(flags(&[HEAD, TAIL, TAIL, TAIL, TAIL, TAIL, TAIL, TAIL]))), 1);
    }

    #[test]
    fn pages_at_hand_are_free_on_all_cpus_and_in_all_zones() {
        let text = "Node 0, zone DMA\n  pages free     10\n        boost    0\n  pagesets\n\
            \n    cpu: 0\n              count:    3\n              high:     252\n    cpu: 1\n\
            \n              count:    300\nNode 0, zone Normal\n  pages free     2000\n";
        assert_eq!(listed(text), 2313);
    }
}
