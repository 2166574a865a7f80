//! Sets of descriptors of any size, and select(2) for them.
//!
//! An `fd_set` of the C library has room for FD_SETSIZE, 1,024, numbers and no more. The kernel
//! knows no such type: it is handed an address and how many bits there are to look at. So a set may
//! be as long as one likes, but the library's `select` takes no other type, and the call is made
//! without it.

use std::ffi::{c_int, c_ulong};
use std::ptr::{null, null_mut};

use nix::errno::Errno;

use crate::drive::poller::Block;

const BITS: usize = c_ulong::BITS as usize;

/// A bit for each descriptor up to the highest one that is in.
///
/// The words are those of the kernel (`__kernel_fd_set`): bit `n % BITS` of word `n / BITS`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WideSet {
    words: Vec<c_ulong>,
}

impl WideSet {
    pub(super) fn insert(&mut self, number: usize) {
        self.hold(number + 1);
        self.words[number / BITS] |= 1 << (number % BITS);
    }

    /// Takes a number out, and gives up the words that nobody needs any more.
    pub(super) fn remove(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / BITS) {
            *word &= !(1 << (number % BITS));
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    /// Becomes a copy of `other`, in the memory that it has.
    pub(super) fn copy(&mut self, other: &Self) {
        self.words.clone_from(&other.words);
    }

    /// The numbers that are in, in ascending order. A word of idle descriptors is passed by at
    /// once.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate();
        words.flat_map(|(place, &word)| ones(word).map(move |bit| place * BITS + bit))
    }

    /// Has room for that many numbers at least.
    fn hold(&mut self, count: usize) {
        let words = self.words.len().max(count.div_ceil(BITS));
        self.words.resize(words, 0);
    }
}

/// The places of the bits that are 1, the lowest first.
fn ones(mut word: c_ulong) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(lowest)
    })
}

/// Leaves in the sets those of the numbers below `count` that are ready.
///
/// # Errors
/// What pselect6(2) says. The sets are as they were then.
pub(super) fn select(
    count: usize,
    read: &mut WideSet,
    write: &mut WideSet,
    block: Block,
) -> nix::Result<()> {
    read.hold(count);
    write.hold(count);
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let timeout = if block == Block::No { &raw const at_once } else { null() };
    // SAFETY: the kernel reads and writes `count` bits of each set, in whole words, and both have
    // room for them; it reads the time, and leaves one of 0 as it is. Nothing of this outlives the
    // call.
    let ready = unsafe {
        libc::syscall(
            libc::SYS_pselect6,
            c_int::try_from(count).map_err(|_| Errno::EINVAL)?,
            read.words.as_mut_ptr(),
            write.words.as_mut_ptr(),
            null_mut::<c_ulong>(),
            timeout,
            null::<libc::sigset_t>(),
        )
    };
    Errno::result(ready).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On both sides of a word's end, of FD_SETSIZE, and far beyond.
    const NUMBERS: [usize; 7] = [0, 63, 64, 1_023, 1_024, 1_025, 5_000];

    fn set(numbers: &[usize]) -> WideSet {
        let mut set = WideSet::default();
        numbers.iter().for_each(|&number| set.insert(number));
        set
    }

    #[test]
    fn what_was_put_in_comes_out_in_order() {
        assert!(set(&[5_000, 64, 1_025, 0, 63, 1_023, 1_024, 64]).numbers().eq(NUMBERS));
        assert_eq!(set(&[]).numbers().next(), None);
        let full = (0..BITS).collect::<Vec<_>>();
        assert!(set(&full).numbers().eq(full));
    }

    #[test]
    fn each_number_is_a_bit_of_its_own() {
        for out in NUMBERS {
            let mut set = set(&NUMBERS);
            set.remove(out);
            assert!(set.numbers().eq(NUMBERS.into_iter().filter(|&number| number != out)));
        }
    }

    #[test]
    fn it_is_as_long_as_its_highest_number_needs() {
        let mut set = set(&NUMBERS);
        for (out, highest) in [(64, 5_000), (5_000, 1_025), (1_025, 1_024), (1_024, 1_023)] {
            set.remove(out);
            assert_eq!(set.words.len(), highest / BITS + 1, "without {out}");
        }
    }

    #[test]
    fn taking_out_what_is_not_in_changes_nothing() {
        let mut small = set(&[3]);
        small.remove(4);
        small.remove(10_000);
        assert_eq!(small, set(&[3]));
    }

    #[test]
    fn a_copy_forgets_what_was_there() {
        let mut copy = set(&NUMBERS);
        copy.copy(&set(&[1]));
        assert_eq!(copy, set(&[1]));
    }
}
