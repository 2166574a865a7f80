//! Beds are what they are said to be, and leave nothing. Takes root; is skipped aloud without.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod beds;

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use beds::made;
use packet::bed::{Bed, Host, Mac};

fn bound(host: &Host) -> UdpSocket {
    let socket = host.namespace.within(|| UdpSocket::bind((host.address, 0))).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn say(from: &Host, to: &Host) {
    let (sender, receiver) = (bound(from), bound(to));
    sender.send_to(b"hello", receiver.local_addr().unwrap()).unwrap();
    let mut heard = [0; 16];
    let (octets, whom) = receiver.recv_from(&mut heard).unwrap();
    assert_eq!((&heard[..octets], whom), (&b"hello"[..], sender.local_addr().unwrap()));
}

/// A file as it is in a host's namespace.
fn read(host: &Host, path: &'static str) -> String {
    host.namespace.within(|| fs::read_to_string(path)).unwrap()
}

#[test]
fn two_hosts_hear_each_other_and_know_each_other_beforehand() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let table = read(near, "/proc/thread-self/net/arp");
    assert!(table.contains(&far.mac.to_string()), "{table}");
    say(near, far);
    say(far, near);
    assert_eq!(far.mac, Mac::of(far.address));
}

#[test]
fn the_first_frame_arrives_as_each_other_one_does() {
    for _ in 0..5 {
        let (Some(pair), Some(star)) = (made(Bed::pair(1)), made(Bed::star(2, 1))) else { return };
        for bed in [pair, star] {
            say(&bed.hosts[0], &bed.hosts[1]);
        }
    }
}

#[test]
fn around_a_bridge_everybody_hears_everybody() {
    let Some(bed) = made(Bed::star(4, 2)) else { return };
    for from in &bed.hosts {
        for to in bed.hosts.iter().filter(|to| to.address != from.address) {
            say(from, to);
        }
    }
    assert_eq!(bed.hub.unwrap().ports.len(), 4);
}

#[test]
fn nothing_is_sent_that_nobody_asked_for() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    thread::sleep(Duration::from_millis(300));
    for host in &bed.hosts {
        let counters = read(host, "/proc/thread-self/net/dev");
        let line = counters.lines().find(|line| line.trim().starts_with("eth0:")).unwrap();
        let numbers: Vec<u64> =
            line.split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
        assert!(numbers.iter().all(|number| *number == 0), "{counters}");
    }
}

#[test]
fn an_interface_has_as_many_queues_as_it_was_given() {
    let Some(bed) = made(Bed::pair(3)) else { return };
    for host in &bed.hosts {
        // /sys shows the namespace that it was mounted in; a device's queues are asked for by name.
        let queues = host.namespace.within(|| queues_of("eth0")).unwrap();
        assert_eq!(queues, 3);
    }
}

/// ETHTOOL_GCHANNELS of linux/ethtool.h: `struct ethtool_channels` is nine numbers, of which the
/// sixth says how many queues receive.
fn queues_of(interface: &str) -> io::Result<u32> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut channels = [0x3c_u32, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: all zeroes is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let letters = interface.bytes().map(u8::cast_signed);
    request.ifr_name.iter_mut().zip(letters).for_each(|(to, from)| *to = from);
    request.ifr_ifru.ifru_data = channels.as_mut_ptr().cast();
    // SAFETY: the request points to nine numbers, `struct ethtool_channels`, which outlive the
    // call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) } {
        0 => Ok(channels[5]),
        _ => Err(io::Error::last_os_error()),
    }
}

#[test]
fn two_beds_do_not_see_each_other() {
    let (Some(one), Some(other)) = (made(Bed::pair(1)), made(Bed::pair(1))) else { return };
    assert_eq!(one.hosts[0].address, other.hosts[0].address);
    let deaf = bound(&other.hosts[1]);
    deaf.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let sender = bound(&one.hosts[0]);
    let _ = sender.send_to(b"hello", deaf.local_addr().unwrap());
    assert!(deaf.recv(&mut [0; 16]).is_err());
    say(&other.hosts[0], &other.hosts[1]);
}

#[test]
fn work_in_a_host_leaves_the_caller_where_it_was() {
    let own = || fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = own();
    let Some(bed) = made(Bed::pair(1)) else { return };
    let inside = bed.hosts[0].namespace.within(|| -> io::Result<_> { Ok(own()) }).unwrap();
    assert_eq!(before, own());
    assert_ne!(before, inside);
}

/// A namespace that nothing refers to is gone, and so is the other end of its cable.
#[test]
fn what_is_dropped_takes_its_cable_along() {
    let Some(mut bed) = made(Bed::pair(1)) else { return };
    let near = bed.hosts.remove(0);
    drop(bed);
    let deadline = Instant::now() + Duration::from_secs(20);
    while read(&near, "/proc/thread-self/net/dev").contains("eth0") {
        assert!(Instant::now() < deadline, "the far end is gone, and the cable is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_host_can_be_entered_by_its_path() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    let host = &bed.hosts[1];
    let inside = host.namespace.within(|| fs::read_link("/proc/thread-self/ns/net")).unwrap();
    let path: PathBuf = host.namespace.path();
    assert_eq!(fs::read_link(path).unwrap(), inside);
}
