//! What a run found, in sentences made from its figures.

use super::anatomy::Anatomy;
use super::group::GROUPS;
use super::holder::Holder;
use super::switches::Switches;
use super::trial::{Found, Held, Overflow};
use crate::report::number::{grouped, octets, three, times};

/// Below this ratio two models take the same.
const ALIKE: f64 = 1.01;

/// A trial that was held, with what was found.
pub type Row<'a> = (&'a Held, &'a Found);

/// Everything that a run measured.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// A trial a model and number of connections.
    pub ledger: &'a [Held],
    /// A trial a size of stacks.
    pub threads: &'a [Held],
    /// A row a model.
    pub switches: &'a [Switches],
}

/// The numbers of connections that were asked for, each once, from few to many.
#[must_use]
pub fn steps(ledger: &[Held]) -> Vec<u64> {
    let mut steps: Vec<_> = ledger.iter().map(|held| held.hold.connections).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The trials with so many connections that were held, the dearest last.
#[must_use]
pub fn held(ledger: &[Held], connections: u64) -> Vec<Row<'_>> {
    let of_step = ledger.iter().filter(|held| held.hold.connections == connections);
    let mut rows: Vec<_> = of_step.filter_map(|held| Some((held, held.found.as_ref()?))).collect();
    rows.sort_by(|a, b| server_each(*a).total_cmp(&server_each(*b)));
    rows
}

/// What a connection costs without the load generator's end, in octets.
#[must_use]
pub fn server_each((held, found): Row<'_>) -> f64 {
    let account = &found.account;
    (account.total - account.of(Holder::Client)) as f64 / held.hold.connections.max(1) as f64
}

/// What a number of connections found.
#[must_use]
pub fn of_step(ledger: &[Held], connections: u64) -> String {
    let clients = grouped(connections as f64);
    let mut rows = held(ledger, connections);
    if rows.is_empty() {
        return format!("No model held {clients} connections");
    }
    rows.retain(|(held, found)| found.account.believed(held.hold.connections));
    match rows.as_slice() {
        [] => format!("With {clients} idle connections, too much is unexplained: repeat it"),
        [only] => format!(
            "With {clients} idle connections, {} costs the server {} each",
            only.0.hold.model,
            octets(server_each(*only))
        ),
        [cheap, .., dear] => contrast(&clients, *cheap, *dear),
    }
}

fn contrast(clients: &str, cheap: Row<'_>, dear: Row<'_>) -> String {
    let (less, more) = (server_each(cheap), server_each(dear));
    let ratio = more / less.max(1.0);
    let apart = match ratio < ALIKE {
        true => "the same within 1 %".into(),
        false => format!("{} as much", times(ratio)),
    };
    format!(
        "With {clients} idle connections, each costs the server {} with {} and {} with {}, \
         {apart}; the largest part of that is {}",
        octets(less),
        cheap.0.hold.model,
        octets(more),
        dear.0.hold.model,
        largest(dear),
    )
}

/// The group that has most of the server's end.
fn largest((held, found): Row<'_>) -> &'static str {
    let each = |n: usize| GROUPS[n].each(&found.account, held.hold.connections);
    let server = GROUPS.len() - 2;
    (0..server).max_by(|a, b| each(*a).total_cmp(&each(*b))).map_or("", |n| GROUPS[n].name)
}

/// Threads by the size of their stacks, with the run time's handler of overflows or without.
#[must_use]
pub fn anatomies(threads: &[Held], overflow: Overflow) -> Vec<(u64, Anatomy)> {
    let of_kind = threads.iter().filter(|held| held.hold.overflow == overflow);
    let mut all: Vec<_> =
        of_kind.filter_map(|held| Some((held.hold.stack?, Anatomy::of(held)?))).collect();
    all.sort_by_key(|(stack, _)| *stack);
    all
}

/// What the sizes of stacks found.
#[must_use]
pub fn of_threads(threads: &[Held]) -> String {
    let all = anatomies(threads, Overflow::Handled);
    let (Some((small, cheap)), Some((large, dear))) = (all.first(), all.last()) else {
        return "No thread was measured".into();
    };
    if small == large {
        return format!("A thread costs {}: {}", octets(cheap.memory()), parts(cheap));
    }
    format!(
        "A stack is address space: a thread with one of {} costs {}, one of {} costs {} ({}); {}",
        octets(*small as f64),
        octets(cheap.memory()),
        octets(*large as f64),
        octets(dear.memory()),
        times(dear.memory() / cheap.memory().max(1.0)),
        parts(dear),
    )
}

fn parts(anatomy: &Anatomy) -> String {
    format!(
        "{} kernel stack, {} kept for sending, {} of user memory touched, {} page tables",
        octets(anatomy.kernel_stack),
        octets(anatomy.sending),
        octets(anatomy.stack + anatomy.user),
        octets(anatomy.page_tables),
    )
}

/// What the handler of overflows costs in mappings; `None` where one of the two is missing.
#[must_use]
pub fn of_mappings(threads: &[Held]) -> Option<String> {
    let with = anatomies(threads, Overflow::Handled).first()?.1.mappings;
    let without = anatomies(threads, Overflow::Ignored).first()?.1.mappings;
    Some(format!(
        "A thread takes {} mappings, and {} when SIGSEGV and SIGBUS are ignored at the start of \
         the program: its run time then gives it no stack for signals",
        three(with),
        three(without),
    ))
}

/// What the switches found; `None` where one of the two models is missing.
#[must_use]
pub fn of_switches(switches: &[Switches]) -> Option<String> {
    let of = |model: &str| switches.iter().find(|row| row.model == model)?.each();
    let (thread, reactor) = (of("thread")?, of("epoll-level")?);
    Some(format!(
        "For one request, thread switches {} times and epoll-level {} times",
        three(thread),
        three(reactor),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::ledger::account::Account;
    use crate::ledger::moment::Role;
    use crate::ledger::trial::{Hold, Outcome};

    fn trial(model: &str, sockets: i64, stacks: i64) -> Held {
        let mut account = Account { total: sockets + stacks + 500_000, ..Account::default() };
        account.items.insert(Holder::Sockets, sockets);
        account.items.insert(Holder::KernelStacks, stacks);
        account.items.insert(Holder::Client, 500_000);
        let role = |threads| Role { threads, ..Role::default() };
        let server = (role(1), role(1 + 1_000 * i64::signum(stacks) as u64));
        let found = Found { base: Account::default(), account, server, left: 0 };
        let hold = Hold {
            model: model.into(),
            app: App::Echo,
            connections: 1_000,
            stack: Some(65_536),
            overflow: Overflow::Handled,
        };
        Held {
            hold,
            outcome: Outcome::Held,
            reason: String::new(),
            found: Some(found),
            attempts: 1,
        }
    }

    #[test]
    fn the_cheapest_and_the_dearest_are_named_with_what_makes_the_difference() {
        let ledger = [trial("thread", 4_096_000, 16_384_000), trial("poll", 4_096_000, 0)];
        let words = of_step(&ledger, 1_000);
        assert!(words.contains("4 KiB with poll and 20 KiB with thread, 5.0 × as much"), "{words}");
        assert!(words.ends_with("the largest part of that is kernel stack"), "{words}");
        assert_eq!(steps(&ledger), [1_000]);
    }

    #[test]
    fn what_nobody_held_is_said() {
        assert_eq!(of_step(&[], 9), "No model held 9 connections");
        assert_eq!(of_threads(&[]), "No thread was measured");
        assert!(of_mappings(&[]).is_none() && of_switches(&[]).is_none());
    }

    #[test]
    fn one_size_of_stack_is_no_contrast() {
        let words = of_threads(&[trial("thread", 0, 16_384_000)]);
        assert!(words.starts_with("A thread costs 16 KiB: 16 KiB kernel stack"), "{words}");
    }
}
