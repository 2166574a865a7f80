//! The small programs, in the kernel: by test runs, and with real sockets on loopback.

#![allow(clippy::unwrap_used)] // In tests a panic is the report.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

use packet::bpf::{self, Action, Error, Flag, Kind, Map, Program, Ring, Trial, Type};
use packet::programs::verdict::SockPairs;
use packet::programs::{discard, echo, pass, redirect};

/// Says what is missing, and that a test was skipped for it.
fn skipped() -> bool {
    bpf::missing().inspect(|missing| eprintln!("skipped: {missing}")).is_some()
}

/// A frame with a UDP datagram from 10.0.0.1:1000 to 10.0.0.2 and `port`.
fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let udp = 8 + payload.len() as u16;
    let mut frame = vec![0xaa; 6];
    frame.extend([0xbb; 6]);
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((20 + udp).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(1000_u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend(udp.to_be_bytes());
    frame.extend([0x56, 0x78]);
    frame.extend(payload);
    frame
}

fn action(code: &packet::asm::Code, maps: &[&Map], frame: &[u8]) -> Action {
    let program = Program::load(code, Type::Xdp, maps).unwrap();
    Trial::of(&program).action(frame).unwrap()
}

#[test]
fn pass_passes_and_discard_drops() {
    if skipped() {
        return;
    }
    let frame = datagram(1, b"");
    assert_eq!(action(&pass::code(), &[], &frame), Action::Pass);
    assert_eq!(action(&discard::code(), &[], &frame), Action::Drop);
}

#[test]
fn echo_turns_a_datagram_round_and_leaves_all_others_alone() {
    if skipped() {
        return;
    }
    let program = Program::load(&echo::code(7), Type::Xdp, &[]).unwrap();
    let frame = datagram(7, b"hello");
    let verdict = Trial::of(&program).run(&frame).unwrap();
    let mut expected = frame.clone();
    expected[..6].fill(0xbb);
    expected[6..12].fill(0xaa);
    expected[26..34].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
    expected[34..38].copy_from_slice(&[0, 7, 3, 232]);
    assert_eq!((verdict.action, verdict.frame), (Action::Transmit, expected));
    let other = datagram(8, b"hello");
    let verdict = Trial::of(&program).run(&other).unwrap();
    assert_eq!((verdict.action, verdict.frame), (Action::Pass, other));
    assert_eq!(Trial::of(&program).action(&frame[..41]).unwrap(), Action::Pass, "cut short");
}

#[test]
fn redirect_lets_pass_what_no_socket_listens_for() {
    if skipped() {
        return;
    }
    let sockets = redirect::sockets(1).unwrap();
    assert_eq!(action(&redirect::code(7), &[&sockets], &datagram(7, b"")), Action::Pass);
}

#[test]
fn a_refused_program_comes_with_the_words_of_the_verifier() {
    if skipped() {
        return;
    }
    let mut a = packet::asm::Assembler::new();
    a.exit();
    let error = Program::load(&a.finish(), Type::Xdp, &[]).unwrap_err();
    assert!(matches!(&error, Error::Load(_, log) if log.contains("R0 !read_ok")), "{error}");
}

#[test]
fn maps_keep_what_they_are_given() {
    if skipped() {
        return;
    }
    let hash = Map::new("hash", Kind::Hash, [8, 4], 2).unwrap();
    hash.update(&1_u64, &10_u32, Flag::NoExist).unwrap();
    assert!(hash.update(&1_u64, &11_u32, Flag::NoExist).is_err());
    hash.update(&2_u64, &20_u32, Flag::Any).unwrap();
    assert_eq!(hash.update(&3_u64, &30_u32, Flag::Any).unwrap_err().raw_os_error(), Some(7));
    let mut keys = hash.keys::<u64>().unwrap();
    keys.sort_unstable();
    assert_eq!(keys, [1, 2]);
    assert!(hash.remove(&1_u64).unwrap() && !hash.remove(&1_u64).unwrap());
    assert_eq!(hash.lookup::<u64, u32>(&1).unwrap(), None);
    assert_eq!(hash.lookup::<u64, u32>(&2).unwrap(), Some(20));
}

#[test]
fn a_queue_is_first_in_first_out_and_refuses_when_full() {
    if skipped() {
        return;
    }
    let queue = Map::new("queue", Kind::Queue, [0, 8], 2).unwrap();
    queue.push(&1_u64).unwrap();
    queue.push(&2_u64).unwrap();
    assert_eq!(queue.push(&3_u64).unwrap_err().raw_os_error(), Some(7), "E2BIG");
    assert_eq!(queue.pop::<u64>().unwrap(), Some(1));
    assert_eq!(queue.pop::<u64>().unwrap(), Some(2));
    assert_eq!(queue.pop::<u64>().unwrap(), None);
}

/// A program that writes a record of eight octets: where the frame ends, as it was told.
fn recorder() -> packet::asm::Code {
    use packet::asm::{Condition::Equal, Helper, Register::*, Size::*};
    let mut a = packet::asm::Assembler::new();
    let full = a.label("full");
    a.map(R1, "ring");
    a.mov(R2, 8);
    a.mov(R3, 0);
    a.call(Helper::RingReserve);
    a.jump_if(R0, Equal, 0, full);
    a.store(Double, R0.at(0), 42);
    a.mov(R1, R0);
    a.mov(R2, 0);
    a.call(Helper::RingSubmit);
    a.bind(full);
    a.mov(R0, 2);
    a.exit();
    a.finish()
}

#[test]
fn a_ring_gives_each_record_once_also_over_its_end() {
    if skipped() {
        return;
    }
    let map = Map::new("ring", Kind::Ring, [0, 0], 4096).unwrap();
    let program = Program::load(&recorder(), Type::Xdp, &[&map]).unwrap();
    let mut ring = Ring::open(&map).unwrap();
    assert_eq!(ring.drain(|_| unreachable!("nothing was written")), 0);
    for _ in 0..10 {
        for _ in 0..200 {
            Trial::of(&program).action(&[0; 14]).unwrap();
        }
        let seen = ring.drain(|record| assert_eq!(record, 42_u64.to_ne_bytes()));
        assert_eq!(seen, 200);
    }
}

/// A connection over loopback: both ends.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn a_pair_of_sockets_relays_both_ways_in_the_kernel() {
    if skipped() {
        return;
    }
    let pairs = SockPairs::new(8).unwrap();
    let ((mut client, inner), (outer, mut server)) = (connection(), connection());
    pairs.insert(&inner, &outer).unwrap();
    let question: Vec<u8> = (0..100_000_u32).map(|it| (it * 7) as u8).collect();
    let mut heard = vec![0; question.len()];
    let sender = std::thread::spawn({
        let (question, mut client) = (question.clone(), client.try_clone().unwrap());
        move || client.write_all(&question).unwrap()
    });
    server.read_exact(&mut heard).unwrap();
    sender.join().unwrap();
    assert!(heard == question, "what came out is not what went in");
    server.write_all(b"answer").unwrap();
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    pairs.remove(&inner, &outer).unwrap();
    client.shutdown(Shutdown::Both).unwrap();
}
