//! What a model needs of a limit, and how many clients the limit allows by that.

use super::appetite::{Appetite, Share};
use super::chance;
use super::host::{Bound, Ends, HostLimits, Limit, Setting};
use super::remedy;
use crate::experiment::model::{AtOnce, Model};
use crate::report::number::{grouped, octets, three};

/// Mappings that `thread` keeps for everything but its clients: it turns clients away before the
/// kernel's limit is reached, since what meets that limit is not answered but aborted.
const MAPPINGS_KEPT: u64 = 256;

/// The most workers that `servers run --workers` takes.
const WORKERS_MAX: u64 = 1_024;

/// What a model needs of one limit.
#[derive(Clone, Debug)]
pub(super) struct Need {
    /// What the limit is set to.
    pub(super) setting: Setting,
    /// What the server has of it, and what each client takes.
    share: Share,
    /// How many descriptor tables have the limit each to itself; 1 when all take from the same.
    tables: u32,
    /// What the model leaves alone.
    kept: u64,
}

/// All that a model needs in so many tables.
pub(super) fn needs(
    model: &Model,
    appetite: &Appetite,
    limits: &HostLimits,
    tables: u32,
) -> Vec<Need> {
    let tables = tables.max(1);
    let of_host = limits.settings.iter().filter_map(|setting| {
        let limit = setting.limit;
        let share = share(setting, model, appetite, tables)?;
        let tables = if per_table(limit) { tables } else { 1 };
        let kept = if limit == Limit::MaxMapCount { MAPPINGS_KEPT } else { 0 };
        (share.each > 0.0).then(|| Need { setting: setting.clone(), share, tables, kept })
    });
    of_host.chain(workers(appetite, tables)).collect()
}

/// What the load generator needs: a port for each connection from one address, and a watch. It has
/// as many descriptor tables as it needs, so no limit of one stops it.
pub(super) fn of_clients(limits: &HostLimits) -> Vec<Need> {
    let share = Share { base: 0.0, each: 1.0 };
    let need = |limit| {
        let setting = limits.setting(limit)?.clone();
        Some(Need { setting, share, tables: 1, kept: 0 })
    };
    [Limit::Ports, Limit::EpollWatches].into_iter().filter_map(need).collect()
}

/// Whether each descriptor table, with its copy of the model, has this limit to itself.
fn per_table(limit: Limit) -> bool {
    matches!(limit, Limit::Nofile | Limit::FdSetsize | Limit::Workers)
}

/// What the server takes from a limit; `None` when the limit is not about this model.
fn share(setting: &Setting, model: &Model, appetite: &Appetite, tables: u32) -> Option<Share> {
    let both = setting.ends == Ends::Both;
    let with_peer = |share: Share, peer: f64| Share {
        each: share.each + if both { peer } else { 0.0 },
        ..share
    };
    let Appetite { descriptors, resident, kernel, watches, .. } = *appetite;
    match setting.limit {
        Limit::Nofile => Some(descriptors),
        Limit::FdSetsize => {
            matches!(model.at_once, AtOnce::Descriptors { .. }).then_some(descriptors)
        }
        Limit::FileMax => {
            let base = descriptors.base * f64::from(tables);
            Some(with_peer(Share { base, ..descriptors }, 1.0))
        }
        Limit::Nproc | Limit::ThreadsMax | Limit::PidMax | Limit::PidsCgroup => {
            Some(appetite.threads)
        }
        Limit::MaxMapCount => Some(appetite.mappings),
        // Not all that the kernel holds for a socket is charged to a cgroup, and a cgroup counts
        // it.
        Limit::MemoryCgroup if appetite.charged.is_some() => appetite.charged,
        Limit::MemoryCgroup | Limit::Memory => {
            let (base, each) = (resident.base + kernel.base, resident.each + kernel.each);
            Some(with_peer(Share { base, each }, appetite.peer.each))
        }
        Limit::TcpMem => Some(appetite.pages),
        // Only of a model that uses epoll: for the others it is the load generator's affair.
        Limit::EpollWatches => (watches.each > 0.0).then(|| with_peer(watches, 1.0)),
        Limit::Ports | Limit::Workers => None,
    }
}

/// Where each client keeps a worker, the workers are the limit.
fn workers(appetite: &Appetite, tables: u32) -> Option<Need> {
    let workers = appetite.workers?;
    let setting = Setting::new(Limit::Workers, "servers list", Bound::AtMost(workers))
        .set_by(format!("{} --workers {{}}", remedy::START))
        // A model that serves one client at a time takes no more workers.
        .up_to(if workers == 1 { 1 } else { WORKERS_MAX });
    Some(Need { setting, share: Share { base: 0.0, each: 1.0 }, tables, kept: 0 })
}

impl Need {
    /// Which limit.
    pub(super) fn limit(&self) -> Limit {
        self.setting.limit
    }

    /// How many clients the limit allows; `None` when it is none, or unknown.
    pub(super) fn clients(&self) -> Option<u64> {
        let Bound::AtMost(left) = self.setting.left() else { return None };
        let room = (left as f64 - self.kept as f64 - self.share.base.round()) / self.share.each;
        Some(chance::clients(self.tables, room) as u64)
    }

    /// Whether the limit is too low for so many clients, however chance deals them out.
    pub(super) fn is_short(&self, clients: u64) -> bool {
        let Bound::AtMost(most) = self.setting.bound else { return false };
        self.setting.waived.is_none() && self.ample_amount(clients) > most
    }

    /// Whether nobody can say how many it allows.
    pub(super) fn is_unknown(&self) -> bool {
        self.setting.left() == Bound::Unknown
    }

    /// What the limit must be set to for so many clients.
    pub(super) fn amount(&self, clients: u64) -> u64 {
        let share = chance::room(self.tables, clients as f64);
        self.amount_for(share)
    }

    /// The same, with room enough however chance deals the clients out.
    pub(super) fn ample_amount(&self, clients: u64) -> u64 {
        self.amount_for(chance::ample_room(self.tables, clients as f64))
    }

    fn amount_for(&self, share: f64) -> u64 {
        let server = self.share.base + self.share.each * share;
        let taken = self.setting.others.unwrap_or(0) + self.setting.reserved + self.kept;
        taken.saturating_add(server.ceil() as u64)
    }

    /// The command that raises it to what so many clients need; empty when it allows them.
    pub(super) fn raise(&self, clients: u64) -> String {
        match self.clients() {
            Some(allowed) if allowed < clients => match self.tables_for(clients) {
                Some(tables) if self.amount(clients) > self.setting.ceiling => {
                    remedy::more_tables(self.limit(), tables)
                }
                _ => self.setting.raise(self.amount(clients)),
            },
            _ => String::new(),
        }
    }

    /// The fewest tables with which so many clients have ample room; `None` when no number is
    /// enough, or the limit is not that of a table.
    pub(super) fn tables_for(&self, clients: u64) -> Option<u32> {
        let Bound::AtMost(most) = self.setting.bound else { return None };
        (self.tables..=remedy::TABLES_MAX)
            .filter(|_| per_table(self.limit()))
            .find(|&tables| Self { tables, ..self.clone() }.ample_amount(clients) <= most)
    }

    /// How the number of clients comes about: `(65,530 - 31 of the server) mappings / 4 = 16,374`.
    pub(super) fn arithmetic(&self) -> String {
        let Bound::AtMost(most) = self.setting.bound else { return String::new() };
        let parts = [
            (self.setting.others.unwrap_or(0), "of others"),
            (self.setting.reserved, "reserved"),
            (self.kept, "kept by the model"),
            (self.share.base.round() as u64, "of the server"),
        ];
        let minus = parts.iter().filter(|(amount, _)| *amount > 0);
        let minus: String = minus
            .map(|(amount, whose)| format!(" - {} {whose}", self.words(*amount as f64)))
            .collect();
        let most = self.words(most as f64);
        let left = if minus.is_empty() { most } else { format!("({most}{minus})") };
        let (each, dealt) = (self.each(), self.dealt());
        let clients = self.clients().map(|count| grouped(count as f64)).unwrap_or_default();
        // Octets bring their unit with them.
        let unit = match self.limit() {
            limit if is_octets(limit) => String::new(),
            limit => format!(" {}", limit.unit()),
        };
        format!("{left}{unit}{each}{dealt} = {clients}")
    }

    fn each(&self) -> String {
        let ends = if self.setting.ends == Ends::Both { ", both ends" } else { "" };
        match self.share.each {
            1.0 => String::new(),
            each if is_octets(self.setting.limit) => format!(" / {} a client{ends}", octets(each)),
            each => format!(" / {} a client{ends}", three(each)),
        }
    }

    fn dealt(&self) -> String {
        match self.tables {
            0 | 1 => String::new(),
            tables => format!(" x {tables} tables, until by chance the first is full"),
        }
    }

    fn words(&self, amount: f64) -> String {
        if is_octets(self.setting.limit) { octets(amount) } else { grouped(amount) }
    }
}

fn is_octets(limit: Limit) -> bool {
    matches!(limit, Limit::Memory | Limit::MemoryCgroup)
}
