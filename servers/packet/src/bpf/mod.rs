//! The kernel's side of eBPF: maps, programs, links and test runs, by bpf(2).
//!
//! Everything here is a file descriptor: when the process ends, however it ends, the kernel closes
//! them, the links are undone, and programs and maps go with the last descriptor. Nothing is
//! pinned, so nothing stays behind.
//!
//! ```no_run
//! use packet::bpf::{Attachment, Mode, Program};
//! use packet::programs;
//!
//! let program = Program::load(&programs::pass::code(), packet::bpf::Type::Xdp, &[])?;
//! let link = Attachment::xdp(&program, 3, Mode::Native)?; // interface 3, until `link` is dropped
//! # Ok::<(), packet::bpf::Error>(())
//! ```

mod call;
mod error;
mod grace;
mod link;
mod live;
mod map;
mod plain;
mod program;
mod rights;
mod ring;
mod shared;
mod trial;

pub use error::Error;
pub(crate) use grace::wait_for_programs;
pub(crate) use link::attach_verdict;
pub use link::{Attachment, Mode, ModeWanted};
pub use live::{LiveFrames, Sent};
pub use map::{Flag, Kind, Map};
pub use plain::Plain;
pub use program::{Action, Program, Type};
pub use rights::{Missing, missing};
pub use ring::Ring;
pub use shared::{Atomics, Shared};
pub use trial::{Trial, Verdict};
