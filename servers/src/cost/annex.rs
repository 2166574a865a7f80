//! An annex: a thread with a descriptor table of its own, and what it keeps there.
//!
//! RLIMIT_NOFILE (getrlimit(2)) limits a table, not a process. A descriptor means something only in
//! its own table; so whoever wants something done with what an annex keeps asks its thread to do
//! it.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::tables::part;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that keeps an `S` in a descriptor table of its own. When it is dropped, the thread has
/// ended, and with its table everything in there is closed.
pub(crate) struct Annex<S> {
    /// None only while it is dropped.
    jobs: Option<Sender<Job<S>>>,
    thread: Option<JoinHandle<()>>,
}

impl<S: 'static> Annex<S> {
    /// Opens an annex. Its table begins as a copy of the caller's: whatever is open there by now
    /// stays open until the annex is gone, and `mine` of that becomes the annex's own.
    ///
    /// # Errors
    /// When the kernel grants no thread or no table, and what `furnish` says.
    pub(crate) fn open(
        mine: Vec<RawFd>,
        furnish: impl FnOnce(Vec<OwnedFd>) -> io::Result<S> + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let (says, said) = mpsc::channel();
        let thread = thread::Builder::new().name("annex".into()).spawn(move || {
            match part(&mine).and_then(furnish) {
                Ok(state) => {
                    // Nobody hears it when the owner is gone; then no job comes either.
                    let _ = says.send(Ok(()));
                    work(state, &queue);
                }
                Err(error) => drop(says.send(Err(error))),
            }
        })?;
        let annex = Self { jobs: Some(jobs), thread: Some(thread) };
        said.recv().map_err(|_| gone())??;
        Ok(annex)
    }

    /// Has something done in there, and waits for it.
    ///
    /// # Errors
    /// What the job says.
    pub(crate) fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let (says, said) = mpsc::channel();
        let job = Box::new(move |state: &mut S| drop(says.send(job(state))));
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).map_err(|_| gone())?;
        said.recv().map_err(|_| gone())?
    }
}

impl<S> Drop for Annex<S> {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so on standard error.
            let _ = thread.join();
        }
    }
}

fn work<S>(mut state: S, queue: &Receiver<Job<S>>) {
    for job in queue {
        job(&mut state);
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread that keeps connections has ended early")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_is_opened_in_an_annex_is_not_in_the_table_outside() {
        let annex = Annex::open(vec![], |_| Ok(Vec::new())).unwrap();
        let open = |files: &mut Vec<File>| {
            files.push(File::open("/proc/self/cmdline")?);
            Ok(files[0].as_raw_fd())
        };
        let inside = annex.ask(open).unwrap();
        let link = |fd| std::fs::read_link(format!("/proc/thread-self/fd/{fd}"));
        let seen = annex.ask(move |_| link(inside)).unwrap();
        assert!(seen.ends_with("cmdline"));
        assert!(link(inside).map_or(true, |here| here != seen), "both tables have it");
    }

    #[test]
    fn an_annex_that_cannot_be_furnished_says_why() {
        let failed = Annex::<()>::open(vec![], |_| Err(io::Error::other("no chairs")));
        assert_eq!(failed.err().unwrap().to_string(), "no chairs");
    }
}
