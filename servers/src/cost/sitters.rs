//! Idle connections beyond what one descriptor table holds.
//!
//! An epoll instance watches files, whichever table they were registered from (epoll(7)). So
//! sitters, threads with tables of their own, keep both ends of connections and register the one in
//! the instance of the thread that waits, whose number their tables have inherited.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::annex::Annex;
use super::dial;
use crate::connection::Interest;
use crate::drive::poller::{Poller, Token};

struct Seats {
    listener: TcpListener,
    near: Vec<TcpStream>,
    /// Held so that their connections stay open.
    far: Vec<TcpStream>,
    registered: usize,
}

/// One thread, and the connections in its table.
pub(crate) struct Sitter<P> {
    annex: Annex<Seats>,
    poller: Arc<Mutex<P>>,
    /// How many connections it has.
    pub(crate) seats: usize,
    /// The slot of its first one.
    first: u32,
}

impl<P: Poller + Send + 'static> Sitter<P> {
    /// A table without connections. `first` is the slot of the first that it will have.
    ///
    /// # Errors
    /// When there is no thread or no table.
    pub(crate) fn open(poller: &Arc<Mutex<P>>, first: u32) -> io::Result<Self> {
        let annex = Annex::open(vec![], |_| {
            let (near, far) = (Vec::new(), Vec::new());
            Ok(Seats { listener: dial::listener()?, near, far, registered: 0 })
        })?;
        Ok(Self { annex, poller: Arc::clone(poller), seats: 0, first })
    }

    /// Makes so many connections.
    ///
    /// # Errors
    /// As for [`dial::connect`].
    pub(crate) fn fill(&mut self, count: u32) -> io::Result<()> {
        let first = self.first;
        self.seats = self.annex.ask(move |seats| {
            for number in first..first + count {
                let (near, far) = dial::pair(&seats.listener, number)?;
                seats.near.push(near);
                seats.far.push(far);
            }
            Ok(seats.near.len())
        })?;
        Ok(())
    }

    /// Has the first `wanted` of its connections watched, and no others.
    ///
    /// # Errors
    /// When the kernel has no room for them.
    pub(crate) fn register(&self, wanted: usize) -> io::Result<()> {
        let (poller, first) = (Arc::clone(&self.poller), self.first);
        self.annex.ask(move |seats| {
            let mut poller = poller.lock().unwrap_or_else(PoisonError::into_inner);
            watch(&mut *poller, &seats.near, first, &mut seats.registered, wanted)
        })
    }
}

/// Has the first `wanted` of the connections watched and no others, where `registered` are by now.
/// Their tokens are numbered from `first` on.
///
/// # Errors
/// When the kernel has no room for them.
pub(crate) fn watch<P: Poller>(
    poller: &mut P,
    near: &[TcpStream],
    first: u32,
    registered: &mut usize,
    wanted: usize,
) -> io::Result<()> {
    while *registered > wanted {
        *registered -= 1;
        poller.remove(near[*registered].as_fd())?;
    }
    while *registered < wanted {
        let slot = first + u32::try_from(*registered).map_err(io::Error::other)?;
        let token = Token { slot, generation: 0 };
        poller.add(near[*registered].as_fd(), token, Interest::Read)?;
        *registered += 1;
    }
    Ok(())
}
