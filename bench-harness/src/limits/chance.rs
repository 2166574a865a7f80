//! What chance does to clients that are dealt out over several descriptor tables.
//!
//! SO_REUSEPORT picks a listener by a hash of the addresses (socket(7)), so each table's share of
//! the clients is binomial. The first table to be full ends the joy while the others still have
//! room, and the fuller they are all at once the more tables there are. Taken here is the median:
//! as often as not there is room for so many.

/// How many clients can come before the fullest of the tables has as many as there is room for.
pub(super) fn clients(tables: u32, room: f64) -> f64 {
    if tables <= 1 {
        return room.max(0.0);
    }
    // share + excess √share = room, solved for √share.
    let excess = excess(tables);
    let root = ((excess * excess + 4.0 * room.max(0.0)).sqrt() - excess) / 2.0;
    f64::from(tables) * root * root
}

/// How much room each table needs so that the fullest has room for its share of the clients.
pub(super) fn room(tables: u32, clients: f64) -> f64 {
    let share = clients / f64::from(tables.max(1));
    share + excess(tables) * share.sqrt()
}

/// How much room is enough however they are dealt: five standard deviations more than the mean, as
/// `servers run --tables auto` reckons.
pub(super) fn ample_room(tables: u32, clients: f64) -> f64 {
    let share = (clients / f64::from(tables.max(1))).ceil();
    if tables <= 1 { share } else { share + 5.0 * (share.sqrt() + 1.0) }
}

/// By how many roots of its mean share the fullest table exceeds it.
fn excess(tables: u32) -> f64 {
    let tables = f64::from(tables.max(1));
    deviations(0.5_f64.powf(1.0 / tables)) * (1.0 - 1.0 / tables).sqrt()
}

/// The number of standard deviations below which a normal value is with that probability, to 2 %
/// (Tukey's lambda distribution with 0.135).
fn deviations(probability: f64) -> f64 {
    (probability.powf(0.135) - (1.0 - probability).powf(0.135)) / 0.1975
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Deals clients out until a table is full; says how many there were.
    fn dealt(tables: usize, room: u32, dealer: &mut SmallRng) -> f64 {
        let mut shares = vec![0; tables];
        let mut clients = 0.0;
        loop {
            let share = &mut shares[dealer.random_range(0..tables)];
            if *share == room {
                return clients;
            }
            *share += 1;
            clients += 1.0;
        }
    }

    #[test]
    fn it_is_the_median_of_what_a_fair_dealer_deals() {
        let mut dealer = SmallRng::seed_from_u64(7);
        for (tables, room) in [(2, 500), (4, 1_000), (16, 1_000), (56, 300)] {
            let mut found: Vec<_> = (0..301).map(|_| dealt(tables, room, &mut dealer)).collect();
            found.sort_by(f64::total_cmp);
            let expected = clients(tables as u32, room.into());
            let off = (found[150] - expected).abs() / found[150];
            assert!(off < 0.01, "{tables} x {room}: {} dealt, {expected} expected", found[150]);
        }
    }

    #[test]
    fn one_table_knows_no_chance() {
        assert_eq!((clients(1, 1_000.0), room(1, 1_000.0)), (1_000.0, 1_000.0));
        assert_eq!(clients(4, -3.0), 0.0);
    }

    #[test]
    fn ample_room_is_hardly_ever_too_little() {
        let mut dealer = SmallRng::seed_from_u64(11);
        let room = ample_room(8, 4_000.0) as u32;
        assert!((0..300).all(|_| dealt(8, room, &mut dealer) >= 4_000.0));
        assert_eq!(ample_room(1, 4_000.0), 4_000.0);
    }

    #[test]
    fn the_room_for_so_many_clients_is_the_inverse() {
        for tables in [1, 2, 7, 56] {
            assert!((clients(tables, room(tables, 12_345.0)) - 12_345.0).abs() < 1e-6);
        }
    }
}
