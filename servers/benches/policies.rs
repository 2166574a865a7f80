//! What a choice of a backend costs a request: a lease taken and given back, by policy and by the
//! number of backends.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is a program of its own")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use servers::proxy::health::ejection::Ejection;
use servers::proxy::policy::{Entry, POLICIES};
use servers::proxy::{BackendSpec, Client, Outcome, Settings, Tried, Upstreams};

const BACKENDS: [u16; 3] = [3, 10, 100];

/// One worker has all backends to itself.
fn alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lease");
    for policy in POLICIES {
        for count in BACKENDS {
            let upstreams = upstreams(policy, count);
            let mut number = 0;
            group.bench_function(BenchmarkId::new(policy.name, count), |bench| {
                bench.iter(|| request(&upstreams, &mut number));
            });
        }
    }
}

/// Another worker does the same all the time: both write to the same cache lines.
fn contended(criterion: &mut Criterion) {
    for policy in POLICIES {
        let upstreams = upstreams(policy, 3);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 1 << 20;
                while !done.load(Ordering::Relaxed) {
                    request(&upstreams, &mut number);
                }
            });
            let mut number = 0;
            let name = format!("lease-contended/{}", policy.name);
            criterion
                .bench_function(&name, |bench| bench.iter(|| request(&upstreams, &mut number)));
            done.store(true, Ordering::Relaxed);
        });
    }
}

/// A new set takes the place of an old one of as many backends.
fn replace(criterion: &mut Criterion) {
    for policy in POLICIES {
        let upstreams = upstreams(policy, 100);
        let name = format!("replace/{}", policy.name);
        criterion.bench_function(&name, |bench| {
            bench.iter(|| upstreams.replace(specs(100)).unwrap());
        });
    }
}

/// A request of the next client, from the choice to the end of its answer.
fn request(upstreams: &Upstreams, number: &mut u32) {
    *number = number.wrapping_add(1);
    let client = Client { address: Ipv4Addr::from_bits(*number).into(), id: None };
    if let Some(lease) = upstreams.lease(black_box(&client), &Tried::default()) {
        lease.report(Outcome::Answered);
    }
}

fn upstreams(policy: &'static Entry, count: u16) -> Upstreams {
    let ejection = Ejection { fall: 3, first: Duration::from_secs(1) };
    let settings = Settings { policy, seed: 1, slow_start: Duration::ZERO, ejection };
    Upstreams::new(settings, specs(count)).unwrap()
}

fn specs(count: u16) -> Vec<BackendSpec> {
    let spec = |port| BackendSpec { address: (Ipv4Addr::LOCALHOST, port).into(), weight: 1 };
    (1..=count).map(spec).collect()
}

criterion_group!(benches, alone, contended, replace);
criterion_main!(benches);
