//! From two moments to an account: the total, its items, and what they do not explain.
//!
//! ```text
//! total       = what the host has less of, without what others took (the background)
//! background  = page cache + file systems' objects + other programs' memory and page tables
//! unexplained = total - Σ items
//! ```
//!
//! Pages that a CPU keeps at hand are free. The two ends are told apart by process where memory is
//! a process's. Objects of sockets are dealt out in halves, since both ends have the same. Of the
//! epoll entries the load generator has one a connection, and the server the rest; how many there
//! are is told by their entries in wait queues, since they share slabs with the ports that clients
//! take. What remains is both ends': slack, large blocks, objects that belong to neither.

use std::collections::BTreeMap;

use super::holder::Holder;
use super::moment::{Moment, Role};
use super::shares::{Shares, sockets};
use super::slabs::Slab;

/// The largest share of a total that may stay unexplained, in percent, before a row is marked.
pub const UNEXPLAINED_MAX: f64 = 5.0;

/// Sockets that count as used, since CPUs keep them at hand.
const AT_HAND: f64 = 300.0;

/// What was added between two moments, in octets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// What the host has less of, without the background.
    pub total: i64,
    /// What others took meanwhile.
    pub background: i64,
    /// What each holder has of the total, [`Holder::Unexplained`] included: their sum is the total.
    pub items: BTreeMap<Holder, i64>,
    /// The kernel's objects that were added, by name.
    pub objects: BTreeMap<String, Added>,
    /// Charged to the server's group.
    pub server_charged: Option<i64>,
    /// Charged to the load generator's group.
    pub client_charged: Option<i64>,
    /// Sockets beyond two for each connection: those of other programs.
    pub foreign_sockets: i64,
    /// More in buffers of sockets; these lie in slabs and pages that are counted there.
    pub socket_buffers: i64,
}

/// Objects of one name that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// How many.
    pub objects: i64,
    /// The size of one, in octets.
    pub object_octets: u64,
    /// Their slabs, in octets.
    pub octets: i64,
}

impl Added {
    /// The first so many objects, without slack, and the rest.
    pub(super) fn split(&self, objects: i64) -> (Self, Self) {
        let first = objects.min(self.objects.max(0));
        let octets = first * self.object_octets as i64;
        let rest = Self { objects: self.objects - first, octets: self.octets - octets, ..*self };
        (Self { objects: first, octets, ..*self }, rest)
    }
}

impl Account {
    /// The account of what was added from `before` to `after` for so many connections.
    #[must_use]
    pub fn between(before: &Moment, after: &Moment, connections: u64) -> Self {
        let objects = added(before, after);
        let shares = Shares::of(&objects, connections, after.slabs.wait_entries.as_deref());
        let background = shares.files + others(before, after);
        let total = less(before, after) - background;
        let mut items = items(before, after, &shares);
        items.insert(Holder::Unexplained, total - items.values().sum::<i64>());
        Self {
            total,
            background: background + more(before, after, |moment| moment.memory.cache),
            items,
            server_charged: charged(&before.server, &after.server),
            client_charged: charged(&before.client, &after.client),
            foreign_sockets: sockets(&objects) - 2 * connections as i64,
            objects,
            socket_buffers: more(before, after, |moment| moment.socket_buffers),
        }
    }

    /// What a holder has.
    #[must_use]
    pub fn of(&self, holder: Holder) -> i64 {
        self.items.get(&holder).copied().unwrap_or(0)
    }

    /// What the items do not explain, in percent of the total; `None` where there is no total.
    #[must_use]
    pub fn unexplained_percent(&self) -> Option<f64> {
        let unexplained = self.of(Holder::Unexplained) as f64;
        (self.total > 0).then(|| 100.0 * unexplained.abs() / self.total as f64)
    }

    /// Whether the items can be read as those of so many connections: little is unexplained, and
    /// few sockets are those of others. Objects that CPUs keep at hand are none.
    #[must_use]
    pub fn believed(&self, connections: u64) -> bool {
        let few = AT_HAND + 2.0 * connections as f64 * UNEXPLAINED_MAX / 100.0;
        let explained =
            self.unexplained_percent().is_some_and(|percent| percent <= UNEXPLAINED_MAX);
        explained && self.foreign_sockets.unsigned_abs() as f64 <= few
    }

    /// What is in the total and charged to neither group.
    #[must_use]
    pub fn uncharged(&self) -> Option<i64> {
        Some(self.total - self.server_charged? - self.client_charged?)
    }
}

fn more(before: &Moment, after: &Moment, of: impl Fn(&Moment) -> u64) -> i64 {
    of(after) as i64 - of(before) as i64
}

/// What the host has less of, the contents of files not counted.
fn less(before: &Moment, after: &Moment) -> i64 {
    let spare = |moment: &Moment| moment.free + moment.memory.cache;
    -more(before, after, spare)
}

/// User memory and page tables of processes that are neither server nor load generator.
fn others(before: &Moment, after: &Moment) -> i64 {
    let all = |moment: &Moment| moment.memory.anonymous + moment.memory.page_tables;
    let own = |moment: &Moment| own(&moment.server) + own(&moment.client);
    more(before, after, all) - more(before, after, own)
}

fn own(role: &Role) -> u64 {
    role.user.octets() + role.page_tables
}

fn charged(before: &Role, after: &Role) -> Option<i64> {
    // Before it starts, nothing is charged to it.
    Some(after.charged? as i64 - before.charged.unwrap_or(0) as i64)
}

fn added(before: &Moment, after: &Moment) -> BTreeMap<String, Added> {
    let names = after.slabs.kinds.keys().map(|name| (name.clone(), pair(before, after, name)));
    names.filter(|(_, added)| added.objects != 0 || added.octets != 0).collect()
}

fn pair(before: &Moment, after: &Moment, name: &str) -> Added {
    let (before, after): (Slab, Slab) = (before.slabs.of(name), after.slabs.of(name));
    Added {
        objects: after.objects as i64 - before.objects as i64,
        object_octets: after.object_octets,
        octets: after.octets as i64 - before.octets as i64,
    }
}

fn items(before: &Moment, after: &Moment, shares: &Shares) -> BTreeMap<Holder, i64> {
    let more = |of: fn(&Moment) -> u64| more(before, after, of);
    let slabs = |moment: &Moment| moment.slabs.octets();
    let large = more(|moment| moment.memory.slab) - self::more(before, after, slabs);
    BTreeMap::from([
        (Holder::Heap, more(|moment| moment.server.user.heap)),
        (Holder::Stacks, more(|moment| moment.server.user.stacks)),
        (Holder::OtherUser, more(|moment| moment.server.user.other)),
        (Holder::KernelStacks, more(|moment| moment.memory.stacks)),
        (Holder::Threads, shares.threads),
        (Holder::Mappings, shares.mappings),
        (Holder::PageTables, more(|moment| moment.server.page_tables)),
        (Holder::Sending, more(|moment| moment.sending)),
        (Holder::Sockets, shares.server_sockets),
        (Holder::Epoll, shares.server_epoll),
        (Holder::Tables, large + more(|moment| moment.memory.mapped_blocks)),
        (Holder::OtherSlabs, shares.other),
        (Holder::Slack, shares.slack),
        (Holder::PerCpu, more(|moment| moment.memory.per_cpu)),
        (Holder::Client, more(|moment| own(&moment.client)) + shares.client),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::slabs::Slabs;
    use crate::ledger::smaps::UserMemory;

    const MIB: u64 = 1 << 20;

    fn slabs(all: &[(&str, u64, u64, u64)]) -> Slabs {
        let slab = |&(name, objects, object_octets, octets): &(&str, u64, u64, u64)| {
            (name.to_owned(), Slab { objects, object_octets, octets })
        };
        Slabs { kinds: all.iter().map(slab).collect(), wait_entries: None }
    }

    /// 64 MiB of free memory, nothing else.
    fn before() -> Moment {
        Moment { free: 64 * MIB, ..Moment::default() }
    }

    /// 1,000 connections: sockets of 2 KiB, the server's 1 MiB of heap, the client's 2 MiB.
    fn after() -> Moment {
        let mut moment = before();
        moment.slabs = slabs(&[
            ("TCP", 2_000, 2_048, 5 * MIB),
            ("sock_inode_cache", 2_000, 512, MIB),
            ("eventpoll_epi", 2_000, 128, 256_000),
            ("eventpoll_pwq", 2_000, 0, 0),
        ]);
        moment.memory.slab = 6 * MIB + 256_000;
        moment.memory.anonymous = 3 * MIB;
        moment.server.user = UserMemory { heap: MIB, ..UserMemory::default() };
        moment.client.user = UserMemory { heap: 2 * MIB, ..UserMemory::default() };
        moment.free = 64 * MIB - moment.memory.slab - 3 * MIB;
        moment
    }

    #[test]
    fn items_explain_the_total() {
        let account = Account::between(&before(), &after(), 1_000);
        assert_eq!(account.total, (9 * MIB + 256_000) as i64);
        assert_eq!(account.of(Holder::Unexplained), 0);
        assert_eq!(account.of(Holder::Heap), MIB as i64);
        assert_eq!(account.of(Holder::Sockets), 1_000 * (2_048 + 512));
        assert_eq!(account.of(Holder::Epoll), 128_000);
        assert_eq!(account.of(Holder::Client), 2 * MIB as i64 + 1_000 * (2_048 + 512 + 128));
        assert_eq!(account.of(Holder::Slack), 6 * MIB as i64 - 2_000 * (2_048 + 512));
    }

    #[test]
    fn what_nobody_holds_is_unexplained() {
        let mut later = after();
        later.free -= MIB;
        let account = Account::between(&before(), &later, 1_000);
        assert_eq!(account.of(Holder::Unexplained), MIB as i64);
        let percent = account.unexplained_percent().unwrap();
        assert!((percent - 100.0 / (10.0 + 256_000.0 / MIB as f64)).abs() < 1e-9, "{percent}");
        assert_eq!(account.items.values().sum::<i64>(), account.total);
    }

    #[test]
    fn sockets_of_others_are_a_reason_for_doubt() {
        let account = Account::between(&before(), &after(), 1_000);
        assert_eq!(account.foreign_sockets, 0);
        assert!(account.believed(1_000));
        assert!(Account { foreign_sockets: 350, ..account.clone() }.believed(1_000));
        assert!(!Account { foreign_sockets: 450, ..account.clone() }.believed(1_000));
        assert!(!Account { foreign_sockets: -450, ..account }.believed(1_000));
    }

    #[test]
    fn the_page_cache_is_nobodys() {
        let mut later = after();
        later.free -= 8 * MIB;
        later.memory.cache += 8 * MIB;
        let account = Account::between(&before(), &later, 1_000);
        assert_eq!(account.total, Account::between(&before(), &after(), 1_000).total);
        assert_eq!(account.background, 8 * MIB as i64);
    }

    #[test]
    fn other_programs_and_files_are_background() {
        let mut later = after();
        later.free -= 7 * MIB;
        later.memory.anonymous += 4 * MIB;
        later
            .slabs
            .kinds
            .insert("ext4_inode_cache".into(), Slab { octets: 3 * MIB, ..Slab::default() });
        later.memory.slab += 3 * MIB;
        let account = Account::between(&before(), &later, 1_000);
        assert_eq!((account.background, account.of(Holder::Unexplained)), (7 * MIB as i64, 0));
    }

    #[test]
    fn entries_that_share_slabs_with_mappings_are_epolls_as_many_as_it_watches() {
        let mut later = after();
        later.slabs.kinds.remove("eventpoll_pwq");
        let both = slabs(&[("anon_vma_chain", 2_500, 64, 160_000), ("anon_vma", 500, 0, 0)]);
        later.slabs.kinds.extend(both.kinds);
        later.slabs.wait_entries = Some("anon_vma_chain".into());
        later.memory.slab += 160_000;
        later.free -= 160_000;
        let account = Account::between(&before(), &later, 1_000);
        assert_eq!(account.of(Holder::Epoll), 1_000 * (128 + 64));
        assert_eq!(account.of(Holder::Mappings), 500 * 64);
        assert_eq!(account.of(Holder::Unexplained), 0);
    }

    #[test]
    fn what_shares_slabs_with_the_entries_of_epoll_is_the_clients() {
        let mut later = after();
        later.slabs.kinds.extend(slabs(&[("eventpoll_epi", 3_500, 128, 448_000)]).kinds);
        later.memory.slab += 192_000;
        later.free -= 192_000;
        let account = Account::between(&before(), &later, 1_000);
        let less = Account::between(&before(), &after(), 1_000);
        assert_eq!(account.of(Holder::Epoll), less.of(Holder::Epoll));
        assert_eq!(account.of(Holder::Client) - less.of(Holder::Client), 1_500 * 128);
    }

    #[test]
    fn names_beyond_those_of_sockets_are_of_files() {
        let mut later = after();
        later.slabs.kinds.insert("dentry".into(), slabs(&[("", 5_000, 100, 512_000)]).of(""));
        later.memory.slab += 512_000;
        later.free -= 512_000;
        let account = Account::between(&before(), &later, 1_000);
        assert_eq!(account.background, 512_000 - 200_000);
        assert_eq!(account.of(Holder::Sockets), 1_000 * (2_048 + 512 + 100));
        assert_eq!(account.of(Holder::Unexplained), 0);
    }

    #[test]
    fn stacks_and_blocks_for_sending_are_items() {
        let mut later = after();
        later.memory.stacks += 16 * MIB;
        later.sending += 32 * MIB;
        later.free -= 48 * MIB;
        let account = Account::between(&before(), &later, 1_000);
        assert_eq!(account.of(Holder::KernelStacks), 16 * MIB as i64);
        assert_eq!(account.of(Holder::Sending), 32 * MIB as i64);
        assert_eq!(account.of(Holder::Unexplained), 0);
    }

    #[test]
    fn what_no_group_is_charged_with_is_told() {
        let (mut first, mut later) = (before(), after());
        (first.server.charged, first.client.charged) = (Some(0), Some(0));
        later.server.charged = Some(2 * MIB);
        assert_eq!(Account::between(&first, &later, 1_000).uncharged(), None);
        later.client.charged = Some(4 * MIB);
        let uncharged = Account::between(&first, &later, 1_000).uncharged();
        assert_eq!(uncharged, Some((3 * MIB + 256_000) as i64));
    }
}
