//! Which conditions are measured, and how often.

use std::time::Duration;

/// Closer together around the numbers at which the kernel changes its ways (see [`super::knee`]).
const IDLE: [usize; 32] = [
    0, 1, 5, 10, 15, 20, 25, 28, 33, 40, 50, 70, 100, 140, 180, 220, 260, 300, 330, 360, 420, 500,
    530, 560, 700, 950, 1_500, 3_000, 8_000, 19_000, 40_000, 100_000,
];
/// At most 256: what one wait of epoll brings.
const ACTIVE: [usize; 5] = [1, 4, 16, 64, 256];
/// The same for a try.
const IDLE_QUICK: [usize; 9] = [0, 10, 30, 60, 100, 200, 500, 1_000, 10_000];
const ACTIVE_QUICK: [usize; 3] = [1, 4, 16];

/// What is to be measured, for each poller alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Idle connections.
    pub idle: Vec<usize>,
    /// Active connections.
    pub active: Vec<usize>,
    /// How often all conditions are gone through.
    pub passes: u32,
    /// Waits for each condition and pass.
    pub rounds: u32,
    /// The time for each condition and pass.
    pub budget: Duration,
}

impl Grid {
    /// Worth keeping.
    #[must_use]
    pub fn full(idle_max: usize) -> Self {
        let budget = Duration::from_millis(50);
        Self { active: ACTIVE.into(), ..Self::of(&IDLE, idle_max, 10, 1_000, budget) }
    }

    /// A try: seconds.
    #[must_use]
    pub fn quick(idle_max: usize) -> Self {
        let budget = Duration::from_millis(5);
        Self { active: ACTIVE_QUICK.into(), ..Self::of(&IDLE_QUICK, idle_max, 3, 100, budget) }
    }

    fn of(idle: &[usize], idle_max: usize, passes: u32, rounds: u32, budget: Duration) -> Self {
        let below = idle.iter().copied().filter(|idle| *idle < idle_max);
        let idle = below.chain([idle_max]).collect();
        Self { idle, active: Vec::new(), passes, rounds, budget }
    }

    /// The command line of `servers time-waits` for a poller.
    #[must_use]
    pub fn arguments(&self, poller: &str, seed: u64) -> Vec<String> {
        let joined =
            |counts: &[usize]| counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let most = self.idle.iter().max().copied().unwrap_or(0);
        let line = [
            ("--poller", poller.to_owned()),
            ("--idle", joined(&self.idle)),
            ("--active", joined(&self.active)),
            ("--idle-max", most.to_string()),
            ("--passes", self.passes.to_string()),
            ("--rounds", self.rounds.to_string()),
            ("--budget", format!("{}ms", self.budget.as_millis())),
            ("--seed", seed.to_string()),
            ("--format", "csv".into()),
        ];
        let line = line.into_iter().flat_map(|(name, value)| [name.into(), value]);
        std::iter::once("time-waits".into()).chain(line).collect()
    }

    /// How long that may take before it is taken for hung: its budgets, a second more for each
    /// change of condition, and a millisecond for each connection to be made.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let conditions = self.idle.len() * self.active.len() * self.passes as usize;
        let changes = u32::try_from(conditions).unwrap_or(u32::MAX);
        let connections = self.idle.iter().max().copied().unwrap_or(0) as u64;
        (self.budget + Duration::from_secs(1)).saturating_mul(changes)
            + Duration::from_millis(connections)
            + Duration::from_secs(60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_always_in_and_nothing_is_beyond_it() {
        for most in [0, 200, 19_000, 100_000, 250_000] {
            for grid in [Grid::full(most), Grid::quick(most)] {
                assert_eq!(grid.idle.last(), Some(&most));
                assert!(grid.idle.windows(2).all(|two| two[0] < two[1]), "{:?}", grid.idle);
            }
        }
    }

    #[test]
    fn the_command_line_says_everything_that_the_grid_says() {
        let line = Grid::quick(60).arguments("poll", 7).join(" ");
        let expected = "time-waits --poller poll --idle 0,10,30,60 --active 1,4,16 --idle-max 60 \
            --passes 3 --rounds 100 --budget 5ms --seed 7 --format csv";
        assert_eq!(line, expected);
    }
}
