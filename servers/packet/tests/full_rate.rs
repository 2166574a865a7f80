//! The filter of even counters under all the frames that this host can make: none is judged
//! wrongly, none is left out. Takes root; is skipped aloud without.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod beds;

use std::collections::BTreeSet;
use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use beds::pair_with_xdp;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use packet::bed::{Bed, Host};
use packet::bpf::{Attachment, Mode, Program, Type};
use packet::generate::{Amount, Live};
use packet::programs::filter::{self, Counter, Decision, Maps, Parameters, Trace};

/// Frames of a flood: a fraction of a second of them.
const FLOOD: u64 = 400_000;
/// How long the socket waits before it takes the flood for over.
const OVER: Duration = Duration::from_secs(2);

/// A filter on a host, with what it counts.
fn filter(host: &Host, port: u16, mode: Mode) -> (Maps, Attachment) {
    let maps = Maps::new().unwrap();
    let parameters = Parameters { port, counter: Counter::UdpPayload, trace: Trace::Off };
    let program = Program::load(&filter::code(&parameters), Type::Xdp, &maps.all()).unwrap();
    let attach = || Attachment::xdp(&program, host.index, mode).map_err(io::Error::other);
    let attached = host.namespace.within(attach).unwrap();
    (maps, attached)
}

fn behind(host: &Host) -> UdpSocket {
    let socket = host.namespace.within(|| UdpSocket::bind((host.address, 0))).unwrap();
    socket.set_read_timeout(Some(OVER)).unwrap();
    // As much as there may be: what overflows is the socket's doing, and is not what is tried here.
    setsockopt(&socket, RcvBufForce, &(256 << 20)).unwrap();
    socket
}

/// Every counter that comes to the socket, until none does.
fn heard(socket: &UdpSocket) -> Vec<u32> {
    let mut counters = Vec::new();
    let mut payload = [0; 32];
    while socket.recv(&mut payload).is_ok() {
        counters.push(u32::from_le_bytes(*payload.first_chunk().unwrap()));
    }
    counters
}

/// What the program counted, what was sent, and what came through.
fn flood(bed: &Bed, mode: Mode) -> ([u64; Decision::ALL.len()], u64, Vec<u32>) {
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let socket = behind(far);
    let to = socket.local_addr().unwrap();
    let (maps, _attached) = filter(far, to.port(), mode);
    let amount =
        Amount { count: Some(FLOOD), duration: Duration::ZERO, rate: None, first: 0, step: 1 };
    let live = Live { interface: near.interface.clone(), to, from_port: 50_000, size: 18, amount };
    thread::scope(|scope| {
        let hearing = scope.spawn(|| heard(&socket));
        let made = near.namespace.within(|| live.generate().map_err(io::Error::other)).unwrap();
        let counters = hearing.join().unwrap();
        (maps.counts().unwrap(), made.sent, counters)
    })
}

fn nothing_is_judged_wrongly(bed: &Bed, mode: Mode) {
    let (counts, sent, heard) = flood(bed, mode);
    let of = |decision: Decision| counts[decision as usize];
    let (even, odd) = (of(Decision::EvenDropped), of(Decision::OddPassed));
    assert_eq!(even + odd, sent, "{mode:?}: every frame is judged");
    assert!(sent > FLOOD / 2, "{mode:?}: most frames find room at the other end, {sent} did");
    assert!(even <= FLOOD / 2 && odd <= FLOOD / 2, "{mode:?}: {even} even, {odd} odd");
    if sent == FLOOD {
        assert_eq!((even, odd), (FLOOD / 2, FLOOD / 2), "{mode:?}");
    }
    assert!(counts.iter().sum::<u64>() == sent, "{mode:?}: nothing else came: {counts:?}");
    assert!(heard.iter().all(|counter| counter % 2 == 1), "{mode:?}: an even counter passed");
    let different: BTreeSet<_> = heard.iter().collect();
    assert_eq!(different.len(), heard.len(), "{mode:?}: an odd counter came twice");
    assert!(!heard.is_empty() && heard.len() as u64 <= odd, "{mode:?}: {} of {odd}", heard.len());
}

#[test]
fn in_native_mode_no_frame_of_a_flood_is_judged_wrongly() {
    let Some(bed) = pair_with_xdp() else { return };
    nothing_is_judged_wrongly(&bed, Mode::Native);
}

#[test]
fn in_generic_mode_no_frame_of_a_flood_is_judged_wrongly() {
    let Some(bed) = pair_with_xdp() else { return };
    nothing_is_judged_wrongly(&bed, Mode::Generic);
}
