//! An interface whose frames come to an AF_XDP socket: a program in XDP hands them over, for as
//! long as the tap lives. Everything is undone when it is dropped, or when the process ends in
//! whatever way.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use nix::net::if_::if_nametoindex;

use super::socket::{Copying, Socket};
use crate::bpf::{self, Attachment, Flag, ModeWanted, Program, Type};
use crate::programs::redirect;

/// Which frames, and how they get here.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "AF_XDP")]
pub struct Interface {
    /// Receive on this interface, by an AF_XDP socket
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
    /// Its receive queue
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "listen",
          value_parser = clap::value_parser!(u32).range(0..1_024))]
    pub queue: u32,
    /// Datagrams to this port
    #[arg(long, value_name = "PORT", default_value_t = 50_001, conflicts_with = "listen")]
    pub port: u16,
    /// Where the program runs that hands them over
    #[arg(long, value_enum, default_value = "auto", conflicts_with = "listen")]
    pub mode: ModeWanted,
    /// How frames get into our memory
    #[arg(long, value_enum, default_value = "auto", conflicts_with = "listen")]
    pub copying: CopyingWanted,
}

/// How frames are to get into our memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CopyingWanted {
    /// The kernel copies them.
    Copy,
    /// The driver writes them there, or not at all.
    Zero,
    /// The driver writes them there, or the kernel copies them if it can't.
    Auto,
}

/// How long an interface may still have the socket or the program of somebody who has just ended.
const RELEASE: Duration = Duration::from_secs(2);

/// An interface whose frames come to a socket.
#[derive(Debug)]
pub struct Tap {
    /// Where the frames come from.
    pub socket: Socket,
    /// The port of the datagrams in them.
    pub port: u16,
    mode: &'static str,
    copying: Copying,
    fallback: Option<String>,
    _attachment: Attachment,
}

impl Tap {
    /// Opens it, in the network namespace of this thread.
    ///
    /// # Errors
    /// When there is no such interface or queue, a right is missing, or the driver can't do what is
    /// asked for.
    pub fn open(options: &Interface) -> anyhow::Result<Self> {
        let Some(name) = options.interface.as_deref() else { bail!("which interface?") };
        let index =
            if_nametoindex(name).with_context(|| format!("there is no interface {name} here"))?;
        let sockets = redirect::sockets(options.queue + 1)?;
        let program = Program::load(&redirect::code(options.port), Type::Xdp, &[&sockets])?;
        let attach = || Attachment::wanted(&program, index, options.mode);
        let attachment = soon(attach, bpf::Error::cause)?;
        let (socket, refusal) = open(index, options)?;
        let descriptor = socket.as_fd().as_raw_fd() as u32;
        sockets.update(&options.queue, &descriptor, Flag::Any).with_context(|| {
            format!("cannot hand frames of queue {} of {name} to the socket", options.queue)
        })?;
        let reasons = attachment.fallback().map(ToString::to_string).into_iter().chain(refusal);
        let reasons: Vec<String> = reasons.collect();
        Ok(Self {
            mode: attachment.mode().name(),
            copying: socket.copying().context("asking the socket how it copies")?,
            socket,
            port: options.port,
            fallback: (!reasons.is_empty()).then(|| reasons.join("; ")),
            _attachment: attachment,
        })
    }

    /// What it is in the end, for a report: `af_xdp native copy`.
    #[must_use]
    pub fn kind(&self) -> String {
        let copying = match self.copying {
            Copying::Copy => "copy",
            Copying::Zero => "zero-copy",
        };
        format!("af_xdp {} {copying}", self.mode)
    }

    /// Why it is not what was tried first.
    #[must_use]
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }
}

/// The socket, and why it copies if it need not have.
fn open(interface: u32, options: &Interface) -> anyhow::Result<(Socket, Option<String>)> {
    let open = |copying| {
        soon(|| Socket::open(interface, options.queue, copying), |error| Some(error))
            .map_err(|error| explain(&error, options))
    };
    match options.copying {
        CopyingWanted::Copy => Ok((open(Copying::Copy)?, None)),
        CopyingWanted::Zero => Ok((open(Copying::Zero)?, None)),
        CopyingWanted::Auto => match open(Copying::Zero) {
            Ok(socket) => Ok((socket, None)),
            Err(why) => Ok((open(Copying::Copy)?, Some(why.to_string()))),
        },
    }
}

/// Tries for a while, as long as it is busy: the kernel lets go of a socket or of a program a
/// little after its process has ended. Of a program in another mode it says EEXIST.
fn soon<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    cause: impl Fn(&E) -> Option<&io::Error>,
) -> Result<T, E> {
    let deadline = Instant::now() + RELEASE;
    loop {
        let result = attempt();
        let code = result.as_ref().err().and_then(&cause).and_then(io::Error::raw_os_error);
        let busy = matches!(code, Some(libc::EBUSY | libc::EEXIST));
        if !busy || Instant::now() >= deadline {
            return result;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn explain(error: &io::Error, options: &Interface) -> anyhow::Error {
    let advice = match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "; the driver has no zero copy, --copying copy needs none",
        Some(libc::EBUSY) => "; another socket has this queue",
        Some(libc::EINVAL) => "; has the interface such a queue (ethtool -l)?",
        Some(libc::EPERM) => " (CAP_NET_RAW is needed)",
        Some(libc::ENOBUFS) => "; RLIMIT_MEMLOCK must allow 8 MiB, or CAP_IPC_LOCK is needed",
        Some(libc::EAFNOSUPPORT) => "; this kernel is built without XDP_SOCKETS",
        _ => "",
    };
    let (queue, name) = (options.queue, options.interface.as_deref().unwrap_or_default());
    anyhow::anyhow!("cannot open an AF_XDP socket on queue {queue} of {name}: {error}{advice}")
}
