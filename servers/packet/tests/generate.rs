//! Generators send what they say, in beds of their own. Takes root; is skipped aloud without.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod beds;

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use beds::pair_with_xdp;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use packet::bed::Host;
use packet::bpf::{Attachment, Mode, Program, Type};
use packet::generate::{Amount, Live, Ping};

fn receiver(host: &Host) -> UdpSocket {
    let socket = host.namespace.within(|| UdpSocket::bind((host.address, 0))).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // A frame from a page of its own counts with all of that page.
    setsockopt(&socket, RcvBufForce, &(16 << 20)).unwrap();
    socket
}

fn live(to: &UdpSocket, count: u64, rate: Option<u64>) -> Live {
    let amount = Amount { count: Some(count), duration: Duration::ZERO, rate, first: 7, step: 1 };
    let to = to.local_addr().unwrap();
    Live { interface: "eth0".into(), to, from_port: 50_000, size: 18, amount }
}

#[test]
fn every_live_frame_arrives_with_a_counter_of_its_own() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let socket = receiver(far);
    let frames = live(&socket, 200, None);
    let outcome = near.namespace.within(|| frames.generate().map_err(std::io::Error::other));
    let outcome = outcome.unwrap();
    assert_eq!((outcome.offered, outcome.sent), (200, 200));
    let mut counters = BTreeSet::new();
    for _ in 0..200 {
        let mut payload = [0; 32];
        let (octets, from) = socket.recv_from(&mut payload).unwrap();
        assert_eq!((octets, from), (18, (near.address, 50_000).into()));
        counters.insert(u32::from_le_bytes(*payload.first_chunk().unwrap()));
    }
    assert_eq!(counters, (7..207).collect());
}

#[test]
fn a_frame_to_nobodys_neighbour_is_refused_in_words() {
    let Some(bed) = pair_with_xdp() else { return };
    let near = &bed.hosts[0];
    let socket = receiver(near);
    let mut frames = live(&socket, 1, None);
    frames.to = "10.77.0.99:9".parse().unwrap();
    let made = near.namespace.within(|| frames.generate().map_err(std::io::Error::other));
    assert!(made.unwrap_err().to_string().contains("no neighbour"));
}

#[test]
fn an_echo_in_the_hook_answers_every_ping() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let attach = |host: &Host, code, mode| {
        let program = Program::load(&code, Type::Xdp, &[]).unwrap();
        let place = host.index;
        let attached =
            move || Attachment::xdp(&program, place, mode).map_err(std::io::Error::other);
        host.namespace.within(attached).unwrap()
    };
    for mode in [Mode::Native, Mode::Generic] {
        // Frames that are turned round in native mode arrive only where a program runs, too.
        let _pass = attach(near, packet::programs::pass::code(), mode);
        let _echo = attach(far, packet::programs::echo::code(9_000), mode);
        let amount =
            Amount { count: Some(500), duration: Duration::ZERO, rate: None, first: 0, step: 1 };
        let to = (far.address, 9_000).into();
        let ping = Ping { to, size: 18, warm_up: 10, amount };
        let trips =
            near.namespace.within(|| ping.measure().map_err(std::io::Error::other)).unwrap();
        assert_eq!((trips.trips, trips.lost), (500, 0), "{mode:?}");
    }
}
