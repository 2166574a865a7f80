//! Numbers in words.

pub(super) use crate::report::duration as time;

/// A part of a whole, in percent, with three significant digits if it is small.
pub(super) fn percent(part: f64) -> String {
    match 100.0 * part {
        percent @ ..0.1 if percent > 0.0 => format!("{percent:.1e} %"),
        percent @ ..10.0 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// A probability; those that are next to nothing as such.
pub(super) fn chance(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_number() {
        assert_eq!([5.0, 1500.0, 2.5e6, 3e9].map(time), ["5 ns", "1.5 µs", "2.50 ms", "3.00 s"]);
        assert_eq!([0.0, 2e-6, 0.015, 0.973].map(percent), ["0.0 %", "2.0e-4 %", "1.5 %", "97 %"]);
        assert_eq!([0.0, 0.25].map(chance), ["p < 0.0001", "p = 0.2500"]);
    }
}
