//! A bar that fills up, in steps of half a column.

/// The filled and the empty part of a bar of `width` columns, `done` (0 to 1) of it filled.
pub(super) fn bar(done: f64, width: usize) -> (String, String) {
    let halves = (done.clamp(0.0, 1.0) * (2 * width) as f64) as usize;
    let mut filled = "━".repeat(halves / 2);
    if halves % 2 == 1 {
        filled.push('╸');
    }
    (filled, "─".repeat(width - halves.div_ceil(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_same_width_however_full() {
        for percent in 0..=100 {
            let (filled, empty) = bar(f64::from(percent) / 100.0, 17);
            assert_eq!(filled.chars().count() + empty.chars().count(), 17);
        }
    }

    #[test]
    fn fills_in_half_columns() {
        assert_eq!(bar(0.0, 4), (String::new(), "────".to_owned()));
        assert_eq!(bar(0.375, 4), ("━╸".to_owned(), "──".to_owned()));
        assert_eq!(bar(7.0, 4), ("━━━━".to_owned(), String::new()));
        assert_eq!(bar(0.5, 0), (String::new(), String::new()));
    }
}
