//! The `.hgrm` file: a distribution as text, in the layout that HdrHistogram's tools print and its
//! plotting page reads. Values are in milliseconds.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Nanoseconds in the unit of the file.
const UNIT_NS: f64 = 1e6;

/// Lines for each halving of the distance to 100 %: that of the Java tools.
const LINES_PER_HALVING: u32 = 5;

/// The text of the file, for times in nanoseconds.
#[must_use]
pub fn percentiles(times: &Histogram<u64>) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in times.iter_quantiles(LINES_PER_HALVING) {
        total += step.count_since_last_iteration();
        line(&mut text, step.value_iterated_to(), step.quantile_iterated_to(), total);
    }
    text + &footer(times)
}

/// The last line has no fourth column: 1/(1-1).
fn line(text: &mut String, value: u64, quantile: f64, total: u64) {
    // Writing to a string can't fail.
    let _ = write!(text, "{:12.6} {quantile:2.12} {total:10}", value as f64 / UNIT_NS);
    let _ = match quantile < 1.0 {
        true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
        false => writeln!(text),
    };
}

fn footer(times: &Histogram<u64>) -> String {
    let (mean, deviation) = (times.mean() / UNIT_NS, times.stdev() / UNIT_NS);
    let (max, count) = (times.max() as f64 / UNIT_NS, times.len());
    let (buckets, halves) = (times.buckets(), sub_buckets(times.sigfig()));
    format!(
        "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]\n\
         #[Max     = {max:12.6}, Total count    = {count:12}]\n\
         #[Buckets = {buckets:12}, SubBuckets     = {halves:12}]\n\
         #[Unit    = milliseconds]\n"
    )
}

/// Cells of a bucket: the least power of two that tells 2 · 10^digits values apart.
fn sub_buckets(digits: u8) -> u64 {
    (2 * 10_u64.pow(digits.into())).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Times;

    /// 1 ms to 1,000 ms.
    fn thousand() -> String {
        let mut times = Times::default();
        (1..=1000).for_each(|ms| times.record(ms * 1_000_000));
        percentiles(times.histogram())
    }

    fn rows(text: &str) -> Vec<Vec<f64>> {
        let rows = text.lines().skip(2).filter(|line| !line.starts_with('#'));
        rows.map(|row| row.split_whitespace().map(|cell| cell.parse().unwrap()).collect()).collect()
    }

    #[test]
    fn has_the_layout_of_the_tools() {
        let text = thousand();
        let mut lines = text.lines();
        let head: Vec<_> = lines.next().unwrap().split_whitespace().collect();
        assert_eq!(head, ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
        assert_eq!(lines.next(), Some(""));
        assert!(
            text.contains("\n#[Buckets =           32, SubBuckets     =         2048]\n"),
            "{text}"
        );
        assert!(text.contains("Total count    =         1000]"), "{text}");
        assert!(text.ends_with("#[Unit    = milliseconds]\n"));
    }

    #[test]
    fn values_and_counts_belong_together() {
        let rows = rows(&thousand());
        for row in &rows {
            assert!((row[0] - row[2]).abs() <= row[2] * 0.001, "{row:?}");
            assert!(row[2] / 1000.0 >= row[1] - 1e-9, "{row:?}");
        }
        let last = rows.last().unwrap();
        assert_eq!((last[1], last[2], last.len()), (1.0, 1000.0, 3));
        assert!(rows.is_sorted_by(|a, b| a[1] <= b[1] && a[2] <= b[2]));
    }

    #[test]
    fn of_nothing_there_is_a_footer() {
        let text = percentiles(Times::default().histogram());
        assert!(text.contains("Total count    =            0]"), "{text}");
    }
}
