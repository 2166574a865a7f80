//! What a wait costs beside idle descriptors, and what a change of interest costs.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is a program of its own")]

use std::hint::black_box;
use std::os::fd::AsFd;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use servers::connection::Interest;
use servers::drive::poller::{Block, Poller, Token, Trigger};
use servers::models::{Edge, Epoll, Level, Oneshot, Poll, Portable, Select, SelectWide};
use servers::waker::Waker;

/// Idle descriptors beside the active one; the last is beyond what an fd_set holds.
const IDLE: [usize; 4] = [0, 100, 900, 9_000];
const ACTIVE: Token = Token { slot: 0, generation: 0 };

fn pollers(criterion: &mut Criterion) {
    each::<Select>(criterion, "select");
    each::<SelectWide>(criterion, "select-wide");
    each::<Poll>(criterion, "poll");
    each::<Epoll<Level>>(criterion, "epoll-level");
    each::<Epoll<Edge>>(criterion, "epoll-edge");
    each::<Epoll<Oneshot>>(criterion, "epoll-oneshot");
    each::<Portable>(criterion, "portable");
}

fn each<P: Poller>(criterion: &mut Criterion, name: &str) {
    let room = P::CEILING.map_or(usize::MAX, |ceiling| ceiling as usize - 50);
    for idle in IDLE.into_iter().filter(|&idle| idle < room) {
        wait::<P>(criterion, name, idle);
    }
    modify::<P>(criterion, name);
}

/// One descriptor becomes ready, is reported, and is read; the others stay idle.
fn wait<P: Poller>(criterion: &mut Criterion, name: &str, idle: usize) {
    let mut poller = P::new().unwrap();
    let active = Waker::new().unwrap();
    let others = (0..idle).map(|_| Waker::new().unwrap()).collect::<Vec<_>>();
    poller.add(active.as_fd(), ACTIVE, Interest::Read).unwrap();
    for (slot, other) in (1..).zip(&others) {
        poller.add(other.as_fd(), Token { slot, generation: 0 }, Interest::Read).unwrap();
    }
    let mut events = Vec::new();
    criterion.benchmark_group("wait").bench_function(BenchmarkId::new(name, idle), |bencher| {
        bencher.iter(|| {
            active.wake();
            poller.wait(&mut events, Block::Yes).unwrap();
            active.rest();
            if P::TRIGGER == Trigger::Oneshot {
                poller.modify(active.as_fd(), ACTIVE, Interest::Read).unwrap();
            }
            black_box(events.drain(..).count())
        });
    });
    poller.forget(active.as_fd());
    others.iter().for_each(|other| poller.forget(other.as_fd()));
}

fn modify<P: Poller>(criterion: &mut Criterion, name: &str) {
    let mut poller = P::new().unwrap();
    let socket = Waker::new().unwrap();
    poller.add(socket.as_fd(), ACTIVE, Interest::Read).unwrap();
    criterion.benchmark_group("modify").bench_function(name, |bencher| {
        bencher.iter(|| {
            poller.modify(socket.as_fd(), ACTIVE, Interest::Write).unwrap();
            poller.modify(socket.as_fd(), ACTIVE, Interest::Read).unwrap();
        });
    });
    poller.forget(socket.as_fd());
}

criterion_group!(benches, pollers);
criterion_main!(benches);
