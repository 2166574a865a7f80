//! The kernel's side of eBPF: maps, programs, links and test runs, by bpf(2).
