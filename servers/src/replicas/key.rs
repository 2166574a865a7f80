//! The id of a request, which decides its place on the ring.
//!
//! The system that the rings come from draws an id of six digits for each request: that spreads
//! them, and keeps nobody with the replica that knows him. An id that stands for the client or for
//! the path does. Either way a request has one id for as long as it is tried: when its replica
//! fails, it goes on to the next on the ring.

use rand::Rng;

use crate::placement::mix::mix_name;
use crate::placement::study::keys::{self, IDS};
use crate::proxy::Client;

/// What the id of a request stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Key {
    /// Nothing: a number of six digits by chance, another one for each request
    #[default]
    Random,
    /// The client's address, without its port
    Client,
    /// The path, without the query
    Path,
}

impl Key {
    /// Its name, as on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Client => "client",
            Self::Path => "path",
        }
    }

    /// The id of a request of that client for that path.
    pub(crate) fn id(self, client: &Client, path: &str) -> u64 {
        match self {
            Self::Random => rand::rng().random_range(IDS),
            Self::Client => keys::of_hash(client.key()),
            Self::Path => keys::of_hash(mix_name(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::ValueEnum;

    use super::*;

    /// The ids of a hundred clients for a hundred paths, and those of one client for one path.
    fn ids(key: Key) -> (HashSet<u64>, HashSet<u64>, HashSet<u64>) {
        let client = |number: u8| Client { address: [127, 0, 0, number].into(), id: None };
        let path = |number: u8| format!("/bytes/{number}");
        let clients = (0..100).map(|number| key.id(&client(number), "/home"));
        let paths = (0..100).map(|number| key.id(&client(1), &path(number)));
        let same = (0..100).map(|_| key.id(&client(1), "/home"));
        (clients.collect(), paths.collect(), same.collect())
    }

    #[test]
    fn an_id_has_six_digits_and_stands_for_what_it_says() {
        for (key, many) in [
            (Key::Random, [true, true, true]),
            (Key::Client, [true, false, false]),
            (Key::Path, [false, true, false]),
        ] {
            let (clients, paths, same) = ids(key);
            for (ids, many) in [&clients, &paths, &same].into_iter().zip(many) {
                // Of a hundred ids two are the same now and then: of 900,000 there are.
                assert!(if many { ids.len() > 90 } else { ids.len() == 1 }, "{key:?}: {ids:?}");
                assert!(ids.iter().all(|id| IDS.contains(id)), "{key:?}");
            }
        }
    }

    #[test]
    fn a_name_is_that_of_the_command_line() {
        for key in Key::value_variants() {
            assert_eq!(Key::from_str(key.name(), false), Ok(*key));
        }
    }
}
