//! The queue of a listening socket: clients that have come, and that nobody has accepted.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// How many there are. The kernel says it where it says what it knows of any TCP socket: of one
/// that listens, `tcpi_unacked` is that number (`tcp_get_info` in net/ipv4/tcp.c).
///
/// # Errors
/// What getsockopt(2) says.
pub(crate) fn length(listener: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` octets, and that many are there.
    let result = unsafe {
        libc::getsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all of it is integers, and what the kernel did not write is 0.
    Ok(unsafe { info.assume_init() }.tcpi_unacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn counts_those_who_have_come_and_are_not_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _clients = [(); 3].map(|()| connect());
        assert_eq!(length(listener.as_fd()).unwrap(), 3);
        listener.accept().unwrap();
        assert_eq!(length(listener.as_fd()).unwrap(), 2);
    }
}
