//! Counts that others have published, to be laid beside what comes out here.

use std::sync::LazyLock;

use serde::Deserialize;

/// Who published them.
pub const SOURCE: &str = "github.com/PhoenixKing2501/Distributed-Assignment-1 (plots/plotdata.txt)";

/// One server in one of their runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Count {
    /// The method here that is theirs.
    pub method: String,
    /// How many servers there were.
    pub nodes: u32,
    /// This one.
    pub node: String,
    /// How many of 10,000 requests it answered.
    pub count: u64,
}

/// All of them. The file is a part of this program, and a test reads it.
pub static COUNTS: LazyLock<Vec<Count>> = LazyLock::new(|| {
    let text = include_str!("../../published/ring-counts.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    reader.deserialize().filter_map(Result::ok).collect()
});

/// The counts of one run, in the order of the servers; empty where there was none.
#[must_use]
pub fn counts(method: &str, nodes: u32) -> Vec<u64> {
    let run = COUNTS.iter().filter(|count| count.method == method && count.nodes == nodes);
    run.map(|count| count.count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_runs_of_ten_thousand_requests_are_there() {
        let text = include_str!("../../published/ring-counts.csv");
        assert_eq!(COUNTS.len(), text.lines().filter(|line| line.contains("Server-")).count());
        for method in ["ring-given", "ring-modified", "ring-sha256"] {
            for nodes in 2..=6 {
                let counts = counts(method, nodes);
                assert_eq!((counts.len(), counts.iter().sum()), (nodes as usize, 10_000));
            }
        }
        assert_eq!(counts("ring-given", 3), [8341, 468, 1191]);
        assert!(counts("ketama", 3).is_empty() && counts("ring-given", 7).is_empty());
        assert!(text.contains(SOURCE.split(' ').next().unwrap()));
    }
}
