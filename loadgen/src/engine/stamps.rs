//! Where the time of a request goes: stamps of the kernel between our own.
//!
//! ```text
//!   planned ──▶ sent ──▶ left the kernel ──▶ came back ──▶ read
//!          wait     send               away           read
//! ```
//!
//! With SO_TIMESTAMPING the kernel tells, by its software stamps, when the last octet of a request
//! was given to the network device, and when the last octet of the reply was taken from one; that
//! works on every device, loopback included (Documentation/networking/timestamping.rst). Only
//! `away` is the server and the network. The rest is the load generator and its kernel, and every
//! load generator that has no such stamps charges it to the server.
//!
//! The kernel stamps with `CLOCK_REALTIME`, so the difference of the two clocks is taken now and
//! then. The stamps cost two more system calls a request, which is why they are an option.

use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::ptr;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use nix::sys::time::TimeSpec;

use super::outstanding::Asked;
use crate::clock::{Moment, wall_clock_offset_ns};
use crate::report::{Band, Path};

/// Software stamps of sent and received octets, without the octets (linux/net_tstamp.h).
const FLAGS: u32 = TX_SOFTWARE | RX_SOFTWARE | SOFTWARE | OPT_TSONLY;
const TX_SOFTWARE: u32 = 1 << 1;
const RX_SOFTWARE: u32 = 1 << 3;
const SOFTWARE: u32 = 1 << 4;
const OPT_TSONLY: u32 = 1 << 11;

/// Bands of latency: four for each doubling, up to an hour.
const BANDS: usize = 4 * 42;

/// How often the difference of the clocks is taken, in nanoseconds.
const SYNCHRONISE_NS: u64 = 50_000_000;

/// The stamps of one thread.
#[derive(Debug)]
pub(crate) struct Stamps {
    /// `CLOCK_REALTIME` minus `CLOCK_MONOTONIC`.
    offset_ns: i64,
    offset_at: Moment,
    /// For each slot, when the last request left the kernel.
    left: Vec<Option<Moment>>,
    /// When the last octets that were read came.
    came: Option<Moment>,
    control: Vec<u8>,
    bands: Vec<Band>,
}

impl Stamps {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            offset_ns: wall_clock_offset_ns(),
            offset_at: Moment::now(),
            left: vec![None; slots],
            came: None,
            control: cmsg_space!([TimeSpec; 3], [u8; 64]),
            bands: vec![Band::default(); BANDS],
        }
    }

    /// Asks for stamps on a connection.
    pub(crate) fn ask(&self, socket: &TcpStream) -> io::Result<()> {
        // SAFETY: the value is a `u32` that lives through the call, and its size is given.
        let outcome = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPING,
                ptr::from_ref(&FLAGS).cast(),
                size_of_val(&FLAGS) as libc::socklen_t,
            )
        };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// read(2), and the stamp of what was read.
    pub(crate) fn read(&mut self, socket: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
        let mut pieces = [IoSliceMut::new(room)];
        let control = Some(&mut self.control[..]);
        let descriptor = socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrStorage>(descriptor, &mut pieces, control, MsgFlags::empty())?;
        let came = message.cmsgs().ok().and_then(|mut messages| messages.find_map(stamp));
        let count = message.bytes;
        self.came = came.map(|stamp| self.moment(stamp));
        Ok(count)
    }

    /// Takes the stamps of what left the kernel on this connection; the last one counts.
    pub(crate) fn take_left(&mut self, index: usize, socket: &TcpStream) {
        loop {
            let mut none = [IoSliceMut::new(&mut [])];
            let control = Some(&mut self.control[..]);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut none, control, flags) {
                Ok(message) => {
                    let left = message.cmsgs().ok().and_then(|mut all| all.find_map(stamp));
                    let left = left.map(|stamp| self.moment(stamp));
                    self.left[index] = left.or(self.left[index]);
                }
                Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Enters the way of a request whose reply was read at `now`.
    pub(crate) fn enter(&mut self, index: usize, asked: Asked, now: Moment) {
        let (Some(left), Some(came)) = (self.left[index].take(), self.came) else { return };
        // A stamp out of order is of another request, or the wall clock was set in between.
        if !(asked.sent <= left && left <= came && came <= now) {
            return;
        }
        let band = &mut self.bands[band_of(now.nanos_since(asked.planned))];
        band.count += 1;
        band.wait_ns += asked.sent.nanos_since(asked.planned);
        band.send_ns += left.nanos_since(asked.sent);
        band.away_ns += came.nanos_since(left);
        band.read_ns += now.nanos_since(came);
    }

    /// Forgets what was entered.
    pub(crate) fn restart(&mut self) {
        self.bands.fill(Band::default());
    }

    /// Takes the difference of the clocks again, if that is some time ago.
    pub(crate) fn synchronise(&mut self, now: Moment) {
        if now.nanos_since(self.offset_at) > SYNCHRONISE_NS {
            (self.offset_ns, self.offset_at) = (wall_clock_offset_ns(), now);
        }
    }

    pub(crate) fn path(self) -> Path {
        Path { bands: self.bands }
    }

    fn moment(&self, stamp: TimeSpec) -> Moment {
        let wall = stamp.tv_sec() * 1_000_000_000 + stamp.tv_nsec();
        Moment::from_nanos(u64::try_from(wall - self.offset_ns).unwrap_or(0))
    }
}

/// The software stamp in a control message; a zero one is none.
fn stamp(message: ControlMessageOwned) -> Option<TimeSpec> {
    match message {
        ControlMessageOwned::ScmTimestampsns(stamps) => {
            Some(stamps.system).filter(|stamp| stamp.tv_sec() != 0)
        }
        _ => None,
    }
}

/// Four bands for each doubling.
fn band_of(latency_ns: u64) -> usize {
    let latency_ns = latency_ns.max(4);
    let octave = latency_ns.ilog2() as usize;
    let quarter = (latency_ns >> (octave - 2)) as usize & 3;
    (octave * 4 + quarter).min(BANDS - 1)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn bands_are_in_order_and_narrow() {
        let mut before = 0;
        for latency in (4..100_000_u64).chain([u64::MAX]) {
            let band = band_of(latency);
            assert!(band >= before && band < BANDS, "{latency}");
            before = band;
        }
        assert_ne!(band_of(1000), band_of(1300));
    }

    /// The server waits for 20 ms, so most of the time must be found away from this process.
    #[test]
    fn the_kernel_tells_when_octets_left_and_came_back() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let mut socket =
            TcpStream::connect(listener.local_addr().expect("it")).expect("a connection");
        let (mut server, _) = listener.accept().expect("a client");
        let mut stamps = Stamps::new(1);
        stamps.ask(&socket).expect("stamps");
        let answer = thread::spawn(move || {
            let mut octets = [0; 4];
            server.read_exact(&mut octets).expect("a request");
            thread::sleep(Duration::from_millis(20));
            server.write_all(&octets).expect("a reply");
            server
        });
        let sent = Moment::now();
        socket.write_all(b"ping").expect("room");
        let count = stamps.read(&socket, &mut [0; 64]).expect("a reply");
        stamps.take_left(0, &socket);
        stamps.enter(0, Asked { planned: sent, sent }, Moment::now());
        let path = stamps.path();
        let band = path.bands.iter().find(|band| band.count > 0).expect("a way");
        assert_eq!((count, band.count, band.wait_ns), (4, 1, 0));
        assert!(band.away_ns >= 20_000_000, "{band:?}");
        drop(answer.join());
    }
}
