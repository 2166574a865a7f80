//! One thread, and select(2) with sets of its own size.
//!
//! - The kernel is handed two sets of bits, for reading and for writing, as long as the highest
//!   descriptor needs, and overwrites them with what is ready; so a copy goes in.
//! - A wait costs two passes over all descriptors up to the highest, one in the kernel and one
//!   here, however few of them are active.
//! - Nothing but the descriptor limit limits it: FD_SETSIZE is the size of the C library's type,
//!   and [`WideSet`] is another one.
//! - Watch what is the same as in `select`: only the type differs, so past 1,024 descriptors each
//!   wait goes on getting dearer by the same steps.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use crate::connection::Interest;
use crate::drive::poller::{Block, Event, Poller, Ready, Token, Trigger};
use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::wide_set::{WideSet, select};
use crate::models::{AtOnce, Family, Listeners, Model, Site, TriggerName, Workers};

pub(super) const MODEL: Model = Model {
    name: "select-wide",
    summary: "one thread and pselect6(2): two bit sets of any length at each wait",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Unlimited,
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

/// What pselect6(2) is to wait for.
#[derive(Debug, Default)]
pub struct SelectWide {
    /// Copied for each wait.
    read: WideSet,
    write: WideSet,
    /// The copies, kept for the memory that they have.
    read_ready: WideSet,
    write_ready: WideSet,
    /// Whose each descriptor is.
    tokens: Vec<Option<Token>>,
}

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    Reactor::<SelectWide>::new(site, Source::Listener(&listeners[0]))?.run()
}

impl Poller for SelectWide {
    const TRIGGER: Trigger = Trigger::Level;
    const CALLS_PER_CONTROL: u64 = 0;

    fn new() -> io::Result<Self> {
        Ok(Self::default())
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.modify(fd, token, interest)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let number = fd.as_raw_fd() as usize;
        if number >= self.tokens.len() {
            self.tokens.resize(number + 1, None);
        }
        self.tokens[number] = Some(token);
        let wanted = [(&mut self.read, interest.reads()), (&mut self.write, interest.writes())];
        for (set, wanted) in wanted {
            if wanted { set.insert(number) } else { set.remove(number) }
        }
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let number = fd.as_raw_fd() as usize;
        self.read.remove(number);
        self.write.remove(number);
        self.tokens[number] = None;
        while self.tokens.last() == Some(&None) {
            self.tokens.pop();
        }
        Ok(())
    }

    fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()> {
        let (read, write) = (&mut self.read_ready, &mut self.write_ready);
        read.copy(&self.read);
        write.copy(&self.write);
        match select(self.tokens.len(), read, write, block) {
            Err(Errno::EINTR) => return Ok(()),
            ready => ready?,
        }
        for (set, interest) in [(&*read, Interest::Read), (&*write, Interest::Write)] {
            let tokens = set.numbers().filter_map(|number| self.tokens[number]);
            events.extend(tokens.map(|token| Event { token, ready: Ready::only(interest) }));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
    use std::os::unix::net::UnixStream;
    use std::os::unix::thread::JoinHandleExt;

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    /// On both sides of a word's end, of FD_SETSIZE, and far beyond.
    const NUMBERS: [RawFd; 6] = [63, 64, 1_023, 1_024, 1_025, 5_000];

    /// A socket whose descriptor is the first free one from `number` on, and its peer.
    fn pair_from(number: RawFd) -> (OwnedFd, UnixStream) {
        crate::tables::raise_limit();
        let (ours, peer) = UnixStream::pair().unwrap();
        let high = fcntl(&ours, FcntlArg::F_DUPFD_CLOEXEC(number)).unwrap();
        // SAFETY: fcntl has just made it.
        (unsafe { OwnedFd::from_raw_fd(high) }, peer)
    }

    fn token(slot: usize) -> Token {
        Token { slot: slot as u32, generation: 7 }
    }

    /// Looks once; whose descriptors are ready to be read, and whose to be written.
    fn look(poller: &mut SelectWide) -> (Vec<Token>, Vec<Token>) {
        let mut events = Vec::new();
        poller.wait(&mut events, Block::No).unwrap();
        let (read, write) = events.iter().partition::<Vec<_>, _>(|event| event.ready.read);
        let tokens = |events: Vec<&Event>| events.iter().map(|event| event.token).collect();
        (tokens(read), tokens(write))
    }

    #[test]
    fn each_descriptor_is_reported_as_itself() {
        let mut poller = SelectWide::new().unwrap();
        let mut pairs = NUMBERS.map(pair_from);
        for (slot, (socket, _)) in pairs.iter().enumerate() {
            poller.add(socket.as_fd(), token(slot), Interest::Read).unwrap();
        }
        assert_eq!(look(&mut poller), (vec![], vec![]));
        for (slot, (socket, peer)) in pairs.iter_mut().enumerate() {
            peer.write_all(b"x").unwrap();
            assert_eq!(look(&mut poller), (vec![token(slot)], vec![]));
            poller.modify(socket.as_fd(), token(slot), Interest::Write).unwrap();
            assert_eq!(look(&mut poller), (vec![], vec![token(slot)]), "for one thing at a time");
            poller.remove(socket.as_fd()).unwrap();
        }
        assert_eq!(look(&mut poller), (vec![], vec![]));
    }

    #[test]
    fn it_is_no_longer_than_the_highest_descriptor_needs() {
        let mut poller = SelectWide::new().unwrap();
        let pairs = NUMBERS.map(pair_from);
        for (slot, (socket, _)) in pairs.iter().enumerate() {
            poller.add(socket.as_fd(), token(slot), Interest::Read).unwrap();
        }
        for (socket, _) in pairs.iter().rev() {
            assert_eq!(poller.tokens.len(), socket.as_raw_fd() as usize + 1);
            poller.remove(socket.as_fd()).unwrap();
        }
        assert_eq!((poller.tokens.len(), &poller.read), (0, &WideSet::default()));
    }

    #[test]
    fn a_peer_that_has_gone_makes_its_socket_readable() {
        let mut poller = SelectWide::new().unwrap();
        let (socket, peer) = pair_from(1_500);
        poller.add(socket.as_fd(), token(0), Interest::Read).unwrap();
        assert_eq!(look(&mut poller), (vec![], vec![]));
        drop(peer);
        assert_eq!(look(&mut poller), (vec![token(0)], vec![]));
    }

    #[test]
    fn a_closed_descriptor_is_an_error_of_the_kernel() {
        let mut poller = SelectWide::new().unwrap();
        // Nobody else here takes so high a number in the meantime.
        let (socket, _peer) = pair_from(6_000);
        poller.add(socket.as_fd(), token(0), Interest::Read).unwrap();
        drop(socket);
        let error = poller.wait(&mut Vec::new(), Block::No).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }

    /// The signal is sent until the wait has ended: one that comes before it ends nothing.
    #[test]
    fn a_signal_ends_the_wait_without_an_error() {
        extern "C" fn nothing(_: libc::c_int) {}
        let action =
            SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing, and nobody else here wants this signal.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        let waiter = std::thread::spawn(|| {
            let (socket, _peer) = pair_from(1_500);
            let mut poller = SelectWide::new().unwrap();
            poller.add(socket.as_fd(), token(0), Interest::Read).unwrap();
            let mut events = Vec::new();
            poller.wait(&mut events, Block::Yes).map(|()| events.len())
        });
        while !waiter.is_finished() {
            // SAFETY: the thread is not joined yet, so the name is still its own.
            unsafe { libc::pthread_kill(waiter.as_pthread_t(), libc::SIGUSR1) };
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(waiter.join().unwrap().unwrap(), 0);
    }
}
