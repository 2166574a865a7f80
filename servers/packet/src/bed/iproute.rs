//! The program `ip` (ip(8) of iproute2), which puts a plan into effect.

use std::io::{self, ErrorKind, Write};
use std::process::{Command, Stdio};

use super::fault::{Fault, Missing};
use super::namespace::Namespace;

/// Has `ip` carry out lines of commands in a namespace; it stops at the first that fails.
pub(super) fn carry_out(lines: &str, namespace: &Namespace) -> Result<(), Fault> {
    let mut ip = Command::new("ip");
    ip.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    namespace.holds(&mut ip)?;
    let mut ip = ip.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Fault::Missing(Missing::Tool),
        _ => error.into(),
    })?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(lines.as_bytes())?;
    }
    let ended = ip.wait_with_output()?;
    if ended.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&ended.stderr).trim().replace('\n', "; ");
    Err(Fault::Failed(io::Error::other(format!("ip -batch: {words}; it was to do:\n{lines}"))))
}
