//! One server, one socket: what it does each time it is woken.

use std::io;
use std::os::fd::BorrowedFd;

use nix::sys::epoll::EpollFlags;

use super::watch::{Asked, Watch};
use super::{Seen, Unit};

/// Who is still woken after so many waits is woken for ever.
pub(super) const WAITS_MAX: u32 = 10;

/// A socket, with its peer.
pub(super) trait Socket {
    /// What is waited for.
    const READY: EpollFlags;
    /// What may be left in it.
    const UNIT: Unit;

    fn fd(&self) -> BorrowedFd<'_>;

    /// Makes one system call.
    fn call(&mut self) -> io::Result<Call>;

    /// How much waits in it.
    fn left(&self) -> io::Result<u64>;

    /// Nothing comes any more: lets the peer do something, if it still wants to.
    fn stir(&mut self) -> anyhow::Result<Peer> {
        Ok(Peer::Silent)
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// There was something, and may be more.
    Went,
    /// There was nothing.
    InVain,
    /// There was something, and nothing more is wanted of the socket.
    Last,
}

/// What a peer does when nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Something.
    Stirred,
    /// Nothing; it waits, too.
    Silent,
}

/// What is done about a wake-up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Habit {
    /// Nothing.
    Ignore,
    /// One call.
    Once,
    /// Calls until one is in vain, or the last one that is wanted.
    UntilInVain,
}

impl Habit {
    fn answer(self, socket: &mut impl Socket, seen: &mut Seen) -> io::Result<Call> {
        if matches!(self, Self::Ignore) {
            return Ok(Call::Went);
        }
        loop {
            let call = socket.call()?;
            seen.in_vain += u32::from(call == Call::InVain);
            if call != Call::Went || matches!(self, Self::Once) {
                return Ok(call);
            }
        }
    }
}

/// Serves `socket` by that habit until nobody says anything any more, or until it would never end.
///
/// # Errors
/// When the kernel refuses something.
pub(super) fn serve<S: Socket>(mut socket: S, asked: Asked, habit: Habit) -> anyhow::Result<Seen> {
    let mut watch = Watch::new(socket.fd(), S::READY, asked)?;
    let mut seen = Seen { unit: S::UNIT, ..Seen::default() };
    while seen.waits < WAITS_MAX {
        if seen.waited(watch.wait()?) {
            if habit.answer(&mut socket, &mut seen)? == Call::Last {
                break;
            }
            watch.answered(socket.fd())?;
        } else if socket.stir()? == Peer::Silent {
            break;
        }
    }
    Ok(Seen { left: socket.left()?, ..seen })
}
