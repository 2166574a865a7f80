//! AF_XDP between two namespaces: what goes in comes out, in each mode. Takes root; is skipped
//! aloud without.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod beds;

use std::collections::BTreeSet;
use std::io::Error;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use beds::pair_with_xdp;
use packet::bed::Host;
use packet::bpf::{Attachment, Mode, ModeWanted, Program, Type};
use packet::generate::{Amount, Live};
use packet::programs::pass;
use packet::stop::Stop;
use packet::udp::{Wait, echo, sink};
use packet::xsk::serve;
use packet::xsk::socket::Statistics;
use packet::xsk::tap::{CopyingWanted, Interface, Tap};
use packet::xsk::umem::FRAMES;

const PORT: u16 = 50_001;
/// Counters of a burst: several times what the kernel sends in one call, and no more than the cable
/// has room for, if nobody takes any: a veth has 256 places.
const BURST: u32 = 200;
const MODES: [(ModeWanted, &str); 2] =
    [(ModeWanted::Native, "native"), (ModeWanted::Generic, "generic")];

fn interface(mode: ModeWanted, copying: CopyingWanted) -> Interface {
    Interface { interface: Some("eth0".into()), queue: 0, port: PORT, mode, copying }
}

fn tap(host: &Host, mode: ModeWanted) -> Tap {
    let options = interface(mode, CopyingWanted::Copy);
    host.namespace.within(|| Tap::open(&options).map_err(std::io::Error::other)).unwrap()
}

fn client(host: &Host, to: &Host) -> UdpSocket {
    let socket = host.namespace.within(|| UdpSocket::bind((host.address, 0))).unwrap();
    socket.connect(SocketAddr::from((to.address, PORT))).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn send_burst(socket: &UdpSocket) {
    for counter in 0..BURST {
        socket.send(&counter.to_le_bytes()).unwrap();
    }
}

/// Asks to stop in a while, so that a test that waits for a lost packet fails and does not hang.
fn patience() -> Stop {
    let stop = Stop::default();
    let asked = stop.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(30));
        asked.ask();
    });
    stop
}

#[test]
fn every_counter_is_judged_once_in_each_mode_however_it_waits() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    for (mode, name) in MODES {
        for wait in [Wait::Poll, Wait::Busy] {
            let tap = tap(far, mode);
            let socket = client(near, far);
            send_burst(&socket);
            let report: sink::Report =
                serve::filter(tap, (wait, 64), Some(200), &patience()).unwrap();
            let tally = report.tally;
            assert_eq!((tally.packets, tally.odd, tally.even), (200, 100, 100));
            assert_eq!((tally.missing, tally.duplicates, report.overflowed), (0, 0, Some(0)));
            assert_eq!(report.socket, format!("af_xdp {name} copy"));
        }
    }
}

#[test]
fn frames_come_round_more_often_than_there_are_frames() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let (mut tap, socket, stop) = (tap(far, ModeWanted::Native), client(near, far), patience());
    let mut came = 0;
    while came < 2 * FRAMES as usize {
        send_burst(&socket);
        let end = came + 200;
        while came < end && !stop.is_asked() {
            came += tap.socket.receive(64, |_| None);
            tap.socket.wait().unwrap();
        }
        assert_eq!(came, end);
    }
    assert_eq!(tap.socket.statistics().unwrap(), Statistics { dropped: 0, invalid: 0 });
}

#[test]
fn at_the_full_rate_every_frame_is_counted_once_or_said_to_be_dropped() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let (tap, stop) = (tap(far, ModeWanted::Native), patience());
    let asked = stop.clone();
    let counting = thread::spawn(move || serve::filter(tap, (Wait::Poll, 64), None, &asked));
    let live = Live {
        interface: "eth0".into(),
        to: SocketAddr::from((far.address, PORT)),
        from_port: 4_000,
        size: 18,
        amount: Amount {
            count: Some(1 << 17),
            duration: Duration::ZERO,
            rate: None,
            first: 0,
            step: 1,
        },
    };
    let made = near.namespace.within(|| live.generate().map_err(std::io::Error::other)).unwrap();
    // The receiver's queue is empty a moment after the last frame.
    thread::sleep(Duration::from_secs(1));
    stop.ask();
    let report = counting.join().unwrap().unwrap();
    let dropped = report.overflowed.unwrap();
    assert!(report.tally.packets > 0);
    assert_eq!(report.tally.packets + dropped, made.sent, "{report:?}");
    assert_eq!((report.tally.duplicates, report.tally.short), (0, 0), "{report:?}");
}

#[test]
fn what_is_sent_comes_back_in_each_mode_however_it_waits() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    for (mode, _) in MODES {
        for wait in [Wait::Poll, Wait::Busy] {
            let tap = tap(far, mode);
            let socket = client(near, far);
            let echoing =
                thread::spawn(move || serve::echo(tap, (wait, 64), Some(6_000), &patience()));
            // More turns than there are frames: each must have come back to the fill ring.
            for turn in 0..6_000_u32 {
                let payload = turn.to_le_bytes().repeat(turn as usize % 300);
                socket.send(&payload).unwrap();
                let mut answer = [0; 2_048];
                let length = socket.recv(&mut answer).unwrap();
                assert_eq!(answer[..length], payload[..]);
            }
            let report: echo::Report = echoing.join().unwrap().unwrap();
            assert_eq!((report.packets, report.echoed, report.unsent), (6_000, 6_000, 0));
        }
    }
}

/// A tap that a burst has come to before anybody looks: so one look takes all of it.
fn tap_with_burst(far: &Host, mode: ModeWanted, socket: &UdpSocket) -> Tap {
    let tap = tap(far, mode);
    send_burst(socket);
    // What a veth interface receives natively comes by a softirq, a moment later.
    thread::sleep(Duration::from_millis(100));
    tap
}

/// The counters that come back, until all of a burst have or none comes for a while.
fn answers(socket: &UdpSocket) -> BTreeSet<u32> {
    let mut came = BTreeSet::new();
    let mut answer = [0; 4];
    while came.len() < BURST as usize && socket.recv(&mut answer).is_ok() {
        came.insert(u32::from_le_bytes(answer));
    }
    came
}

#[test]
fn a_burst_comes_back_whole_and_nothing_has_to_come_after_it() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    for (mode, name) in MODES {
        for wait in [Wait::Poll, Wait::Busy] {
            let (socket, stop) = (client(near, far), patience());
            let tap = tap_with_burst(far, mode, &socket);
            let asked = stop.clone();
            let echoing = thread::spawn(move || serve::echo(tap, (wait, 256), None, &asked));
            assert!(answers(&socket).into_iter().eq(0..BURST), "{name}, {wait:?}");
            stop.ask();
            let report: echo::Report = echoing.join().unwrap().unwrap();
            assert_eq!((report.echoed, report.unsent), (BURST.into(), 0), "{name}, {wait:?}");
        }
    }
}

#[test]
fn what_is_counted_as_echoed_has_left_when_the_echo_ends() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    for (mode, name) in MODES {
        for wait in [Wait::Poll, Wait::Busy] {
            let socket = client(near, far);
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let tap = tap_with_burst(far, mode, &socket);
            let report = serve::echo(tap, (wait, 256), Some(BURST.into()), &patience()).unwrap();
            let came = answers(&socket).len() as u64;
            assert_eq!((report.echoed, report.unsent), (came, 0), "{name}, {wait:?}");
            assert_eq!(came, u64::from(BURST), "{name}, {wait:?}");
        }
    }
}

#[test]
fn what_an_interface_that_is_down_does_not_take_is_counted_as_unsent() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let tap = tap_with_burst(far, ModeWanted::Native, &client(near, far));
    let mut down = Command::new("ip");
    down.args(["link", "set", "eth0", "down"]);
    far.namespace.holds(&mut down).unwrap();
    assert!(down.status().unwrap().success());
    let all = u64::from(BURST);
    let report = serve::echo(tap, (Wait::Busy, 256), Some(all), &patience()).unwrap();
    assert_eq!((report.packets, report.echoed, report.unsent), (all, 0, all));
}

#[test]
fn what_is_for_another_port_goes_on_to_the_stack() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let _tap = tap(far, ModeWanted::Native);
    let beside = far.namespace.within(|| UdpSocket::bind((far.address, 0))).unwrap();
    beside.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let socket = client(near, far);
    socket.send_to(b"beside", beside.local_addr().unwrap()).unwrap();
    let mut heard = [0; 16];
    assert_eq!(beside.recv(&mut heard).unwrap(), 6);
}

#[test]
fn a_tap_that_is_gone_leaves_the_port_to_the_stack_and_the_queue_to_the_next() {
    let Some(bed) = pair_with_xdp() else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    for _ in 0..3 {
        drop(tap(far, ModeWanted::Native));
    }
    let listener = far.namespace.within(|| UdpSocket::bind((far.address, PORT))).unwrap();
    listener.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let socket = client(near, far);
    // A process that another test starts has our descriptors, too, until it has become its program:
    // so the tap may live on for a moment.
    let heard = (0..100).any(|_| {
        socket.send(b"stack").unwrap();
        listener.recv(&mut [0; 16]).is_ok_and(|octets| octets == 5)
    });
    assert!(heard);
}

#[test]
fn a_tap_waits_for_a_program_that_is_about_to_go_whatever_its_mode() {
    let other = [(Mode::Native, ModeWanted::Generic), (Mode::Generic, ModeWanted::Native)];
    for (before, mode) in other {
        // Another one for each: a program may stay a moment longer in a process that a test starts.
        let Some(bed) = pair_with_xdp() else { return };
        let far = &bed.hosts[1];
        let program = Program::load(&pass::code(), Type::Xdp, &[]).unwrap();
        let attach = || Attachment::xdp(&program, far.index, before).map_err(Error::other);
        let former = far.namespace.within(attach).unwrap();
        let going = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            drop(former);
        });
        tap(far, mode);
        going.join().unwrap();
    }
}

#[test]
fn a_driver_without_zero_copy_is_said_and_the_kernel_copies() {
    let Some(bed) = pair_with_xdp() else { return };
    let [_, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let open = |copying| {
        let options = interface(ModeWanted::Native, copying);
        far.namespace.within(|| Tap::open(&options).map_err(std::io::Error::other))
    };
    let automatic = open(CopyingWanted::Auto).unwrap();
    assert_eq!(automatic.kind(), "af_xdp native copy");
    assert!(automatic.fallback().unwrap().contains("zero copy"), "{:?}", automatic.fallback());
    drop(automatic);
    let error = open(CopyingWanted::Zero).unwrap_err().to_string();
    assert!(error.contains("queue 0 of eth0") && error.contains("--copying copy"), "{error}");
}

#[test]
fn what_is_not_there_is_named() {
    let Some(bed) = pair_with_xdp() else { return };
    let open = |options: Interface| {
        let opened = bed.hosts[1].namespace.within(|| {
            Tap::open(&options).map_err(|error| std::io::Error::other(format!("{error:#}")))
        });
        opened.unwrap_err().to_string()
    };
    let plain = || interface(ModeWanted::Native, CopyingWanted::Copy);
    let error = open(Interface { interface: Some("nosuch0".into()), ..plain() });
    assert!(error.contains("nosuch0"), "{error}");
    let error = open(Interface { queue: 7, ..plain() });
    assert!(error.contains("queue 7 of eth0") && error.contains("ethtool -l"), "{error}");
}
