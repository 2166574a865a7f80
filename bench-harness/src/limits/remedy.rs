//! What raises a limit, and the way round where nothing does.

use super::host::{Limit, Setting};
use crate::report::number::{grouped, octets};

/// The most tables that `servers run --tables` takes.
pub(super) const TABLES_MAX: u32 = 1_024;

/// How a server is started; `…` stands for the rest of the line.
pub(super) const START: &str = "servers run …";

impl Setting {
    /// The command that sets the limit to `to`, or the way round where it can't be set so high.
    #[must_use]
    pub fn raise(&self, to: u64) -> String {
        if to <= self.ceiling && !self.command.is_empty() {
            return self.command.replace("{}", &to.to_string());
        }
        match self.limit {
            // One more, since chance fills one table before the others.
            Limit::Nofile => more_tables(self.limit, tables(to, self.ceiling) + 1),
            Limit::FdSetsize => format!("{START} --model select-wide"),
            Limit::Nproc => "run the server as root, or as a user with a higher limit".into(),
            Limit::Workers if self.ceiling == 1 => "nothing: it serves one client at a time".into(),
            Limit::Workers => {
                let (workers, tables) = (self.ceiling, tables(to, self.ceiling));
                format!("{START} --workers {workers} --tables {tables}")
            }
            Limit::Ports => "more addresses for the clients".into(),
            Limit::Memory => {
                let [to, all] = [to, self.ceiling].map(|amount| octets(amount as f64));
                format!("more memory: {to} are needed, the host has {all}")
            }
            // Half of them are for the handler of stack overflows, which the Rust library leaves
            // out where both signals are ignored at start.
            Limit::MaxMapCount => format!(
                "env --ignore-signal=SEGV --ignore-signal=BUS {START} (halves the mappings of a \
                 thread)"
            ),
            _ => format!("nothing: {} is the most here", grouped(self.ceiling as f64)),
        }
    }
}

fn tables(to: u64, ceiling: u64) -> u32 {
    u32::try_from(to.div_ceil(ceiling.max(1))).unwrap_or(u32::MAX)
}

/// Several tables instead of a larger one.
pub(super) fn more_tables(limit: Limit, tables: u32) -> String {
    let other = if limit == Limit::FdSetsize { ", or --model select-wide" } else { "" };
    format!("{START} --tables {tables}{other}")
}

#[cfg(test)]
mod tests {
    use super::super::host::Bound;
    use super::*;

    fn planted(limit: Limit) -> Setting {
        Setting::new(limit, "planted", Bound::AtMost(1_000))
    }

    #[test]
    fn a_limit_is_raised_by_its_command_as_far_as_that_goes() {
        let setting = planted(Limit::Nofile).set_by("prlimit --nofile={}:{} servers run …");
        assert_eq!(setting.raise(5_000), "prlimit --nofile=5000:5000 servers run …");
        assert_eq!(setting.up_to(1_000).raise(5_000), "servers run … --tables 6");
    }

    #[test]
    fn where_no_command_helps_there_is_a_way_round_or_the_bare_truth() {
        let way = |limit| planted(limit).up_to(1_000).raise(5_000);
        assert!(way(Limit::FdSetsize).contains("select-wide"));
        assert!(way(Limit::MaxMapCount).contains("--ignore-signal=SEGV"));
        assert!(way(Limit::Nproc).contains("root"));
        assert_eq!(way(Limit::Workers), "servers run … --workers 1000 --tables 5");
        assert!(planted(Limit::Workers).up_to(1).raise(2).contains("one client at a time"));
        assert_eq!(way(Limit::PidMax), "nothing: 1,000 is the most here");
        assert_eq!(
            planted(Limit::Memory).up_to(1 << 30).raise(3 << 30),
            "more memory: 3 GiB are needed, the host has 1 GiB"
        );
    }
}
