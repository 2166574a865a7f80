//! What an interface leaves to others, by ioctl(2): what `ethtool -K eth0 gro on tx off` does.

use std::io;
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// A switch, by its number in linux/ethtool.h.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
enum Switch {
    /// ETHTOOL_SGRO: generic receive offload.
    Gro = 0x2c,
    /// ETHTOOL_STXCSUM: checksums are left to the device.
    Checksums = 0x17,
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Order {
    command: u32,
    value: u32,
}

/// Makes an interface of the calling thread's namespace behave as one with a wire does.
///
/// It receives by polling (NAPI), which a veth interface does only with GRO or with an XDP program:
/// frames that come from no stack of the same host, as live ones, are dropped silently otherwise.
/// And frames go out with whole checksums: a stack leaves them to the device, a veth interface has
/// none, and an XDP program that sends such a frame on spoils it.
pub(super) fn as_on_a_wire(interface: &str) -> io::Result<()> {
    turn(interface, Switch::Gro, 1)?;
    turn(interface, Switch::Checksums, 0)
}

fn turn(interface: &str, switch: Switch, value: u32) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut order = Order { command: switch as u32, value };
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
