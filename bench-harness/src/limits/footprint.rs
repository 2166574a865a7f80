//! What a process holds at this moment, as `/proc/PID` tells it (proc(5)).

use std::{fs, io};

use anyhow::{Context, Result};
use nix::libc;

/// A process, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footprint {
    /// Descriptors in each of its tables.
    pub(super) tables: Vec<u64>,
    /// Threads.
    pub(super) threads: u64,
    /// Mappings.
    pub(super) mappings: u64,
    /// Descriptors that its epolls watch.
    pub(super) watches: u64,
    /// Resident memory without pages of files, in octets: those are the page cache's, which the
    /// kernel can take back.
    pub(super) resident: u64,
    /// Page tables, in octets.
    pub(super) page_tables: u64,
}

impl Footprint {
    /// Looks at it.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("looking at the server: {path}"))
        };
        let kibi = |text: &str, name: &str| super::reading::field(text, name).unwrap_or(0) * 1024;
        let status = read("status")?;
        let owners = owners(&threads(pid)?);
        let entries = |thread: &u32| fs::read_dir(format!("/proc/{thread}/fd"));
        let tables = owners.iter().filter_map(|thread| Some(entries(thread).ok()?.count() as u64));
        Ok(Self {
            tables: tables.collect(),
            threads: super::reading::field(&status, "Threads:").unwrap_or(0),
            // The last line is the vsyscall page, which no process maps and no limit counts.
            mappings: read("maps")?.lines().filter(|line| !line.ends_with("[vsyscall]")).count()
                as u64,
            watches: owners.iter().map(|&thread| watches(thread)).sum(),
            resident: kibi(&read("smaps_rollup")?, "Anonymous:"),
            page_tables: kibi(&status, "VmPTE:"),
        })
    }

    /// Descriptors in all of its tables.
    pub(super) fn descriptors(&self) -> u64 {
        self.tables.iter().sum()
    }
}

fn threads(pid: u32) -> Result<Vec<u32>> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).with_context(|| format!("looking at {folder}"))?;
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    Ok(entries.filter_map(number).collect())
}

/// One thread of each descriptor table.
fn owners(threads: &[u32]) -> Vec<u32> {
    let mut owners: Vec<u32> = Vec::new();
    for &thread in threads {
        if !owners.iter().any(|&owner| share_a_table(owner, thread)) {
            owners.push(thread);
        }
    }
    owners
}

/// Whether two threads have the same descriptor table; where the kernel does not tell, they are
/// taken to.
fn share_a_table(one: u32, other: u32) -> bool {
    /// What kcmp(2) compares: the tables.
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: kcmp(2) takes numbers only, and changes nothing.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) };
    order <= 0
}

/// Descriptors that the epolls in a thread's table watch: lines of their fdinfo that name a target.
fn watches(thread: u32) -> u64 {
    let folder = format!("/proc/{thread}/fd");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let epolls = entries.filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|target| target.ends_with("anon_inode:[eventpoll]"))
    });
    let watched = epolls.filter_map(|entry| {
        let path = format!("/proc/{thread}/fdinfo/{}", entry.file_name().display());
        let text = fs::read_to_string(path).ok()?;
        Some(text.lines().filter(|line| line.starts_with("tfd:")).count() as u64)
    });
    watched.sum()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::mpsc::channel;

    use nix::sched::{CloneFlags, unshare};
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

    use super::*;

    #[test]
    fn a_thread_that_left_has_a_table_of_its_own() {
        let (left, has_left) = channel();
        let (done, is_done) = channel::<()>();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_FILES).unwrap();
            let more = [(); 50].map(|()| File::open("/dev/null").unwrap());
            left.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
            is_done.recv().unwrap();
            drop(more);
        });
        let apart = has_left.recv().unwrap();
        let own = std::process::id();
        assert!(share_a_table(own, own) && !share_a_table(own, apart));
        let looked = Footprint::of(own).unwrap();
        done.send(()).unwrap();
        thread.join().unwrap();
        assert!(looked.tables.len() >= 2 && looked.threads >= 2, "{looked:?}");
        assert!(looked.tables.iter().any(|&count| count >= 50), "{looked:?}");
        assert!(looked.mappings > 10 && looked.resident > 0 && looked.page_tables > 0);
    }

    #[test]
    fn what_an_epoll_watches_is_counted() {
        let counted = std::thread::spawn(|| {
            // Other tests can't open an epoll in this table.
            unshare(CloneFlags::CLONE_FILES).unwrap();
            let own = nix::unistd::gettid().as_raw().cast_unsigned();
            let before = watches(own);
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
            let (reader, _writer) = nix::unistd::pipe().unwrap();
            epoll.add(&reader, EpollEvent::new(EpollFlags::EPOLLIN, 0)).unwrap();
            watches(own) - before
        });
        assert_eq!(counted.join().unwrap(), 1);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error_that_names_it() {
        let error = format!("{:#}", Footprint::of(u32::MAX).unwrap_err());
        assert!(error.contains("/proc/4294967295/status"), "{error}");
    }
}
