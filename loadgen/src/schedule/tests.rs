//! Every pattern as a whole: rates, laws, lanes, and times that must never change.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn schedule(word: &str, rate: f64, seed: u64) -> Schedule {
    let pattern = word.parse().unwrap();
    Schedule { pattern, rate, seed, lead: SECOND, length: 5 * SECOND }
}

fn whole(schedule: &Schedule) -> Arrivals {
    schedule.arrivals(Lane { index: 0, of: 1 })
}

/// Runs the test for each pattern, a trace of irregular times among them.
fn each_pattern(test: impl Fn(&Schedule)) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<_> = (0..5000_u64).map(|i| format!("{}e-3\n", i * i % 7 + i * 7)).collect();
    std::fs::write(file.path(), lines.concat()).unwrap();
    let trace = format!("trace:{}", file.path().display());
    for word in ["constant", "poisson", "bursts:7", "pareto:1.5", "ramp:100", "ramp:0", &trace] {
        test(&schedule(word, 3000.0, 42));
    }
}

#[test]
fn lanes_together_are_the_schedule() {
    each_pattern(|schedule| {
        let expected: Vec<_> = whole(schedule).take(2520).collect();
        for of in [1, 2, 3, 4, 7, 16, 63] {
            let mut dealt = vec![0; expected.len()];
            for index in 0..of {
                let times = schedule.arrivals(Lane { index, of });
                let places = dealt.iter_mut().skip(index as usize).step_by(of as usize);
                places.zip(times).for_each(|(place, time)| *place = time);
            }
            assert_eq!(dealt, expected, "{} lanes of {}", of, schedule.pattern);
        }
    });
}

#[test]
fn times_never_go_back_and_a_clone_goes_its_own_way() {
    each_pattern(|schedule| {
        let mut sender = schedule.arrivals(Lane { index: 1, of: 3 });
        sender.nth(100);
        let due: Vec<_> = sender.clone().take(1000).collect();
        assert!(due.is_sorted(), "{}", schedule.pattern);
        assert_eq!(sender.take(1000).collect::<Vec<_>>(), due, "{}", schedule.pattern);
    });
}

#[test]
fn the_seed_decides() {
    for word in ["poisson", "pareto:3"] {
        let times = |seed| whole(&schedule(word, 1e4, seed)).take(50).collect::<Vec<_>>();
        assert_eq!(times(1), times(1));
        assert!(times(1).iter().zip(times(2)).all(|(one, other)| *one != other));
    }
}

#[test]
fn the_rate_is_kept_in_the_long_run() {
    for (word, tolerance) in
        [("constant", 1e-5), ("bursts:8", 1e-5), ("poisson", 0.01), ("pareto:3", 0.01)]
    {
        for rate in [0.5, 1e3, 123_456.789] {
            let last = whole(&schedule(word, rate, 3)).nth(200_000).unwrap();
            let found = 200_000.0 * 1e9 / last as f64;
            assert!((found / rate - 1.0).abs() < tolerance, "{word} at {rate}: {found}");
        }
    }
}

#[test]
fn constant_times_do_not_drift() {
    let third = schedule("constant", 3.0, 0);
    let mut late = third.arrivals(Lane { index: 3_000_000_000, of: 1 });
    let exact = 1_000_000_000_000_000_000;
    assert_eq!(
        [0; 4].map(|_| late.next().unwrap() - exact),
        [0, 333_333_376, 666_666_624, 1e9 as u64]
    );
}

#[test]
fn a_burst_is_one_instant() {
    let times: Vec<_> = whole(&schedule("bursts:3", 1000.0, 0)).take(7).collect();
    assert_eq!(times, [0, 0, 0, 3_000_000, 3_000_000, 3_000_000, 6_000_000]);
}

/// The largest distance between the gaps found and their law, times the root of their number:
/// Kolmogorov's statistic, which exceeds 1.36 once in 20 samples, and 1.95 once in 1,000.
fn kolmogorov(schedule: &Schedule, law: &GapLaw) -> f64 {
    let times: Vec<_> = whole(schedule).take(100_001).collect();
    let mut gaps: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    gaps.sort_by(f64::total_cmp);
    let count = gaps.len() as f64;
    let away = |(rank, gap): (usize, &f64)| {
        let (below, expected) = (rank as f64 / count, law.cdf(*gap));
        (expected - below).abs().max((below + 1.0 / count - expected).abs())
    };
    gaps.iter().enumerate().map(away).fold(0.0, f64::max) * count.sqrt()
}

#[test]
fn random_gaps_follow_their_law() {
    for word in ["poisson", "pareto:1.5"] {
        let statistic = |seed| {
            let schedule = schedule(word, 1000.0, seed);
            kolmogorov(&schedule, &schedule.gaps().unwrap())
        };
        let found: Vec<_> = (1..=20).map(statistic).collect();
        assert!(found.iter().all(|one| *one < 1.95), "{word}: {found:?}");
        assert!(found.iter().filter(|one| **one > 1.36).count() <= 3, "{word}: {found:?}");
    }
}

#[test]
fn the_wrong_law_is_noticed() {
    let law = schedule("poisson", 1000.0, 1).gaps().unwrap();
    for word in ["constant", "pareto:1.5", "bursts:2"] {
        assert!(kolmogorov(&schedule(word, 1000.0, 1), &law) > 10.0, "{word}");
    }
    assert!(kolmogorov(&schedule("poisson", 1030.0, 1), &law) > 1.95);
}

/// The values were computed by another program in another language. Whoever changes them changes
/// what every seed means.
#[test]
fn golden_times() {
    let golden = |word, expected: [u64; 4]| {
        let times = whole(&schedule(word, 10_000.0, 1));
        let found: Vec<_> = times.enumerate().take(100_001).collect();
        assert_eq!([0, 1, 2, 100_000].map(|index| found[index].1), expected, "{word}");
    };
    golden("constant", [0, 100_000, 200_000, 10_000_000_000]);
    golden("poisson", [56_816, 86_149, 89_091, 9_964_445_248]);
    golden("pareto:1.5", [48_683, 89_215, 123_209, 9_808_872_507]);
    golden("ramp:100", [0, 10_000_000, 20_000_000, 13_465_000_000]);
}

#[test]
fn fingerprints_differ_in_every_part() {
    let prints = |schedule: Schedule| {
        let rate = Schedule { rate: 3001.0, ..schedule.clone() };
        let seed = Schedule { seed: 2, ..schedule.clone() };
        let lead = Schedule { lead: 2 * SECOND, ..schedule.clone() };
        let length = Schedule { length: 2 * SECOND, ..schedule.clone() };
        [schedule, rate, seed, lead, length].map(|schedule| schedule.fingerprint())
    };
    let words = ["constant", "poisson", "bursts:2", "bursts:3", "pareto:2", "pareto:3", "ramp:2"];
    let mut all: Vec<_> =
        words.into_iter().flat_map(|word| prints(schedule(word, 3000.0, 1))).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5 * words.len());
    assert_eq!(schedule("poisson", 1000.0, 1).fingerprint(), 0xE2CE_2B87_4E4B_DA0B);
}

#[test]
fn the_same_trace_in_another_file_is_the_same_schedule() {
    let print = |content: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        schedule(&format!("trace:{}", file.path().display()), 1.0, 1).fingerprint()
    };
    assert_eq!(print("0.1\n0.2\n"), print("# copied\n1e-1,GET\n2e-1,GET\n"));
    assert_ne!(print("0.1\n0.2\n"), print("0.1\n0.3\n"));
}
