//! Live frames: the fastest generator there is without special hardware.
//!
//! `BPF_F_TEST_XDP_LIVE_FRAMES` makes the kernel run the program on real frames, again and again,
//! and do what it says: `XDP_TX` sends a frame out by the interface that it is said to have come
//! from,
//! `XDP_REDIRECT` by another, `XDP_PASS` hands it to the stack. No system call, no copy from user
//! space and no socket buffer a frame. The frames are recycled: what the program writes into one
//! stays there when it comes again.
//!
//! The receiving end has to take frames from a driver: on a veth it needs an XDP program (or GRO)
//! on the side where they arrive, or they vanish.

use std::io;

use super::call::address;
use super::trial::{TestRun, test_run};
use super::{Error, Program};

/// Sends frames from inside the kernel.
#[derive(Debug)]
pub struct LiveFrames<'a> {
    /// Decides about each frame, and may change it.
    pub program: &'a Program,
    /// What each begins as.
    pub frame: &'a [u8],
    /// The interface that they are said to come from, by index, in the namespace of this thread.
    pub interface: u32,
    /// How many go at once; 64 is what the kernel takes if this is 0, and 256 the most.
    pub batch: u32,
}

/// `BPF_F_TEST_XDP_LIVE_FRAMES`
const LIVE: u32 = 1 << 1;

/// `struct xdp_md`; the first two are offsets here, not pointers.
#[derive(Default)]
#[repr(C)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_interface: u32,
    receive_queue: u32,
    egress_interface: u32,
}

/// Whether a run went to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// All frames were made.
    All,
    /// A signal came; how many were made is not known.
    Interrupted,
}

impl LiveFrames<'_> {
    /// Makes so many frames, and returns when the last one is made.
    ///
    /// # Errors
    /// What the kernel says: EOPNOTSUPP before Linux 5.18, ENODEV for an interface that is not
    /// there.
    pub fn send(&self, frames: u32) -> Result<Sent, Error> {
        let context = Context {
            data_end: self.frame.len() as u32,
            ingress_interface: self.interface,
            ..Default::default()
        };
        let mut run = TestRun::new(self.program, self.frame);
        run.repeat = frames;
        run.flags = LIVE;
        run.batch = self.batch;
        run.context = address(&raw const context);
        run.context_size = size_of::<Context>() as u32;
        match test_run(&mut run) {
            Ok(()) => Ok(Sent::All),
            Err(Error::Run(error)) if error.kind() == io::ErrorKind::Interrupted => {
                Ok(Sent::Interrupted)
            }
            Err(error) => Err(error),
        }
    }
}
