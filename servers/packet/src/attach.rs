//! An XDP program on an interface that is known by its name, and word of it for whoever started us.

use std::io::Write;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;

use crate::bpf::{self, Attachment, ModeWanted, Program};

/// Attaches a program to the interface with this name, and prints `ready INTERFACE MODE`; before
/// it, why it is not native mode if that was tried.
///
/// # Errors
/// There is no such interface, or it takes no program.
pub(crate) fn attach_to(
    program: &Program,
    interface: &str,
    mode: ModeWanted,
    out: &mut impl Write,
) -> Result<Attachment> {
    let index = if_nametoindex(interface)
        .with_context(|| format!("there is no interface {interface}; `ip link` lists them"))?;
    let attached = Attachment::wanted(program, index, mode)?;
    if let Some(why) = attached.fallback().and_then(bpf::Error::cause) {
        writeln!(out, "generic mode: the driver of {interface} has no native one ({why})")?;
    }
    writeln!(out, "ready {interface} {}", attached.mode().name())?;
    out.flush()?;
    Ok(attached)
}
