//! What raises a limit, and the way round where nothing does.

use super::host::{Limit, Setting};
use crate::report::number::{grouped, octets};

/// The most tables that `servers run --tables` takes.
pub(super) const TABLES_MAX: u32 = 1_024;

/// Half the mappings of a thread are for the handler of stack overflows, which the Rust library
/// leaves out where both signals are ignored at start.
const WITHOUT_HANDLERS: &str = "env --ignore-signal=SEGV --ignore-signal=BUS servers run … (halves \
                                the mappings of a thread)";

impl Setting {
    /// The command that sets the limit to `to`, or the way round where it can't be set so high.
    #[must_use]
    pub fn raise(&self, to: u64) -> String {
        if to <= self.ceiling && !self.command.is_empty() {
            return self.command.replace("{}", &to.to_string());
        }
        match self.limit {
            Limit::Nofile => {
                let tables = to.div_ceil(self.ceiling.max(1)) + 1;
                more_tables(self.limit, u32::try_from(tables).ok())
            }
            Limit::FdSetsize => "servers run --model select-wide …".into(),
            Limit::MaxMapCount => WITHOUT_HANDLERS.into(),
            Limit::Nproc => "run the server as root, or under a user with a higher limit".into(),
            Limit::Memory | Limit::MemoryCgroup => {
                let [to, ceiling] = [to, self.ceiling].map(|amount| octets(amount as f64));
                format!("more memory: {to} are needed, and there are {ceiling}")
            }
            Limit::Ports => "more addresses for the clients".into(),
            Limit::Workers => format!("{}, with a copy in each", more_tables(self.limit, None)),
            _ => format!("nothing: {} is the most it can be here", grouped(self.ceiling as f64)),
        }
    }
}

/// Several tables instead of a larger one; `None` when even the most are too few, or nobody knows.
pub(super) fn more_tables(limit: Limit, tables: Option<u32>) -> String {
    let other = if limit == Limit::FdSetsize { "--model select-wide, or " } else { "" };
    let tables = tables.map_or_else(|| "N".into(), |tables| tables.to_string());
    format!("servers run … {other}--tables {tables}")
}
