//! What a thread costs, by the size of its stack.
//!
//! A stack is a range of addresses; memory comes to it page by page, when it is touched. So threads
//! of the same program cost the same with a small stack as with a large one, up to the page tables.

use super::holder::Holder;
use super::trial::{Found, Held};

/// What one thread adds, all in octets but the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Anatomy {
    /// Threads that were added.
    pub threads: f64,
    /// Addresses of its stacks, guards included.
    pub addresses: f64,
    /// Mappings for its stacks, guards included; a count.
    pub mappings: f64,
    /// Stacks that were touched.
    pub stack: f64,
    /// Other user memory.
    pub user: f64,
    /// Its stack in the kernel.
    pub kernel_stack: f64,
    /// Page tables.
    pub page_tables: f64,
    /// Objects of the kernel for it and for its mappings.
    pub objects: f64,
    /// The block that it keeps for sending.
    pub sending: f64,
}

impl Anatomy {
    /// From a trial in which each client had a thread; `None` where there is none.
    #[must_use]
    pub fn of(held: &Held) -> Option<Self> {
        let Found { account, server: (idle, full), .. } = held.found.as_ref()?;
        let threads = full.threads.checked_sub(idle.threads).filter(|threads| *threads > 0)? as f64;
        // Of all threads but the first, whose stack is the program's. A difference would be too
        // small: the C library keeps the stacks of threads that have ended, and gives them to new
        // ones.
        let each = |all: u64| all as f64 / full.threads.saturating_sub(1).max(1) as f64;
        let item = |holder| account.of(holder) as f64 / threads;
        Some(Self {
            threads,
            addresses: each(full.user.stack_addresses),
            mappings: each(full.user.stack_mappings),
            stack: item(Holder::Stacks),
            user: item(Holder::Heap) + item(Holder::OtherUser),
            kernel_stack: item(Holder::KernelStacks),
            page_tables: item(Holder::PageTables),
            objects: item(Holder::Threads) + item(Holder::Mappings),
            sending: item(Holder::Sending),
        })
    }

    /// All memory of a thread; its connection is not in it.
    #[must_use]
    pub fn memory(&self) -> f64 {
        let kernel = self.kernel_stack + self.page_tables + self.objects + self.sending;
        self.stack + self.user + kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::ledger::account::Account;
    use crate::ledger::moment::Role;
    use crate::ledger::smaps::UserMemory;
    use crate::ledger::trial::{Hold, Outcome, Overflow};

    fn held(threads: u64) -> Held {
        let mut account = Account::default();
        account.items.insert(Holder::Stacks, 8_192 * 100);
        account.items.insert(Holder::KernelStacks, 16_384 * 100);
        let role = |threads, stack_addresses| {
            let user = UserMemory { stack_addresses, ..UserMemory::default() };
            Role { threads, user, ..Role::default() }
        };
        let (idle, full) = (role(1, 0), role(1 + threads, 65_536 * 100));
        let (model, overflow) = ("thread".to_owned(), Overflow::Handled);
        Held {
            hold: Hold { model, app: App::Echo, connections: 100, stack: None, overflow },
            outcome: Outcome::Held,
            reason: String::new(),
            found: Some(Found { base: Account::default(), account, server: (idle, full), left: 0 }),
            attempts: 1,
        }
    }

    #[test]
    fn everything_is_divided_by_the_threads() {
        let anatomy = Anatomy::of(&held(100)).unwrap();
        assert_eq!((anatomy.stack, anatomy.kernel_stack), (8_192.0, 16_384.0));
        assert_eq!((anatomy.addresses, anatomy.memory()), (65_536.0, 24_576.0));
    }

    #[test]
    fn without_a_thread_there_is_nothing_to_divide_by() {
        assert_eq!(Anatomy::of(&held(0)), None);
    }
}
