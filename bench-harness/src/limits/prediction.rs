//! Which limit a model meets first, with the arithmetic.

use serde::{Deserialize, Serialize};

use super::appetite::Appetite;
use super::host::{HostLimits, Limit};
use super::need::{Need, needs, of_clients};
use crate::experiment::model::Model;

/// What is expected of a model on this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The model.
    pub model: String,
    /// The most clients that are served at once; no more than were asked about.
    pub clients: u64,
    /// What stops it there; `None` when nothing does up to the most that was asked about.
    pub binding: Option<Limit>,
    /// How that comes about: `(20,000 - 9 of the server) descriptors = 19,991`.
    pub arithmetic: String,
    /// The command that raises it; empty when nothing binds.
    pub raise: String,
    /// Every limit that was reckoned with, the first to bind first.
    pub ladder: Vec<Rung>,
    /// The same for the load generator, which is held by limits of its own.
    pub client_side: Vec<Rung>,
    /// Limits that would matter and could not be read: the prediction says nothing about them.
    pub unknown: Vec<Limit>,
}

/// How many clients one limit allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// The limit.
    pub limit: Limit,
    /// How many clients it allows.
    pub clients: u64,
    /// How that comes about.
    pub arithmetic: String,
    /// The command that raises it to what the most clients that were asked about need; empty when
    /// it allows them.
    pub raise: String,
}

/// Predicts how many clients a model serves at once, with its clients dealt out over so many
/// descriptor tables. `limits` are those of the server itself.
#[must_use]
pub fn predict(
    model: &Model,
    appetite: &Appetite,
    limits: &HostLimits,
    tables: u32,
    clients_asked_up_to: u64,
) -> Prediction {
    let needs = needs(model, appetite, limits, tables);
    let ladder = ladder(&needs, clients_asked_up_to);
    let first = ladder.first();
    let binding = first.filter(|rung| rung.clients < clients_asked_up_to);
    Prediction {
        model: model.name.clone(),
        clients: binding.map_or(clients_asked_up_to, |rung| rung.clients),
        binding: binding.map(|rung| rung.limit),
        arithmetic: first.map_or(String::new(), |rung| rung.arithmetic.clone()),
        raise: first.map_or(String::new(), |rung| rung.raise.clone()),
        client_side: self::ladder(&of_clients(limits), clients_asked_up_to),
        unknown: needs.iter().filter(|need| need.is_unknown()).map(Need::limit).collect(),
        ladder,
    }
}

/// What each limit allows, the tightest first.
fn ladder(needs: &[Need], asked: u64) -> Vec<Rung> {
    let rung = |need: &Need| {
        let (limit, clients) = (need.limit(), need.clients()?);
        Some(Rung { limit, clients, arithmetic: need.arithmetic(), raise: need.raise(asked) })
    };
    let mut ladder: Vec<_> = needs.iter().filter_map(rung).collect();
    ladder.sort_by_key(|rung| (rung.clients, rung.limit));
    ladder
}

#[cfg(test)]
mod tests {
    use super::super::appetite::Share;
    use super::super::host::{Bound, Ends, Setting};
    use super::*;

    const ASKED: u64 = 1_000_000;

    fn model(json: &str) -> Model {
        serde_json::from_str(json).unwrap()
    }

    fn threads() -> Model {
        model(r#"{"name":"thread"}"#)
    }

    /// An appetite for everything at once.
    fn greedy() -> Appetite {
        let share = |base, each| Share { base, each };
        Appetite {
            descriptors: share(9.0, 1.0),
            threads: share(2.0, 1.0),
            mappings: share(64.0, 4.0),
            watches: share(5.0, 1.0),
            resident: share(5e6, 30_000.0),
            kernel: share(1e5, 26_000.0),
            peer: share(0.0, 3_000.0),
            pages: share(0.0, 0.5),
            ..Appetite::default()
        }
    }

    /// A host on which nothing binds below a million clients.
    fn ample() -> HostLimits {
        let most = |limit| match limit {
            Limit::Memory | Limit::MemoryCgroup => 1 << 37,
            _ => 10_000_000,
        };
        let setting = |limit| Setting::new(limit, "planted", Bound::AtMost(most(limit)));
        let all = Limit::ALL.into_iter().filter(|&limit| limit != Limit::Workers);
        all.map(setting).fold(HostLimits::default(), HostLimits::with)
    }

    /// What is predicted when one limit is set to `most`.
    fn bound(model: &Model, limit: Limit, most: u64) -> Prediction {
        let setting = Setting::new(limit, "planted", Bound::AtMost(most));
        predict(model, &greedy(), &ample().with(setting), 1, ASKED)
    }

    fn select() -> Model {
        model(r#"{"name":"select","at_once":{"kind":"descriptors","limit":1024}}"#)
    }

    #[test]
    fn each_limit_can_bind_and_shows_its_arithmetic() {
        let cases = [
            (Limit::Nofile, 1_000, 991, "(1,000 - 9 of the server) descriptors = 991"),
            (Limit::FileMax, 1_000, 991, "(1,000 - 9 of the server) open files = 991"),
            (Limit::FdSetsize, 1_024, 1_015, "(1,024 - 9 of the server) descriptors = 1,015"),
            (Limit::Nproc, 100, 98, "(100 - 2 of the server) threads = 98"),
            (Limit::ThreadsMax, 100, 98, "(100 - 2 of the server) threads = 98"),
            (Limit::PidMax, 1_500, 1_498, "(1,500 - 2 of the server) numbers = 1,498"),
            (Limit::PidsCgroup, 64, 62, "(64 - 2 of the server) threads = 62"),
            (
                Limit::MaxMapCount,
                65_530,
                16_302,
                "(65,530 - 256 kept by the model - 64 of the server) mappings / 4 a client = 16,302",
            ),
            (Limit::MemoryCgroup, 61_100_000, 1_000, ""),
            (Limit::Memory, 61_100_000, 1_000, ""),
            (Limit::TcpMem, 5_000, 10_000, "5,000 pages / 0.5 a client = 10,000"),
            (Limit::EpollWatches, 105, 100, "(105 - 5 of the server) watches = 100"),
        ];
        for (limit, most, clients, arithmetic) in cases {
            let model = if limit == Limit::FdSetsize { select() } else { threads() };
            let found = bound(&model, limit, most);
            assert_eq!((found.binding, found.clients), (Some(limit), clients), "{found:?}");
            assert!(found.arithmetic.contains(arithmetic), "{found:?}");
            assert!(!found.raise.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn workers_that_each_keep_one_client_are_a_limit_in_each_table() {
        let appetite = Appetite { workers: Some(10), ..greedy() };
        let found = predict(&threads(), &appetite, &ample(), 1, ASKED);
        assert_eq!((found.binding, found.clients), (Some(Limit::Workers), 10));
        assert_eq!(found.arithmetic, "10 workers = 10");
        assert_eq!(found.raise, "servers run … --workers 1024 --tables 977");
        let three = predict(&threads(), &appetite, &ample(), 3, ASKED);
        assert!((15..30).contains(&three.clients), "{three:?}");
    }

    #[test]
    fn nothing_binds_where_there_is_room_for_all_that_were_asked_about() {
        let found = predict(&threads(), &greedy(), &ample(), 1, ASKED);
        assert_eq!((found.binding, found.clients), (None, ASKED));
        assert!(found.ladder.iter().all(|rung| rung.clients >= ASKED && rung.raise.is_empty()));
    }

    #[test]
    fn raising_any_limit_never_lowers_the_prediction() {
        for limit in Limit::ALL.into_iter().filter(|&limit| limit != Limit::Workers) {
            for model in [threads(), select()] {
                let found: Vec<_> = (4..38).map(|power| bound(&model, limit, 1 << power)).collect();
                assert!(found.is_sorted_by_key(|prediction| prediction.clients), "{limit:?}");
            }
        }
    }

    #[test]
    fn the_ladder_tells_what_binds_next() {
        let limits = ample()
            .with(Setting::new(Limit::Nofile, "planted", Bound::AtMost(20_000)))
            .with(Setting::new(Limit::MaxMapCount, "planted", Bound::AtMost(65_530)))
            .with(Setting::new(Limit::PidMax, "planted", Bound::AtMost(32_768)));
        let found = predict(&threads(), &greedy(), &limits, 1, ASKED);
        let first: Vec<_> = found.ladder.iter().take(3).map(|rung| rung.limit).collect();
        assert_eq!(first, [Limit::MaxMapCount, Limit::Nofile, Limit::PidMax]);
        assert!(found.ladder.is_sorted_by_key(|rung| rung.clients));
    }

    #[test]
    fn what_others_use_and_what_is_reserved_is_taken_off() {
        let setting = Setting::new(Limit::PidMax, "planted", Bound::AtMost(32_768));
        let setting = Setting { reserved: 300, ..setting.used(Some(72)) };
        let found = predict(&threads(), &greedy(), &ample().with(setting), 1, ASKED);
        let expected = "(32,768 - 72 of others - 300 reserved - 2 of the server) numbers = 32,394";
        assert_eq!(found.arithmetic, expected);
    }

    #[test]
    fn a_limit_that_both_ends_take_from_is_shared() {
        let setting = Setting::new(Limit::FileMax, "planted", Bound::AtMost(2_009));
        let limits = ample().with(Setting { ends: Ends::Both, ..setting });
        let found = predict(&threads(), &greedy(), &limits, 1, ASKED);
        let expected = "(2,009 - 9 of the server) open files / 2 a client, both ends = 1,000";
        assert_eq!((found.clients, &found.arithmetic[..]), (1_000, expected));
    }

    #[test]
    fn an_unknown_limit_is_told_and_is_not_taken_for_none() {
        let unknown = Setting::new(Limit::PidMax, "planted", Bound::Unknown);
        let found = predict(&threads(), &greedy(), &ample().with(unknown), 1, ASKED);
        assert_eq!((found.binding, found.unknown), (None, vec![Limit::PidMax]));
        let unused = Setting::new(Limit::PidMax, "planted", Bound::AtMost(9)).used(None);
        let found = predict(&threads(), &greedy(), &ample().with(unused), 1, ASKED);
        assert_eq!(found.unknown, [Limit::PidMax]);
    }

    #[test]
    fn a_limit_that_is_not_held_against_the_server_does_not_bind() {
        let nproc = Setting::new(Limit::Nproc, "planted", Bound::AtMost(100));
        let limits = ample().with(Setting { waived: Some("root".into()), ..nproc });
        assert_eq!(predict(&threads(), &greedy(), &limits, 1, ASKED).binding, None);
    }

    #[test]
    fn a_limit_below_what_the_server_has_anyway_leaves_no_client() {
        let found = bound(&threads(), Limit::PidsCgroup, 1);
        assert_eq!((found.clients, found.binding), (0, Some(Limit::PidsCgroup)));
    }

    #[test]
    fn what_a_client_does_not_take_is_no_limit() {
        let appetite = Appetite { threads: Share { base: 1.0, each: 0.0 }, ..greedy() };
        let pids = Setting::new(Limit::PidsCgroup, "planted", Bound::AtMost(5));
        let found = predict(&threads(), &appetite, &ample().with(pids), 1, ASKED);
        assert!(found.ladder.iter().all(|rung| rung.limit != Limit::PidsCgroup));
    }

    #[test]
    fn tables_multiply_what_a_table_holds_less_what_chance_takes() {
        let nofile = Setting::new(Limit::Nofile, "planted", Bound::AtMost(1_009));
        let limits = ample().with(nofile);
        let clients = |tables| predict(&threads(), &greedy(), &limits, tables, ASKED).clients;
        assert_eq!(clients(1), 1_000);
        assert!((3_500..4_000).contains(&clients(4)), "{}", clients(4));
        let found = predict(&threads(), &greedy(), &limits, 4, ASKED);
        assert!(found.arithmetic.contains("x 4 tables, until by chance"), "{found:?}");
    }

    #[test]
    fn the_load_generator_has_a_ladder_of_its_own() {
        let found = predict(&threads(), &greedy(), &ample(), 1, ASKED);
        let limits: Vec<_> = found.client_side.iter().map(|rung| rung.limit).collect();
        assert_eq!(limits, [Limit::EpollWatches, Limit::Ports]);
    }
}
