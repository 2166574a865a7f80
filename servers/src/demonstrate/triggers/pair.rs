//! The two ends of a connection, and a way to know that something has arrived.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::habit::Call;

/// Longer than anything takes on loopback.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A listener that does not block, on a free port.
///
/// # Errors
/// When there is none.
pub(super) fn listener() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A connection to it.
///
/// # Errors
/// When it is refused.
pub(super) fn client(listener: &TcpListener) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection: our end, which does not block, and the peer's.
///
/// # Errors
/// When there is none.
pub(super) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = listener()?;
    let peer = client(&listener)?;
    listener.set_nonblocking(false)?;
    let (ours, _) = listener.accept()?;
    ours.set_nonblocking(true)?;
    ours.set_nodelay(true)?;
    Ok((ours, peer))
}

/// What came of a call that does not block.
///
/// # Errors
/// All but "not now".
pub(super) fn call<T>(result: io::Result<T>) -> io::Result<(Call, Option<T>)> {
    match result {
        Ok(value) => Ok((Call::Went, Some(value))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((Call::InVain, None)),
        Err(error) => Err(error),
    }
}

/// Waits until `here` says so.
///
/// # Errors
/// When it does not within [`PATIENCE`], or fails.
pub(super) fn arrives(
    what: &str,
    mut here: impl FnMut() -> io::Result<bool>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    while !here()? {
        if start.elapsed() > PATIENCE {
            bail!("{what} did not arrive within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
