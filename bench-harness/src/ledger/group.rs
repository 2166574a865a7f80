//! Holders as tables and charts show them: few enough to be told apart.

use super::account::Account;
use super::holder::Holder;

/// Some holders under one name.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The name.
    pub name: &'static str,
    /// Who belongs to it.
    pub holders: &'static [Holder],
}

/// All holders, in order. The last but one is the load generator's end.
pub const GROUPS: [Group; 9] = [
    Group { name: "user memory", holders: &[Holder::Heap, Holder::Stacks, Holder::OtherUser] },
    Group { name: "kernel stack", holders: &[Holder::KernelStacks] },
    Group {
        name: "thread, mappings, page tables",
        holders: &[Holder::Threads, Holder::Mappings, Holder::PageTables],
    },
    Group { name: "kept for sending", holders: &[Holder::Sending] },
    Group { name: "socket", holders: &[Holder::Sockets] },
    Group { name: "epoll", holders: &[Holder::Epoll] },
    Group {
        name: "slack and the rest, both ends",
        holders: &[Holder::Tables, Holder::OtherSlabs, Holder::Slack, Holder::PerCpu],
    },
    Group { name: "load generator's end", holders: &[Holder::Client] },
    Group { name: "unexplained", holders: &[Holder::Unexplained] },
];

impl Group {
    /// What the group has of an account, in octets for each of so many connections.
    #[must_use]
    pub fn each(&self, account: &Account, connections: u64) -> f64 {
        let octets: i64 = self.holders.iter().map(|holder| account.of(*holder)).sum();
        octets as f64 / connections.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_holder_is_in_one_group() {
        let all: Vec<_> = GROUPS.iter().flat_map(|group| group.holders).collect();
        assert_eq!(all.len(), Holder::ALL.len());
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), Holder::ALL.len());
    }
}
