//! What replicas are called.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::Rng;

/// The longest name: that of a label in the domain name system (RFC 1035, 2.3.4).
const OCTETS_MAX: usize = 63;
/// The most replicas at once. There are a million names to draw, and whoever draws one that is
/// taken draws again.
pub(crate) const REPLICAS_MAX: usize = 10_000;

/// The name of a replica. It outlives the processes that serve under it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Arc<str>);

impl Name {
    /// A name that a client has chosen: letters, digits, `-`, `_` and `.`, so that it can stand in
    /// a log, in an URI and on a command line as it is.
    pub(crate) fn chosen(text: &str) -> Option<Self> {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        let good = (1..=OCTETS_MAX).contains(&text.len()) && text.bytes().all(fits);
        good.then(|| Self(text.into()))
    }

    /// `Server-1` and so on: those that are there from the start.
    pub(crate) fn numbered(number: usize) -> Self {
        Self(format!("Server-{number}").into())
    }

    /// `Server-XXX-YYY`, made of a draw and a clock, both below 1,000, that nobody has yet.
    pub(crate) fn random(taken: impl Fn(&Self) -> bool) -> Self {
        let mut rng = rand::rng();
        // At most one name of a hundred is taken: see REPLICAS_MAX.
        loop {
            let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let name = Self::of(rng.random_range(0..1_000), clock.as_millis() % 1_000);
            if !taken(&name) {
                return name;
            }
        }
    }

    fn of(draw: u32, clock: u128) -> Self {
        Self(format!("Server-{draw:03}-{clock:03}").into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_random_name_is_two_numbers_of_three_digits() {
        assert_eq!(Name::of(7, 42).as_str(), "Server-007-042");
        assert_eq!(Name::of(999, 0).as_str(), "Server-999-000");
    }

    #[test]
    fn a_random_name_is_one_that_nobody_has() {
        let mut taken = HashSet::new();
        for _ in 0..500 {
            let name = Name::random(|name| taken.contains(name));
            assert!(taken.insert(name));
        }
    }

    /// There are a thousand names for a millisecond, and somebody may have them all.
    #[test]
    fn a_random_name_waits_for_another_millisecond_if_it_must() {
        let clock_of = |name: &Name| name.as_str().rsplit('-').next().unwrap().to_owned();
        let full = std::cell::OnceCell::new();
        let name = Name::random(|name| *full.get_or_init(|| clock_of(name)) == clock_of(name));
        assert_ne!(clock_of(&name), *full.get().unwrap());
    }

    #[test]
    fn a_chosen_name_can_stand_anywhere() {
        assert!(Name::chosen("S-4_b.example").is_some());
        for text in ["", "two words", "a/b", "a\nb", "Zürich", &"x".repeat(64)] {
            assert!(Name::chosen(text).is_none(), "{text}");
        }
    }
}
