//! What this process needs for XDP and does not have.

use std::sync::OnceLock;
use std::{fmt, fs, io};

use super::{Kind, Map, Program, Type};
use crate::programs;

/// Why there is no XDP for this process. Its words are for the one who starts it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Missing {
    /// The kernel, or a filter of system calls around this process, has no bpf(2).
    SystemCall,
    /// Capabilities are missing: their names, see capabilities(7).
    Capabilities(Vec<&'static str>),
    /// The capabilities are there; the kernel says no nevertheless.
    Refused(String),
}

/// What is needed, with its bit in the sets of capabilities(7).
const NEEDED: [(&str, u32); 2] = [("CAP_NET_ADMIN", 12), ("CAP_BPF", 39)];
/// Has the rights of `CAP_BPF` too, as before Linux 5.8.
const SYS_ADMIN: u32 = 21;

/// What is missing for XDP, or nothing. It is tried once, with a map and a program that does
/// nothing.
pub fn missing() -> Option<Missing> {
    static ANSWER: OnceLock<Option<Missing>> = OnceLock::new();
    ANSWER.get_or_init(|| attempt().err().map(|error| explain(&error))).clone()
}

fn attempt() -> Result<(), super::Error> {
    Map::new("rights", Kind::Array, [4, 4], 1)?;
    Program::load(&programs::pass::code(), Type::Xdp, &[]).map(drop)
}

fn explain(error: &super::Error) -> Missing {
    match error.cause().and_then(io::Error::raw_os_error) {
        Some(libc::ENOSYS) => Missing::SystemCall,
        Some(libc::EPERM) => {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            match absent(effective(&status)) {
                names if names.is_empty() => Missing::Refused(error.to_string()),
                names => Missing::Capabilities(names),
            }
        }
        _ => Missing::Refused(error.to_string()),
    }
}

/// The effective capabilities in `/proc/self/status`, see proc_pid_status(5).
fn effective(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0)
}

fn absent(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective >> bit & 1 == 1;
    let granted = |(name, bit): &(&str, u32)| has(*bit) || *name == "CAP_BPF" && has(SYS_ADMIN);
    NEEDED.iter().filter(|needed| !granted(needed)).map(|(name, _)| *name).collect()
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemCall => f.write_str(
                "no bpf(2): the kernel is built without it, or a filter of system calls (seccomp) \
                 hides it",
            ),
            Self::Capabilities(names) => {
                write!(f, "{} missing: run as root, or grant it with setcap", names.join(" and "))
            }
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_capabilities_are_named() {
        let root = effective("Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n");
        assert_eq!(absent(root), [""; 0]);
        assert_eq!(absent(0), ["CAP_NET_ADMIN", "CAP_BPF"]);
        assert_eq!(absent(1 << 12), ["CAP_BPF"]);
        assert_eq!(absent(1 << 39), ["CAP_NET_ADMIN"]);
        assert_eq!(absent(1 << SYS_ADMIN), ["CAP_NET_ADMIN"]);
    }
}
