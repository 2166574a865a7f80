//! Settings of the kernel that hold for the whole host.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A setting that limits how many clients a server can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sysctl {
    /// vm.max_map_count: mappings of a process.
    MaxMapCount,
    /// kernel.threads-max: threads of the host.
    ThreadsMax,
    /// kernel.pid_max: numbers for processes and threads.
    PidMax,
    /// fs.file-max: open files of the host.
    FileMax,
}

impl Sysctl {
    /// Its name for sysctl(8).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxMapCount => "vm.max_map_count",
            Self::ThreadsMax => "kernel.threads-max",
            Self::PidMax => "kernel.pid_max",
            Self::FileMax => "fs.file-max",
        }
    }

    /// Its file (proc(5)).
    #[must_use]
    pub fn path(self) -> PathBuf {
        Path::new("/proc/sys").join(self.name().replace('.', "/"))
    }

    /// What it is set to.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn value(self) -> Result<u64> {
        let text = fs::read_to_string(self.path()).with_context(|| format!("reading {self}"))?;
        text.trim().parse().with_context(|| format!("{self} is `{}`", text.trim()))
    }

    /// Sets it.
    ///
    /// # Errors
    /// When this process may not, or the kernel does not take the value.
    pub(super) fn set(self, value: u64) -> Result<()> {
        fs::write(self.path(), value.to_string())
            .with_context(|| format!("setting {self} to {value} (that takes root)"))
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
