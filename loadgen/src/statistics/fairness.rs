//! How evenly something is shared out.

/// Jain's index of fairness: 1 if all have the same, 1/n if one of n has it all; none if there is
/// nothing to share or nobody to share it.
///
/// Jain, Chiu, Hawe, "A Quantitative Measure of Fairness and Discrimination for Resource Allocation
/// in Shared Computer Systems", DEC-TR-301, 1984.
#[must_use]
pub fn jain(shares: impl IntoIterator<Item = f64>) -> Option<f64> {
    let add = |(n, sum, squares), share| (n + 1.0, sum + share, squares + share * share);
    let (n, sum, squares) = shares.into_iter().fold((0.0, 0.0, 0.0), add);
    (squares > 0.0).then(|| sum * sum / (n * squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_when_even_and_one_of_n_when_one_has_it_all() {
        assert_eq!(jain([7.0; 12]), Some(1.0));
        assert_eq!(jain([0.0, 0.0, 9.0, 0.0]), Some(0.25));
    }

    /// If k of n have equal shares and the others nothing, it is k/n: the paper's own example.
    #[test]
    fn is_the_part_that_is_served() {
        assert_eq!(jain([1.0, 1.0, 1.0, 0.0, 0.0]), Some(0.6));
        assert_eq!(jain([]), None);
        assert_eq!(jain([0.0]), None);
    }
}
