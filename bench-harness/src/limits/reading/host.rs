//! The limits of the whole host: `/proc/sys`, `/proc/meminfo`, `/proc/net/sockstat`.

use std::fs;

use nix::unistd::{AccessFlags, access};

use super::process::Process;
use super::{field, number};
use crate::limits::host::{Bound, Fact, Limit, Setting};

/// The most threads that the kernel can number in a futex: FUTEX_TID_MASK.
const THREADS_CEILING: u64 = 0x3fff_ffff;

/// sysctls that are `int` in the kernel.
const INT_MAX: u64 = i32::MAX as u64;

pub(super) fn settings(process: &Process) -> Vec<Setting> {
    vec![
        file_max(process),
        threads_max(process),
        sysctl(Limit::MaxMapCount, "/proc/sys/vm/max_map_count").up_to(INT_MAX),
        memory(process),
        tcp_mem(),
        epoll_watches(),
        ports(),
    ]
}

fn sysctl(limit: Limit, path: &str) -> Setting {
    let value = number(path);
    let bound = value.map_or(Bound::Unknown, Bound::AtMost);
    // In many containers /proc/sys can only be read.
    let writable = access(path, AccessFlags::W_OK).is_ok();
    let ceiling = if writable { u64::MAX } else { value.unwrap_or(0) };
    Setting::new(limit, path, bound).set_by(format!("sysctl -w {}={{}}", name(path))).up_to(ceiling)
}

/// `vm.max_map_count` for `/proc/sys/vm/max_map_count`.
fn name(path: &str) -> String {
    path.trim_start_matches("/proc/sys/").replace('/', ".")
}

fn file_max(process: &Process) -> Setting {
    let setting = sysctl(Limit::FileMax, "/proc/sys/fs/file-max");
    let waived = process.is_admin().then(|| "not held against CAP_SYS_ADMIN".to_owned());
    Setting { waived, ..setting.used(number("/proc/sys/fs/file-nr")).both_ends() }
}

/// The threads that there are stand behind the slash in `/proc/loadavg`: `0.20 0.18 0.12 1/80
/// 11206`.
fn threads_max(process: &Process) -> Setting {
    let loadavg = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let threads = loadavg.split(['/', ' ']).nth(4).and_then(|word| word.parse::<u64>().ok());
    let others = threads.map(|threads| threads.saturating_sub(process.own_threads()));
    sysctl(Limit::ThreadsMax, "/proc/sys/kernel/threads-max").used(others).up_to(THREADS_CEILING)
}

fn memory(process: &Process) -> Setting {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let octets = |name: &str| field(&meminfo, name).map(|kibi| kibi * 1024);
    let total = octets("MemTotal:");
    let taken = total.zip(octets("MemAvailable:")).map(|(all, free)| all.saturating_sub(free));
    let others = taken.map(|taken| taken.saturating_sub(process.own_resident()));
    let bound = total.map_or(Bound::Unknown, Bound::AtMost);
    let setting = Setting::new(Limit::Memory, "/proc/meminfo", bound).used(others);
    setting.both_ends().up_to(total.unwrap_or(0))
}

/// The third number is the one beyond which nobody gets any more; sockstat counts in the same
/// pages.
fn tcp_mem() -> Setting {
    const PATH: &str = "/proc/sys/net/ipv4/tcp_mem";
    let text = fs::read_to_string(PATH).unwrap_or_default();
    let numbers: Vec<&str> = text.split_whitespace().collect();
    let most = numbers.get(2).and_then(|word| word.parse().ok());
    let below = numbers.iter().take(2).map(|word| format!("{word} ")).collect::<String>();
    let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let bound = most.map_or(Bound::Unknown, Bound::AtMost);
    let setting = Setting::new(Limit::TcpMem, PATH, bound).used(pages_in_use(&sockstat));
    setting.set_by(format!("sysctl -w {}=\"{below}{{}}\"", name(PATH))).both_ends()
}

fn pages_in_use(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find(|line| line.starts_with("TCP:"))?;
    line.split_whitespace().skip_while(|&word| word != "mem").nth(1)?.parse().ok()
}

/// What users watch is only known for all of them together, by the kernel's objects: that is at
/// least what this one watches.
fn epoll_watches() -> Setting {
    let slabinfo = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let setting = sysctl(Limit::EpollWatches, "/proc/sys/fs/epoll/max_user_watches");
    // Without slabinfo (not root) what is used is taken to be nothing: the limit counts millions.
    setting.used(Some(field(&slabinfo, "eventpoll_epi ").unwrap_or(0))).both_ends()
}

fn ports() -> Setting {
    const PATH: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let text = fs::read_to_string(PATH).unwrap_or_default();
    let setting = Setting::new(Limit::Ports, PATH, port_count(&text)).up_to(65_535 - 1_024 + 1);
    setting.set_by(format!("sysctl -w {}=\"1024 65535\"", name(PATH)))
}

fn port_count(range: &str) -> Bound {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => Bound::AtMost(last - first + 1),
        _ => Bound::Unknown,
    }
}

/// What stops nobody, but belongs beside what does.
pub(super) fn facts() -> Vec<Fact> {
    [
        ("the highest RLIMIT_NOFILE", "/proc/sys/fs/nr_open"),
        ("clients that may wait to be accepted", "/proc/sys/net/core/somaxconn"),
        ("how memory is promised", "/proc/sys/vm/overcommit_memory"),
    ]
    .map(|(name, path)| Fact {
        name: name.into(),
        source: path.into(),
        value: number(path).map_or_else(|| "unknown".into(), |value| value.to_string()),
    })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_both_ends_of_a_range_of_ports() {
        assert_eq!(port_count("32768\t60999\n"), Bound::AtMost(28_232));
        assert_eq!(port_count("60999 32768"), Bound::Unknown);
        assert_eq!(port_count(""), Bound::Unknown);
    }

    #[test]
    fn a_sysctl_is_set_by_its_name() {
        let setting = sysctl(Limit::MaxMapCount, "/proc/sys/vm/max_map_count");
        assert_eq!(setting.command, "sysctl -w vm.max_map_count={}");
    }

    #[test]
    fn finds_the_pages_of_tcp() {
        let text = "sockets: used 15\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 262\nUDP: mem 3\n";
        assert_eq!(pages_in_use(text), Some(262));
        assert_eq!(pages_in_use("UDP: inuse 0 mem 0\n"), None);
    }
}
