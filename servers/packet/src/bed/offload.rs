//! Generic receive offload of an interface, by ioctl(2): what `ethtool -K eth0 gro on` does.
//!
//! A veth interface takes frames in by polling (NAPI) only with this on, or with an XDP program.
//! Without, frames that come from no stack of the same host, as live ones, are dropped silently.

use std::io;
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// ETHTOOL_SGRO of linux/ethtool.h.
const SET_GRO: u32 = 0x2c;

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Order {
    command: u32,
    value: u32,
}

/// Turns it on, for an interface of the calling thread's namespace.
pub(super) fn receive_by_polling(interface: &str) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut order = Order { command: SET_GRO, value: 1 };
    // SAFETY: all zeroes is a valid `ifreq`, which holds numbers and a pointer that may be null.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let name = interface.bytes().take(request.ifr_name.len() - 1);
    request.ifr_name.iter_mut().zip(name).for_each(|(to, from)| *to = from.cast_signed());
    request.ifr_ifru.ifru_data = (&raw mut order).cast();
    // SAFETY: the request names an interface and points to an order that outlives the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
