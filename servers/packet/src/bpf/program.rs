//! Programs: verified, translated and kept by the kernel.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::call::{Command, address, license, make, object_name};
use super::{Error, Map};
use crate::asm::Code;

/// Where a program can run: `enum bpf_prog_type` in Linux `include/uapi/linux/bpf.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Type {
    /// On a frame, before the stack sees it.
    Xdp = 6,
    /// On data that a socket has received.
    SkSkb = 14,
}

/// What an XDP program says about a frame: `enum xdp_action`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Action {
    /// The program failed; the frame is dropped, and the kernel traces it.
    Aborted = 0,
    /// The frame is gone.
    Drop = 1,
    /// The frame goes on to the stack.
    Pass = 2,
    /// The frame goes out by where it came in.
    Transmit = 3,
    /// The frame goes where a map says.
    Redirect = 4,
}

impl Action {
    /// Its number, as an operand.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The action with this number; what the kernel does not know is an abort to it.
    pub(super) fn of(number: u32) -> Self {
        match number {
            1 => Self::Drop,
            2 => Self::Pass,
            3 => Self::Transmit,
            4 => Self::Redirect,
            _ => Self::Aborted,
        }
    }
}

/// A program in the kernel, until it is dropped and detached.
#[derive(Debug)]
pub struct Program {
    descriptor: OwnedFd,
}

/// Room for what the verifier says. Only a refused program fills it.
const LOG: usize = 1 << 20;
/// The verifier says what it does, instruction by instruction.
const LOG_LEVEL: u32 = 1;

#[derive(Default)]
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

impl Program {
    /// Puts the maps where the code has their names, and has the kernel verify and take it.
    ///
    /// # Errors
    /// Which map is not there, or why the kernel refuses: then with the end of its verifier's log.
    pub fn load(code: &Code, kind: Type, maps: &[&Map]) -> Result<Self, Error> {
        let slots = code.encode(|name| {
            let map = maps.iter().find(|map| map.name() == name).ok_or(Error::Unknown(name))?;
            Ok(map.as_fd().as_raw_fd())
        })?;
        Self::from_slots(&slots, kind).or_else(|_| Self::with_log(&slots, kind))
    }

    fn from_slots(slots: &[u64], kind: Type) -> Result<Self, Error> {
        Self::submit(slots, kind, &mut []).map_err(|cause| Error::Load(cause, String::new()))
    }

    /// Once more, and listens to the verifier: that costs time, so it is for programs it refused.
    fn with_log(slots: &[u64], kind: Type) -> Result<Self, Error> {
        let mut log = vec![0; LOG];
        Self::submit(slots, kind, &mut log).map_err(|cause| {
            let end = log.iter().position(|&octet| octet == 0).unwrap_or(LOG);
            Error::Load(cause, String::from_utf8_lossy(&log[..end]).into_owned())
        })
    }

    fn submit(slots: &[u64], kind: Type, log: &mut [u8]) -> std::io::Result<Self> {
        let license = license();
        let mut load = Load {
            kind: kind as u32,
            count: slots.len() as u32,
            instructions: address(slots.as_ptr()),
            license: address(license.as_ptr()),
            name: object_name("packet"),
            attach_type: kind.attach_type(),
            ..Default::default()
        };
        if !log.is_empty() {
            (load.log_level, load.log_size) = (LOG_LEVEL, log.len() as u32);
            load.log = address(log.as_mut_ptr());
        }
        // SAFETY: this is the structure of the command; instructions, license and log live until it
        // returns, and are as long as it says or end with a 0.
        let descriptor = unsafe { make(Command::ProgramLoad, &mut load)? };
        Ok(Self { descriptor })
    }
}

impl Type {
    /// `enum bpf_attach_type`, for types that have to say it when they are loaded.
    const fn attach_type(self) -> u32 {
        match self {
            Self::Xdp => super::link::XDP,
            Self::SkSkb => 0,
        }
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
