//! What can go wrong with bpf(2), with what to do about it.

use std::{fmt, io};

/// What can go wrong with bpf(2).
#[derive(Debug)]
pub enum Error {
    /// A map could not be made.
    Map(&'static str, io::Error),
    /// A program names a map that it was not given.
    Unknown(&'static str),
    /// The kernel refused a program; its verifier says why.
    Load(io::Error, String),
    /// A program could not be attached to an interface.
    Attach(u32, io::Error),
    /// A program could not be attached to a map of sockets.
    AttachToMap(&'static str, io::Error),
    /// A test run failed.
    Run(io::Error),
    /// Memory of a map could not be shared.
    Share(&'static str, io::Error),
}

impl Error {
    /// What the kernel said.
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::Unknown(_) => None,
            Self::Map(_, cause)
            | Self::Load(cause, _)
            | Self::Attach(_, cause)
            | Self::AttachToMap(_, cause)
            | Self::Run(cause)
            | Self::Share(_, cause) => Some(cause),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(name, cause) => write!(f, "can't make the map {name}: {cause}")?,
            Self::Unknown(name) => write!(f, "the program needs a map {name} and has none")?,
            Self::Load(cause, log) => {
                write!(f, "the kernel refuses the program: {cause}\n{}", log.trim_end())?;
            }
            Self::Attach(interface, cause) => {
                write!(f, "can't attach a program to interface {interface}: {cause}")?;
                f.write_str(attach_advice(cause))?;
            }
            Self::AttachToMap(name, cause) => {
                write!(f, "can't attach a program to the map {name}: {cause}")?;
            }
            Self::Run(cause) => write!(f, "can't run the program for a test: {cause}")?,
            Self::Share(name, cause) => write!(f, "can't share memory with {name}: {cause}")?,
        }
        f.write_str(rights_advice(self.cause()))
    }
}

fn attach_advice(cause: &io::Error) -> &'static str {
    match cause.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "; its driver has no native XDP, try the generic mode",
        Some(libc::EBUSY | libc::EEXIST) => "; another XDP program is attached, detach it first",
        Some(libc::EINVAL | libc::ERANGE) => "; is its MTU too large for XDP?",
        _ => "",
    }
}

fn rights_advice(cause: Option<&io::Error>) -> &'static str {
    match cause.and_then(io::Error::raw_os_error) {
        Some(libc::EPERM) => " (CAP_BPF and CAP_NET_ADMIN are needed)",
        Some(libc::ENOSYS) => " (this kernel, or a filter of system calls, has no bpf(2))",
        _ => "",
    }
}

impl std::error::Error for Error {}
