//! Relays between pairs of TCP sockets inside the kernel: a sockhash and a verdict on each arrival.
//!
//! A socket that is heard no longer hands data to its reader. A program is asked where it shall go,
//! and sends it out by the socket that a map has under the receiver's cookie: the other one of the
//! pair. User space accepts, connects, closes, and touches no octet between.
//!
//! There are two maps, for two sockets can't be put into one at once. What came between would find
//! nobody to go to, and be handed to its reader: out of order, and lost when that takes the socket
//! out again. So both are put first where they are only found, and then where they are heard.
//!
//! What it does not do: it hands on data, not the end of data. User space waits for `EPOLLRDHUP`
//! and shuts the other side down. And a socket's data that lay in its queue before it was put in
//! waits until more comes, or until `SO_RCVLOWAT` is set: then the kernel looks again.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::asm::Size::{Double, Word};
use crate::asm::{Assembler, Code, Condition, Helper, Register::*};
use crate::bpf::{self, Error, Flag, Kind, Map, Program, Type};

/// The name of the map of where to send: a socket's other one, by the cookie of the first.
const OTHERS: &str = "others";
/// The name of the map of those whose arrivals the program is asked about, by their own cookies.
const HEARD: &str = "heard";

/// What an `sk_skb` program says: `enum sk_action`.
const SK_DROP: i32 = 0;

/// Where in `struct __sk_buff` the length of the segment is.
const SKB_LENGTH: i16 = 0;
const SK_PASS: i32 = 1;

/// The program.
pub fn code() -> Code {
    let mut a = Assembler::new();
    let found = a.label("found");
    let empty = a.label("empty");
    a.note(
        "The end of the stream comes as a segment without octets. Sent on, it would be an error at",
    );
    a.note("a socket whose end user space has passed on already: there is nothing in it to send.");
    a.load(Word, R2, R1.at(SKB_LENGTH));
    a.jump_if(R2, Condition::Equal, 0, empty);
    a.note("The cookie of the socket that has received this, as a key on the stack.");
    a.mov(R6, R1);
    a.call(Helper::SocketCookie);
    a.store(Double, R10.at(-8), R0);
    a.note("Out by the other socket of its pair.");
    a.mov(R1, R6);
    a.map(R2, OTHERS);
    a.mov(R3, R10);
    a.add(R3, -8);
    a.mov(R4, 0);
    a.call(Helper::SkRedirectHash);
    a.jump_if(R0, Condition::NotEqual, SK_DROP, found);
    a.note("No other one is there: its reader gets it, nothing is lost.");
    a.mov(R0, SK_PASS);
    a.bind(found);
    a.exit();
    a.bind(empty);
    a.mov(R0, SK_DROP);
    a.exit();
    a.finish()
}

/// Pairs of sockets that the kernel relays between.
#[derive(Debug)]
pub struct SockPairs {
    others: Map,
    heard: Map,
    _program: Program,
}

impl SockPairs {
    /// Room for so many pairs.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(pairs: u32) -> Result<Self, Error> {
        let map = |name| Map::new(name, Kind::Sockhash, [8, 8], pairs.saturating_mul(2));
        let (others, heard) = (map(OTHERS)?, map(HEARD)?);
        let program = Program::load(&code(), Type::SkSkb, &[&others])?;
        bpf::attach_verdict(&program, &heard)?;
        Ok(Self { others, heard, _program: program })
    }

    /// From now on what comes in by one goes out by the other. Both are connected TCP sockets; they
    /// leave the maps by themselves when they are closed.
    ///
    /// # Errors
    /// What the kernel says: E2BIG if there is no room, EOPNOTSUPP for a socket that is not
    /// connected, or whose peer has ended. Then neither is heard any more. But the first may have
    /// been for a moment: what came in by it until then is still sent on, and so the other one
    /// stays where it is found. Taken out there, it would lose what waits to go out by it.
    pub fn insert(&self, one: &impl AsFd, other: &impl AsFd) -> io::Result<()> {
        let put = || {
            put(&self.others, one, other)?;
            put(&self.others, other, one)?;
            // Nobody is heard before it is known where to send what he says: a program that does
            // not find the other one hands on to the reader.
            put(&self.heard, one, one)?;
            put(&self.heard, other, other)
        };
        put().inspect_err(|_| drop(self.give_back(one, other)))
    }

    /// Takes the first out again; the other one has not been heard.
    fn give_back(&self, one: &impl AsFd, other: &impl AsFd) -> io::Result<()> {
        self.heard.remove(&cookie(one)?)?;
        self.others.remove(&cookie(other)?)?;
        Ok(())
    }

    /// The descriptors of its maps: nothing else is asked for when sockets come and go.
    #[must_use]
    pub fn descriptors(&self) -> [RawFd; 2] {
        [&self.others, &self.heard].map(|map| map.as_fd().as_raw_fd())
    }

    /// Takes both out again, as far as they are in.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&self, one: &impl AsFd, other: &impl AsFd) -> io::Result<()> {
        for cookie in [cookie(one)?, cookie(other)?] {
            self.heard.remove(&cookie)?;
            self.others.remove(&cookie)?;
        }
        Ok(())
    }
}

/// Puts `value` into a map, by the cookie of `key`.
fn put(map: &Map, key: &impl AsFd, value: &impl AsFd) -> io::Result<()> {
    let descriptor = value.as_fd().as_raw_fd() as u64;
    map.update(&cookie(key)?, &descriptor, Flag::NoExist)
}

/// The number by which the kernel knows a socket: `SO_COOKIE`, socket(7).
fn cookie(socket: &impl AsFd) -> io::Result<u64> {
    let (mut cookie, mut length) = (0_u64, size_of::<u64>() as libc::socklen_t);
    // SAFETY: the option is eight octets, which `cookie` has room for, as `length` says.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}
