//! Why there is no bed.

use std::io;

use nix::errno::Errno;

/// Why a bed could not be made.
#[derive(Debug)]
pub enum Fault {
    /// This host or this user does not allow it: whatever needs a bed is to be skipped, aloud.
    Missing(Missing),
    /// It should have worked.
    Failed(io::Error),
}

/// What is missing for a bed.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// The right to make namespaces and to change networks.
    Right,
    /// The program `ip`.
    Tool,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EPERM | Errno::EACCES) => Self::Missing(Missing::Right),
            _ => Self::Failed(error),
        }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Right => {
                "no right to make network namespaces: run this as root (CAP_SYS_ADMIN and \
                 CAP_NET_ADMIN)"
            }
            Self::Tool => "no program `ip`: install iproute2",
        })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}
