//! Streams that are nearly right: those of the fixtures, with a few octets changed.

use crate::fixture::Case;

/// Marsaglia's xorshift64: the same numbers each time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }
}

/// Octets that mean something to a parser.
const TELLING: &[u8] = b"\r\n\t :;,/*+-0159afxAFX\0\x7f\x80\xff[]";

/// Longer streams would not fit in the input at once.
const LONGEST: usize = 1500;

/// Changes `stream` in up to four places, now and then with a piece of `other`.
fn mutate(stream: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(stream.len());
        let telling = TELLING[random.below(TELLING.len())];
        match random.below(6) {
            0 if !stream.is_empty() => stream[at] = telling,
            1 => stream.insert(at, telling),
            2 if !stream.is_empty() => _ = stream.remove(at),
            3 if !stream.is_empty() => stream[at] ^= 1 << random.below(8),
            4 => stream.truncate(at),
            _ => {
                let from = random.below(other.len());
                let piece = &other[from..from + random.below(other.len() - from)];
                stream.splice(at..at, piece.iter().copied());
            }
        }
    }
    stream.truncate(LONGEST);
}

/// Runs `check` with `count` mutants, each made of one of the `cases`.
pub(crate) fn each_mutant(
    cases: &[Case],
    count: usize,
    stream: fn(&mut Case) -> &mut Vec<u8>,
    check: impl Fn(&Case, &mut Random),
) {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..count {
        let mut case = cases[random.below(cases.len())].clone();
        let mut other = cases[random.below(cases.len())].clone();
        mutate(stream(&mut case), stream(&mut other), &mut random);
        check(&case, &mut random);
    }
}
