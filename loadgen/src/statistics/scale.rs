//! A logarithmic scale of 256 buckets for times from nothing to more than an hour.
//!
//! The first 16 buckets are 256 ns wide each. From 4 µs on every octave is cut into 8 equal ones,
//! so a bucket is never wider than an eighth of the times in it. The last one ends at 2^42 ns,
//! which is 73 minutes, and takes all that is longer.

/// Buckets of the scale.
pub(super) const BUCKETS: usize = 256;

/// Times are counted in units of 2^8 ns.
const UNIT_BITS: u32 = 8;

/// An octave has 2^3 buckets.
const OCTAVE_BITS: u32 = 3;

/// The bucket of a time.
#[inline]
pub(super) fn bucket(nanos: u64) -> usize {
    let units = nanos >> UNIT_BITS;
    let octave = (units | 1).ilog2().saturating_sub(OCTAVE_BITS);
    let bucket = u64::from(octave << OCTAVE_BITS) + (units >> octave);
    (bucket as usize).min(BUCKETS - 1)
}

/// The shortest time of a bucket, and so the end of the one before it.
pub(super) fn edge(bucket: usize) -> u64 {
    let octave = (bucket >> OCTAVE_BITS).saturating_sub(1);
    let units = bucket - (octave << OCTAVE_BITS);
    (units as u64) << (octave as u32 + UNIT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_in_its_bucket_and_what_is_before_it_is_not() {
        for index in 1..BUCKETS {
            assert_eq!(bucket(edge(index)), index);
            assert_eq!(bucket(edge(index) - 1), index - 1);
        }
    }

    #[test]
    fn a_bucket_is_at_most_an_eighth_wide() {
        for index in 16..BUCKETS {
            let (low, high) = (edge(index), edge(index + 1));
            assert!(8 * (high - low) <= low, "{index}: {low} to {high}");
        }
    }

    #[test]
    fn reaches_from_nothing_to_more_than_an_hour() {
        assert_eq!((bucket(0), edge(0)), (0, 0));
        assert!(edge(BUCKETS) > 3_600_000_000_000);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
