//! Attachments: a program does something from here on.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use clap::ValueEnum;

use super::call::{Command, bpf, make};
use super::{Error, Map, Program};

/// `BPF_XDP` of `enum bpf_attach_type`.
pub(super) const XDP: u32 = 37;
/// `BPF_SK_SKB_VERDICT`: the program sees data as it comes, without a parser before it.
const SK_SKB_VERDICT: u32 = 38;

/// Where in the receive path an XDP program runs: the `XDP_FLAGS` of Linux `if_link.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Mode {
    /// In the kernel's core, after the driver has made a socket buffer: any interface, at a cost.
    Generic = 1 << 1,
    /// In the driver, before there is a socket buffer.
    Native = 1 << 2,
}

impl Mode {
    /// Its name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Native => "native",
        }
    }
}

/// Which mode to try.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ModeWanted {
    /// In the driver, or not at all
    Native,
    /// In the kernel's core, on any interface
    Generic,
    /// Native, or generic if the driver can't
    Auto,
}

/// An attachment to an interface, until it is dropped.
#[derive(Debug)]
pub struct Attachment {
    mode: Mode,
    /// Why native mode was not possible, if it was wanted.
    fallback: Option<Error>,
    _link: OwnedFd,
}

#[derive(Default)]
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

#[derive(Default)]
#[repr(C)]
struct ProgramAttach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

impl Attachment {
    /// Attaches an XDP program to the interface with this index, in the network namespace of the
    /// calling thread. It stays attached there, whatever the thread does, until this is dropped.
    ///
    /// On a veth, native `XDP_TX` needs a program on the peer too, such as
    /// [`programs::pass`](crate::programs::pass): without one the peer does not look for its
    /// frames.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn xdp(program: &Program, interface: u32, mode: Mode) -> Result<Self, Error> {
        let mut create = LinkCreate {
            program: program.as_fd().as_raw_fd() as u32,
            target: interface,
            attach_type: XDP,
            flags: mode as u32,
        };
        // SAFETY: this is the structure of the command, and it has no address.
        let link = unsafe { make(Command::LinkCreate, &mut create) };
        let link = link.map_err(|cause| Error::Attach(interface, cause))?;
        Ok(Self { mode, fallback: None, _link: link })
    }

    /// Attaches in the mode that is wanted; [`ModeWanted::Auto`] falls back to generic where the
    /// driver has no native mode, and [`Attachment::fallback`] says so.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wanted(program: &Program, interface: u32, mode: ModeWanted) -> Result<Self, Error> {
        match mode {
            ModeWanted::Native => Self::xdp(program, interface, Mode::Native),
            ModeWanted::Generic => Self::xdp(program, interface, Mode::Generic),
            ModeWanted::Auto => Self::xdp(program, interface, Mode::Native).or_else(|native| {
                let generic = Self::xdp(program, interface, Mode::Generic)?;
                Ok(Self { fallback: Some(native), ..generic })
            }),
        }
    }

    /// The mode in which it runs.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Why it does not run in native mode, if that was tried first.
    pub fn fallback(&self) -> Option<&Error> {
        self.fallback.as_ref()
    }
}

/// From now on `program` decides about data of every socket that is put into `map`.
///
/// # Errors
/// What the kernel says.
pub(crate) fn attach_verdict(program: &Program, map: &Map) -> Result<(), Error> {
    let mut attach = ProgramAttach {
        target: map.as_fd().as_raw_fd() as u32,
        program: program.as_fd().as_raw_fd() as u32,
        attach_type: SK_SKB_VERDICT,
        flags: 0,
    };
    // SAFETY: this is the structure of the command, and it has no address.
    let attached = unsafe { bpf(Command::ProgramAttach, &mut attach) };
    attached.map(drop).map_err(|cause| Error::AttachToMap(map.name(), cause))
}
