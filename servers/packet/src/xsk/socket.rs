//! The socket: it knows whose each frame is.
//!
//! At the start all frames are in the fill ring. One that comes out of the rx ring is ours until it
//! goes back there, or into the tx ring; from there it comes back by the completion ring. Giving
//! one back never fails: the fill ring has two places for each frame there is. One would not do,
//! for the kernel says late which places it has read: a frame may be back here while its old place
//! still counts as taken.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{ptr, thread};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ring::{Consumer, Place, Producer};
use super::umem::{FRAMES, Umem};
use crate::stop::GLANCE;

/// Places of the rx and the tx ring.
const RING: u32 = 2_048;
/// Places of the fill ring.
const FILL: u32 = 2 * FRAMES;
/// How long a frame that the device had no room for lies there before the next attempt.
const RETRY: Duration = Duration::from_millis(1);

/// How frames get from the driver into our memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// The kernel copies them: any driver.
    Copy,
    /// The driver has them written where we read them.
    Zero,
}

/// An AF_XDP socket with its memory.
#[derive(Debug)]
pub struct Socket {
    // The rings go first: as long as they are mapped, the kernel keeps the socket.
    fill: Producer<u64>,
    completion: Consumer<u64>,
    rx: Consumer<libc::xdp_desc>,
    tx: Producer<libc::xdp_desc>,
    descriptor: OwnedFd,
    umem: Umem,
    calls: u64,
    unsent: u64,
}

/// What the kernel counted (XDP_STATISTICS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Frames dropped because we had given no room, or had not taken the ones before.
    pub dropped: u64,
    /// Frames and places that we named and that are none.
    pub invalid: u64,
}

impl Socket {
    /// A socket for frames of one receive queue of an interface.
    ///
    /// # Errors
    /// EOPNOTSUPP where the driver can't do what is asked for, EBUSY where the queue has a socket,
    /// EPERM without CAP_NET_RAW, ENOBUFS beyond RLIMIT_MEMLOCK, or what else the kernel says.
    pub fn open(interface: u32, queue: u32, copying: Copying) -> io::Result<Self> {
        let descriptor = socket()?;
        let umem = Umem::new()?;
        let registration = umem.registration().ok_or(io::ErrorKind::OutOfMemory)?;
        let fd = descriptor.as_fd();
        set_option(fd, libc::XDP_UMEM_REG, &registration)?;
        set_option(fd, libc::XDP_UMEM_FILL_RING, &FILL)?;
        set_option(fd, libc::XDP_UMEM_COMPLETION_RING, &RING)?;
        set_option(fd, libc::XDP_RX_RING, &RING)?;
        set_option(fd, libc::XDP_TX_RING, &RING)?;
        let offsets: libc::xdp_mmap_offsets = option(fd, libc::XDP_MMAP_OFFSETS)?;
        let place = |page, offsets, size| Place { page, offsets, size };
        let fill = place(libc::XDP_UMEM_PGOFF_FILL_RING as i64, offsets.fr, FILL);
        let completion = place(libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64, offsets.cr, RING);
        let mut made = Self {
            fill: Producer::of(fd, fill)?,
            completion: Consumer::of(fd, completion)?,
            rx: Consumer::of(fd, place(libc::XDP_PGOFF_RX_RING, offsets.rx, RING))?,
            tx: Producer::of(fd, place(libc::XDP_PGOFF_TX_RING, offsets.tx, RING))?,
            descriptor,
            umem,
            calls: 0,
            unsent: 0,
        };
        // All of them fit: the ring has more places.
        Umem::frames().for_each(|frame| made.give_back(frame));
        made.fill.publish();
        bind(made.descriptor.as_fd(), interface, queue, copying)?;
        Ok(made)
    }

    /// How frames get here, as the kernel says it.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn copying(&self) -> io::Result<Copying> {
        let options: libc::xdp_options = option(self.descriptor.as_fd(), libc::XDP_OPTIONS)?;
        let zero = options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0;
        Ok(if zero { Copying::Zero } else { Copying::Copy })
    }

    /// What the kernel counted.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn statistics(&self) -> io::Result<Statistics> {
        let all: libc::xdp_statistics = option(self.descriptor.as_fd(), libc::XDP_STATISTICS)?;
        let invalid = all.rx_invalid_descs + all.tx_invalid_descs;
        Ok(Statistics { dropped: all.rx_dropped + all.rx_ring_full, invalid })
    }

    /// How many system calls it has taken until now.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// How many frames found no room in the tx ring.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Takes at most so many of the frames that are there, without waiting. `each` gets the octets
    /// of one, and says how many of them to send back, if any. Returns how many frames there were.
    pub fn receive(
        &mut self,
        at_most: u32,
        mut each: impl FnMut(&mut [u8]) -> Option<usize>,
    ) -> usize {
        self.reclaim();
        let mut count = 0;
        while count < at_most
            && let Some(descriptor) = self.rx.pop()
        {
            count += 1;
            // SAFETY: it has just come out of the rx ring, and `settle` gives it away.
            let octets = unsafe { self.umem.octets(descriptor.addr, descriptor.len) };
            let answer = octets.and_then(&mut each);
            self.settle(descriptor, answer);
        }
        if count > 0 {
            self.rx.release();
            self.fill.publish();
        }
        count as usize
    }

    /// Has the kernel send what is in the tx ring. One call sends a few frames only, and leaves the
    /// others (`TX_BATCH_SIZE` in Linux `net/xdp/xsk.c`: 32, formerly 16): so there is one after
    /// the other, as long as each gets further. What is left then is what the device has no room
    /// for now, and goes out by [`Socket::wait`] or [`Socket::nudge`].
    pub fn send(&mut self) {
        self.tx.publish();
        let (mut before, mut left) = (u32::MAX, self.tx.left());
        while 0 < left && left < before && self.tx.asks_for_a_call() {
            self.call_to_send();
            (before, left) = (left, self.tx.left());
        }
    }

    /// Sends what is left, and gives a busy device a moment for it. Returns how many frames it did
    /// not take even so.
    pub fn drain(&mut self) -> u64 {
        let end = Instant::now() + GLANCE;
        self.send();
        while self.tx.left() > 0 && Instant::now() < end {
            // Without room in the completion ring the kernel sends nothing.
            self.reclaim();
            thread::yield_now();
            self.send();
        }
        self.tx.left().into()
    }

    /// Sleeps until there is a frame, or it is time to look around.
    ///
    /// # Errors
    /// What poll(2) says.
    pub fn wait(&mut self) -> io::Result<()> {
        self.send();
        self.calls += 1;
        let at_most = if self.tx.left() > 0 { RETRY } else { GLANCE };
        let mut ready = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::try_from(at_most).unwrap_or(PollTimeout::ZERO)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Does what the kernel may need for it to go on, in both directions, without sleeping.
    pub fn nudge(&mut self) {
        self.send();
        if self.fill.asks_for_a_call() {
            self.call_to_receive();
        }
    }

    /// What it answers does not matter: the ring tells what it has done.
    fn call_to_send(&mut self) {
        self.calls += 1;
        let (nothing, nobody) = (ptr::null(), ptr::null());
        let (flags, descriptor) = (libc::MSG_DONTWAIT, self.descriptor.as_raw_fd());
        // SAFETY: a call without data and without an address.
        unsafe { libc::sendto(descriptor, nothing, 0, flags, nobody, 0) };
    }

    fn call_to_receive(&mut self) {
        self.calls += 1;
        let (nothing, nobody) = (ptr::null_mut(), ptr::null_mut());
        let (flags, descriptor) = (libc::MSG_DONTWAIT, self.descriptor.as_raw_fd());
        // SAFETY: a call without data and without an address.
        unsafe { libc::recvfrom(descriptor, nothing, 0, flags, nobody, ptr::null_mut()) };
    }

    /// Frames that are sent are room for others.
    fn reclaim(&mut self) {
        let mut any = false;
        while let Some(address) = self.completion.pop() {
            self.give_back(address);
            any = true;
        }
        if any {
            self.completion.release();
            self.fill.publish();
        }
    }

    /// Sends a frame back, or gives it back.
    fn settle(&mut self, received: libc::xdp_desc, answer: Option<usize>) {
        let Some(length) = answer else { return self.give_back(received.addr) };
        // Never longer than it was.
        let len = received.len.min(length.try_into().unwrap_or(u32::MAX));
        let back = libc::xdp_desc { addr: received.addr, len, options: 0 };
        if self.tx.push(back).is_none() {
            self.unsent += 1;
            self.give_back(received.addr);
        }
    }

    fn give_back(&mut self, address: u64) {
        let pushed = self.fill.push(Umem::begin(address));
        debug_assert!(pushed.is_some(), "there are places for each frame");
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: a call without a pointer.
    let descriptor = unsafe { libc::socket(libc::AF_XDP, kind, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn bind(socket: BorrowedFd<'_>, interface: u32, queue: u32, copying: Copying) -> io::Result<()> {
    let how = match copying {
        Copying::Copy => libc::XDP_COPY,
        Copying::Zero => libc::XDP_ZEROCOPY,
    };
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: how | libc::XDP_USE_NEED_WAKEUP,
        sxdp_ifindex: interface,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: 0,
    };
    let length = size_of_val(&address) as libc::socklen_t;
    let pointer = (&raw const address).cast();
    // SAFETY: the address is of the length that goes with it.
    done(unsafe { libc::bind(socket.as_raw_fd(), pointer, length) })
}

fn set_option<T>(socket: BorrowedFd<'_>, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let pointer = ptr::from_ref(value).cast();
    // SAFETY: the value is of the length that goes with it.
    done(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_XDP, name, pointer, length) })
}

/// `T` is a structure of C made of numbers.
fn option<T: Copy>(socket: BorrowedFd<'_>, name: i32) -> io::Result<T> {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut length = size_of::<T>() as libc::socklen_t;
    let pointer = value.as_mut_ptr().cast();
    // SAFETY: there is room for `length` octets.
    done(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_XDP, name, pointer, &raw mut length)
    })?;
    if length as usize != size_of::<T>() {
        return Err(io::Error::other("the kernel is too old for AF_XDP as it is used here"));
    }
    // SAFETY: all zeros, and then what the kernel wrote, are a value of such a structure.
    Ok(unsafe { value.assume_init() })
}

fn done(answer: i32) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
