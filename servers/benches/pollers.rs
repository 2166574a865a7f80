//! What a wait costs by idle and by active connections, and what a change of interest costs.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is a program of its own")]

use std::os::fd::AsFd;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use servers::connection::Interest;
use servers::cost::{Bed, Reach};
use servers::drive::poller::{Poller, Token};
use servers::models::{Edge, Epoll, Level, Oneshot, Poll, Portable, Select, SelectWide};
use servers::waker::Waker;

/// Idle connections, and active ones beside them: an axis each. Some are beyond what select(2)
/// holds.
const CONDITIONS: [(usize, usize); 7] =
    [(0, 1), (100, 1), (900, 1), (9_000, 1), (100, 4), (100, 16), (100, 64)];
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

fn each<P: Poller + Send + 'static>(criterion: &mut Criterion, name: &str) {
    let most = CONDITIONS.map(|(idle, active)| idle + active).into_iter().max().unwrap();
    let mut bed = Bed::<P>::new(most, Reach::OneTable).unwrap();
    for (idle, active) in CONDITIONS {
        if bed.holds(idle + active).is_ok() {
            wait(criterion, name, &mut bed, idle, active);
        }
    }
    drop(bed);
    modify::<P>(criterion, name);
}

/// The wait alone, as `servers time-waits` measures it, but with one reading of the clock in it.
fn wait<P: Poller + Send + 'static>(
    criterion: &mut Criterion,
    name: &str,
    bed: &mut Bed<P>,
    idle: usize,
    active: usize,
) {
    bed.arrange(idle, active).unwrap();
    let id = BenchmarkId::new(name, format!("idle {idle}, active {active}"));
    criterion.benchmark_group("wait").bench_function(id, |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| bed.round().unwrap().wait).sum());
    });
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
