//! Two workers, one socket: who is told of something that the other one takes.
//!
//! The order of events is one that two threads meet sooner or later. Here it is played out by one,
//! so that it happens every time.

use super::Seen;
use super::habit::{Call, Socket};
use super::inbox::Inbox;
use super::queue::Queue;
use super::watch::{Asked, Watch};

/// Octets of a message: so few that one read takes two messages.
const MESSAGE: usize = 7;

/// Both wait on one set. One is told of a message; before it reads, another one comes; then it
/// reads both, and whoever else was told finds nothing.
///
/// # Errors
/// When the kernel refuses something.
pub(super) fn on_one_set(asked: Asked) -> anyhow::Result<Seen> {
    let mut inbox = Inbox::new(MESSAGE, 0)?;
    let mut set = Watch::new(inbox.fd(), Inbox::READY, asked)?;
    let mut seen = Seen { unit: Inbox::UNIT, ..Seen::default() };
    seen.waited(set.wait()?);
    inbox.receive()?;
    seen.waited(set.wait()?);
    all_call(&mut inbox, &mut seen)?;
    set.answered(inbox.fd())?;
    seen.waited(set.wait()?);
    Ok(Seen { left: inbox.left()?, ..seen })
}

/// Each waits on a set of its own that has the same listener. One client comes.
///
/// # Errors
/// When the kernel refuses something.
pub(super) fn on_a_set_each(asked: Asked) -> anyhow::Result<Seen> {
    let mut queue = Queue::new(1, 0)?;
    let set = || Watch::new(queue.fd(), Queue::READY, asked);
    let sets = [set()?, set()?];
    let mut seen = Seen { unit: Queue::UNIT, ..Seen::default() };
    for set in &sets {
        seen.waited(set.wait()?);
    }
    all_call(&mut queue, &mut seen)?;
    for set in &sets {
        seen.waited(set.wait()?);
    }
    Ok(Seen { left: queue.left()?, ..seen })
}

/// Everybody who was told makes one call.
fn all_call(socket: &mut impl Socket, seen: &mut Seen) -> anyhow::Result<()> {
    for _ in 0..seen.wakeups {
        seen.in_vain += u32::from(socket.call()? == Call::InVain);
    }
    Ok(())
}
