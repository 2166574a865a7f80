//! Facts about the host that a number depends on.
//!
//! What can't be read is `unknown`, which is not the same as fine.

use std::fs;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

/// The host, as the manifest keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Kernel release and build.
    pub kernel: String,
    /// Model name of the CPU.
    pub cpu: String,
    /// CPUs online.
    pub cpus: usize,
    /// Microcode revision.
    pub microcode: String,
    /// The hypervisor flag of the CPU: `yes` in a virtual machine.
    pub virtual_machine: String,
    /// Memory in kibibytes.
    pub memory_kib: String,
    /// Clock source of the kernel.
    pub clocksource: String,
    /// CPU frequency governor.
    pub governor: String,
    /// Soft limit of open descriptors of this process, which its children inherit.
    pub open_files: u64,
    /// Hard limit of open descriptors.
    pub open_files_hard: u64,
    /// Settings of the kernel that matter here.
    pub sysctl: Vec<Setting>,
    /// What the kernel does about each flaw of the CPU.
    pub mitigations: Vec<Setting>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The value as the kernel prints it.
    pub value: String,
}

const SYSCTLS: [&str; 11] = [
    "net/core/somaxconn",
    "net/core/netdev_max_backlog",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "fs/file-max",
    "kernel/threads-max",
    "kernel/pid_max",
    "vm/max_map_count",
];

impl Host {
    /// Looks at this host.
    #[must_use]
    pub fn look() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let (open_files, open_files_hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
        let hypervisor = field(&cpuinfo, "flags").split_whitespace().any(|f| f == "hypervisor");
        Self {
            name: read("/proc/sys/kernel/hostname"),
            kernel: format!(
                "{} {}",
                read("/proc/sys/kernel/osrelease"),
                read("/proc/sys/kernel/version")
            ),
            cpu: field(&cpuinfo, "model name"),
            cpus: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            microcode: field(&cpuinfo, "microcode"),
            virtual_machine: if hypervisor { "yes" } else { "no" }.into(),
            memory_kib: memory(),
            clocksource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            open_files,
            open_files_hard,
            sysctl: SYSCTLS.map(sysctl).into(),
            mitigations: mitigations(),
        }
    }

    /// One line for the foot of a chart.
    #[must_use]
    pub fn line(&self) -> String {
        let release = self.kernel.split_whitespace().next().unwrap_or("unknown");
        let cpu = self.cpu.replace("(R)", "").replace("(TM)", "");
        let cpu = cpu.split_whitespace().collect::<Vec<_>>().join(" ");
        let virtual_machine = if self.virtual_machine == "yes" { ", virtual machine" } else { "" };
        format!("{cpu}, {} CPUs{virtual_machine}, Linux {release}", self.cpus)
    }
}

fn unknown() -> String {
    "unknown".into()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map_or_else(|_| unknown(), |text| text.trim().replace('\t', " "))
}

fn field(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|k| k.trim() == key));
    line.and_then(|line| line.split_once(':'))
        .map_or_else(unknown, |(_, value)| value.trim().into())
}

fn memory() -> String {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    field(&meminfo, "MemTotal").trim_end_matches(" kB").to_owned()
}

fn sysctl(path: &str) -> Setting {
    Setting { name: path.replace('/', "."), value: read(Path::new("/proc/sys").join(path)) }
}

fn mitigations() -> Vec<Setting> {
    let Ok(entries) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else {
        return Vec::new();
    };
    let setting = |path: &Path| {
        Some(Setting { name: path.file_name()?.to_string_lossy().into(), value: read(path) })
    };
    let mut all: Vec<_> = entries.filter_map(|entry| setting(&entry.ok()?.path())).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_field_by_its_whole_name() {
        let text = "model\t\t: 207\nmodel name\t: A CPU: fast\n";
        assert_eq!(field(text, "model name"), "A CPU: fast");
        assert_eq!(field(text, "model"), "207");
        assert_eq!(field(text, "mode"), "unknown");
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        assert_eq!(read("/proc/no/such/file"), "unknown");
        assert_eq!(sysctl("no/such").value, "unknown");
    }
}
