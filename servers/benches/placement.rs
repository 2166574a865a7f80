//! What a look-up costs under each method, and what a node that goes and comes back costs.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is a program of its own")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use servers::placement::study::keys;
use servers::placement::{METHODS, Method, Placement, Shape};

/// The most of these is what a ring of 512 slots with 9 copies has room for.
const NODES: [u32; 3] = [3, 6, 56];

fn with(method: &Method, nodes: u32) -> Box<dyn Placement> {
    let mut placement = (method.new)(&Shape::default());
    for number in 1..=nodes {
        placement.add(&format!("Server-{number}"), 1).unwrap();
    }
    placement
}

fn look_up(criterion: &mut Criterion) {
    let mut keys = keys::drawn(1, 4_096).into_iter().cycle();
    let mut group = criterion.benchmark_group("look-up");
    for method in METHODS {
        for nodes in NODES {
            let placement = with(method, nodes);
            group.bench_function(BenchmarkId::new(method.name, nodes), |bencher| {
                bencher.iter(|| black_box(placement.place(keys.next().unwrap())));
            });
        }
    }
}

fn change(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("remove and add");
    for method in METHODS {
        for nodes in NODES {
            let mut placement = with(method, nodes);
            group.bench_function(BenchmarkId::new(method.name, nodes), |bencher| {
                bencher.iter(|| {
                    assert!(placement.remove("Server-2"));
                    placement.add("Server-2", 1).unwrap();
                });
            });
        }
    }
}

criterion_group!(benches, look_up, change);
criterion_main!(benches);
