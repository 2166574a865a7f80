//! The order of trials: seeded, and interleaved in blocks.
//!
//! A block is one repeat of the whole matrix in a random order. A drift of the host (a neighbour on
//! the same machine, a warmer CPU) then falls on all models alike, where running all repeats of one
//! model in a row would turn it into a difference between models.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{Cell, Trial};

/// Every cell once a block, shuffled in each. The same seed gives the same order.
#[must_use]
pub fn interleaved(cells: &[Cell], blocks: u32, seed: u64) -> Vec<Trial> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut trials = Vec::with_capacity(cells.len() * blocks as usize);
    for block in 1..=blocks {
        let mut shuffled = cells.to_vec();
        shuffled.shuffle(&mut random);
        for cell in shuffled {
            trials.push(Trial { number: trials.len() + 1, block, cell });
        }
    }
    trials
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;

    fn cells() -> Vec<Cell> {
        let model = |n: u64| Cell {
            model: format!("m{n}"),
            app: App::Echo,
            policy: None,
            connections: n,
            idle: 0,
            size: None,
            rate: None,
        };
        (1..=20).map(model).collect()
    }

    fn sorted_block(trials: &[Trial], block: u32) -> Vec<Cell> {
        let mut cells: Vec<_> =
            trials.iter().filter(|t| t.block == block).map(|t| t.cell.clone()).collect();
        cells.sort();
        cells
    }

    #[test]
    fn each_block_holds_every_cell_once() {
        let trials = interleaved(&cells(), 3, 7);
        let mut expected = cells();
        expected.sort();
        assert!((1..=3).all(|block| sorted_block(&trials, block) == expected));
        assert!(trials.windows(2).all(|pair| pair[0].block <= pair[1].block));
        assert!(trials.iter().enumerate().all(|(at, trial)| trial.number == at + 1));
    }

    #[test]
    fn a_seed_fixes_the_order_and_another_changes_it() {
        assert_eq!(interleaved(&cells(), 2, 7), interleaved(&cells(), 2, 7));
        assert_ne!(interleaved(&cells(), 2, 7), interleaved(&cells(), 2, 8));
    }

    #[test]
    fn blocks_differ_from_each_other_and_from_the_file() {
        let trials = interleaved(&cells(), 2, 7);
        let order = |block| trials.iter().filter(move |t| t.block == block).map(|t| &t.cell);
        assert!(order(1).ne(order(2)));
        assert!(order(1).ne(cells().iter()));
    }
}
