//! A restraint as people write it: `nofile=500,memory=64MiB`.

use std::fmt;
use std::str::FromStr;

use super::{Restraint, SignalStacks, Sysctl};

/// What can be set, in the order of [`Restraint`]'s words.
const KEYS: &str = "nofile, nproc, pids, memory, pid-max, maps, threads-max, host-pid-max, \
                    file-max, signal-stacks=none";

/// Units of memory, in octets.
const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl FromStr for Restraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut restraint = Self::default();
        for word in text.split(',').filter(|word| !word.trim().is_empty()) {
            let (key, value) =
                word.trim().split_once('=').ok_or_else(|| format!("`{word}` has no value"))?;
            restraint.set(key, value)?;
        }
        Ok(restraint)
    }
}

impl Restraint {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        if (key, value) == ("signal-stacks", "none") {
            self.signal_stacks = SignalStacks::Avoided;
            return Ok(());
        }
        let number = number(value).ok_or_else(|| {
            format!("`{key}={value}`: the value is a number above 0, as in 500 or 64MiB")
        })?;
        let host = match key {
            "nofile" => return put(&mut self.nofile, number),
            "nproc" => return put(&mut self.nproc, number),
            "pids" => return put(&mut self.pids, number),
            "memory" => return put(&mut self.memory, number),
            "pid-max" => return put(&mut self.pid_max, number),
            "maps" => Sysctl::MaxMapCount,
            "threads-max" => Sysctl::ThreadsMax,
            "host-pid-max" => Sysctl::PidMax,
            "file-max" => Sysctl::FileMax,
            _ => return Err(format!("no limit `{key}`; there are {KEYS}")),
        };
        self.host.insert(host, number);
        Ok(())
    }

    /// Whatever `other` sets, set here too.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.nofile = other.nofile.or(self.nofile);
        self.nproc = other.nproc.or(self.nproc);
        self.pids = other.pids.or(self.pids);
        self.memory = other.memory.or(self.memory);
        self.pid_max = other.pid_max.or(self.pid_max);
        self.host.extend(other.host);
        if other.signal_stacks == SignalStacks::Avoided {
            self.signal_stacks = SignalStacks::Avoided;
        }
        self
    }
}

fn put(place: &mut Option<u64>, number: u64) -> Result<(), String> {
    *place = Some(number);
    Ok(())
}

fn number(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(name, octets)| Some((text.strip_suffix(name)?, *octets)));
    let (digits, unit) = unit.unwrap_or((text, 1));
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|number| *number > 0)
}

impl fmt::Display for Restraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nofile, nproc, pids, memory, pid_max, host, signal_stacks } = self;
        let own = [
            ("nofile", nofile),
            ("nproc", nproc),
            ("pids", pids),
            ("memory", memory),
            ("pid-max", pid_max),
        ];
        let own = own.iter().filter_map(|(key, value)| Some(format!("{key}={}", (**value)?)));
        let host = host.iter().map(|(sysctl, value)| format!("{}={value}", key(*sysctl)));
        let avoided = *signal_stacks == SignalStacks::Avoided;
        let stacks = avoided.then(|| "signal-stacks=none".to_owned());
        f.write_str(&own.chain(host).chain(stacks).collect::<Vec<_>>().join(","))
    }
}

const fn key(sysctl: Sysctl) -> &'static str {
    match sysctl {
        Sysctl::MaxMapCount => "maps",
        Sysctl::ThreadsMax => "threads-max",
        Sysctl::PidMax => "host-pid-max",
        Sysctl::FileMax => "file-max",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = "nofile=500,nproc=400,pids=300,memory=67108864,pid-max=2000,maps=8000,\
                    threads-max=9000,host-pid-max=70000,file-max=100000,signal-stacks=none";
        let restraint: Restraint = text.parse().unwrap();
        assert_eq!(restraint.to_string(), text);
        assert_eq!("memory=64MiB".parse::<Restraint>().unwrap().memory, Some(64 << 20));
        assert_eq!("".parse::<Restraint>().unwrap(), Restraint::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_there_is() {
        for (text, words) in [
            ("nofiles=5", "no limit `nofiles`; there are nofile"),
            ("nofile", "`nofile` has no value"),
            ("nofile=0", "above 0"),
            ("memory=64MB", "64MiB"),
            ("memory=99999999999GiB", "`memory=99999999999GiB`"),
        ] {
            let error = text.parse::<Restraint>().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn only_what_outlives_a_process_needs_a_warden() {
        let changes = |text: &str| text.parse::<Restraint>().unwrap().changes_host();
        assert!(!changes("nofile=5,nproc=5,pid-max=400,signal-stacks=none"));
        assert!(changes("pids=5") && changes("memory=5") && changes("maps=5"));
    }

    #[test]
    fn the_later_of_two_wins() {
        let both = "nofile=5,maps=7".parse::<Restraint>().unwrap();
        let both = both.and("nofile=6,pids=8".parse().unwrap());
        assert_eq!(both.to_string(), "nofile=6,pids=8,maps=7");
    }
}
