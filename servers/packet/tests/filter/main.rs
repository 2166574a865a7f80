//! The filter, in the kernel, against a slow and obvious reading of the same frames.
//!
//! `FRAMES=1000000 cargo test -p packet --test filter` runs a million frames for each counter.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod frames;
mod reference;

use frames::Maker;
use packet::bpf::{self, Action, Program, Ring, Trial, Type};
use packet::frame::{self, Route, number, tagged};
use packet::programs::filter::{self, Counter, Decision, Event, Maps, Parameters, Trace};

const PORT: u16 = 50_001;
const COUNTERS: [Counter; 2] = [Counter::UdpPayload, Counter::TcpSequence];
/// Without a wish in the environment.
const FRAMES: u32 = 50_000;

struct Filter {
    maps: Maps,
    program: Program,
}

/// The filter, unless this host has no XDP to offer.
fn filter(counter: Counter, trace: Trace) -> Option<Filter> {
    if let Some(missing) = bpf::missing() {
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    let maps = Maps::new().unwrap();
    let code = filter::code(&Parameters { port: PORT, counter, trace });
    let program = Program::load(&code, Type::Xdp, &maps.all()).unwrap();
    Some(Filter { maps, program })
}

fn route() -> Route {
    Route {
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 2],
        source: "10.0.0.1:1000".parse().unwrap(),
        destination: "10.0.0.2:50001".parse().unwrap(),
    }
}

fn datagram(counter: u32) -> Vec<u8> {
    route().udp(&counter.to_le_bytes()).unwrap()
}

#[test]
fn even_counters_are_dropped_and_odd_ones_go_on_unchanged() {
    let Some(filter) = filter(Counter::UdpPayload, Trace::Off) else { return };
    let mut trial = Trial::of(&filter.program);
    for counter in (0..200).chain([u32::MAX - 1, u32::MAX, 1 << 31]) {
        for frame in [datagram(counter), tagged(&datagram(counter), 0x8100, 5)] {
            let verdict = trial.run(&frame).unwrap();
            let expected = if counter % 2 == 0 { Action::Drop } else { Action::Pass };
            assert_eq!((verdict.action, verdict.frame), (expected, frame), "{counter}");
        }
    }
}

#[test]
fn the_parity_of_a_sequence_number_decides_about_segments_with_data() {
    let Some(filter) = filter(Counter::TcpSequence, Trace::Off) else { return };
    let trial = Trial::of(&filter.program);
    let act =
        |sequence, flags, data| trial.action(&route().tcp(sequence, flags, data).unwrap()).unwrap();
    assert_eq!(act(1000, 0x18, b"x"), Action::Drop);
    assert_eq!(act(1001, 0x18, b"x"), Action::Pass);
    assert_eq!(act(1000, 0x10, b""), Action::Pass, "an acknowledgement");
    assert_eq!(act(1000, 0x02, b""), Action::Pass, "a SYN");
    assert_eq!(trial.action(&datagram(0)).unwrap(), Action::Pass, "UDP");
}

#[test]
fn padding_is_no_payload() {
    let Some(filter) = filter(Counter::UdpPayload, Trace::Off) else { return };
    let mut frame = route().udp(&[2, 0, 0]).unwrap();
    frame.resize(60, 0);
    assert_eq!(Trial::of(&filter.program).action(&frame).unwrap(), Action::Pass);
    assert_eq!(filter.maps.counts().unwrap()[Decision::NoCounter as usize], 1);
}

/// Linux hands such a packet to a socket.
#[test]
fn a_length_that_is_left_to_an_option_is_no_way_past_the_filter() {
    let Some(filter) = filter(Counter::UdpPayload, Trace::Off) else { return };
    let addresses = ("[fd00::1]:1000".parse().unwrap(), "[fd00::2]:50001".parse().unwrap());
    let route = Route { source: addresses.0, destination: addresses.1, ..route() };
    for (counter, expected) in [(4_u32, Action::Drop), (5, Action::Pass)] {
        let mut frame = route.udp(&counter.to_le_bytes()).unwrap();
        // The length, hop-by-hop options as what comes next, and eight octets of them.
        frame[18..20].fill(0);
        frame[20] = number::HOP_BY_HOP;
        frame.splice(54..54, [number::UDP, 0, 1, 4, 0, 0, 0, 0]);
        assert_eq!(Trial::of(&filter.program).action(&frame).unwrap(), expected);
        frame.truncate(68);
        assert_eq!(Trial::of(&filter.program).action(&frame).unwrap(), Action::Pass, "cut off");
    }
}

#[test]
fn each_decision_about_the_port_is_told_in_order() {
    let Some(filter) = filter(Counter::UdpPayload, Trace::On) else { return };
    let trial = Trial::of(&filter.program);
    for counter in 0..100 {
        trial.action(&datagram(counter)).unwrap();
        trial.action(&route().tcp(counter, 0, b"other traffic").unwrap()).unwrap();
    }
    trial.action(&route().udp(b"abc").unwrap()).unwrap();
    let mut told = Vec::new();
    let mut ring = Ring::open(&filter.maps.events).unwrap();
    ring.drain(|record| told.push(Event::read(record).unwrap()));
    assert!(told.is_sorted_by_key(|event| event.time));
    let decided = |counter: u32| {
        let even = counter.is_multiple_of(2);
        (counter, if even { Decision::EvenDropped } else { Decision::OddPassed })
    };
    let expected: Vec<_> = (0..100).map(decided).chain([(0, Decision::NoCounter)]).collect();
    let told: Vec<_> =
        told.iter().map(|event| (event.counter, event.decision().unwrap())).collect();
    assert_eq!(told, expected);
}

/// A second opinion: what the parser reads whole, with a counter for us, has to be judged.
fn agrees_with_the_parser(counter: Counter, octets: &[u8], decision: Decision) {
    let Ok(read) = frame::parse(octets) else { return };
    let found = match counter {
        Counter::UdpPayload => read
            .udp()
            .filter(|udp| udp.destination == PORT)
            .and_then(|udp| udp.payload.first_chunk().map(|octets| u32::from_le_bytes(*octets))),
        Counter::TcpSequence => read
            .tcp()
            .filter(|tcp| tcp.destination == PORT && tcp.flags & 2 == 0 && !tcp.payload.is_empty())
            .map(|tcp| tcp.sequence),
    };
    let expected = found.map(|counter| counter.is_multiple_of(2));
    let judged = expected.map(|even| (even, decision));
    assert!(
        matches!(judged, None | Some((true, Decision::EvenDropped) | (false, Decision::OddPassed))),
        "{decision:?} for {octets:02x?}"
    );
}

/// Runs a frame through both, and notes what the reference said.
fn compare(filter: &Filter, counter: Counter, frame: &[u8], said: &mut [u64]) {
    let expected = reference::decide(counter, PORT, frame);
    said[expected as usize] += 1;
    agrees_with_the_parser(counter, frame, expected);
    let action = Trial::of(&filter.program).action(frame).unwrap();
    assert_eq!(action, expected.action(), "{expected:?} for {frame:02x?}");
}

#[test]
fn a_frame_cut_at_any_length_is_judged_as_the_reference_does() {
    for counter in COUNTERS {
        let Some(filter) = filter(counter, Trace::Off) else { return };
        let (mut maker, mut said) = (Maker::new(1), [0; Decision::ALL.len()]);
        for _ in 0..100 {
            let frame = maker.well_formed(PORT);
            for length in 14..=frame.len() {
                compare(&filter, counter, &frame[..length], &mut said);
            }
        }
        assert_eq!(filter.maps.counts().unwrap(), said, "{counter:?}");
    }
}

#[test]
fn malformed_frames_are_judged_as_the_reference_does() {
    let frames = std::env::var("FRAMES").map_or(FRAMES, |wish| wish.parse().unwrap());
    for counter in COUNTERS {
        let Some(filter) = filter(counter, Trace::Off) else { return };
        let (mut maker, mut said) = (Maker::new(2), [0; Decision::ALL.len()]);
        for _ in 0..frames {
            compare(&filter, counter, &maker.any(PORT), &mut said);
        }
        assert_eq!(filter.maps.counts().unwrap(), said, "{counter:?}");
        let least = u64::from(frames / 200);
        assert!(
            said.iter().all(|times| *times >= least),
            "{counter:?}: too few of one in {said:?}"
        );
        eprintln!("{counter:?}, {frames} frames: {said:?}");
    }
}
