//! The `.hgrm` file: a distribution as text, in the layout that HdrHistogram's tools print and its
//! plotting page reads. Values are in milliseconds.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Nanoseconds in the unit of the file.
const UNIT_NS: f64 = 1e6;

/// Lines for each halving of the distance to 100 %: that of the Java tools.
const LINES: u64 = 5;

/// The text of the file, for times in nanoseconds.
#[must_use]
pub fn percentiles(times: &Histogram<u64>) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    for Row { value, quantile, total } in rows(times) {
        // Writing to a string can't fail.
        let _ = write!(text, "{:12.6} {quantile:2.12} {total:10}", value as f64 / UNIT_NS);
        let _ = match quantile < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text),
        };
    }
    text + &footer(times)
}

/// `total` values are at most `value`, which is at least the share `quantile` of them.
struct Row {
    value: u64,
    quantile: f64,
    total: u64,
}

/// The quantiles 1 − (1 − n/10) / 2ʰ with n from 0 to 4, for each h from 0 on, until all values are
/// in. How many values that takes is computed in whole numbers: as a product of fractions, 60 % of
/// 15,000 would be one more than 9,000.
fn rows(times: &Histogram<u64>) -> Vec<Row> {
    let (all, mut rows) = (times.len(), Vec::new());
    let mut total = 0;
    let mut steps = (0..u64::BITS).flat_map(|halving| (0..LINES).map(move |n| (halving, n)));
    let mut step = steps.next();
    for cell in times.iter_recorded() {
        total += cell.count_at_value();
        let value = cell.value_iterated_to();
        while let Some((halving, n)) = step
            && total >= all - beyond(all, halving, n)
        {
            let quantile = 1.0 - (1.0 - n as f64 / 10.0) / 2.0_f64.powi(halving as i32);
            rows.push(Row { value, quantile, total });
            step = if total < all { steps.next() } else { None };
        }
    }
    rows.extend(rows.last().map(|last| Row { value: last.value, quantile: 1.0, total }));
    rows
}

/// How many of `all` values may lie beyond a quantile.
fn beyond(all: u64, halving: u32, n: u64) -> u64 {
    let beyond = u128::from(all) * u128::from(10 - n) / (10_u128 << halving);
    u64::try_from(beyond).unwrap_or(all)
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

    fn table(text: &str) -> Vec<Vec<f64>> {
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
        let rows = table(&thousand());
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
