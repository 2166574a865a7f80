//! What a request costs besides its system calls: the clock, the check of the reply, the record.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loadgen::clock::Moment;
use loadgen::exchange::{Echo, Exchange, Http, Turn};
use loadgen::plan::{Expect, Message, Request};
use loadgen::recorder::Times;
use wire::Buffer;

fn clock(criterion: &mut Criterion) {
    criterion.bench_function("clock", |bencher| bencher.iter(Moment::now));
}

fn record(criterion: &mut Criterion) {
    let mut times = Times::default();
    let mut nanos = 1_u64;
    criterion.bench_function("record", |bencher| {
        bencher.iter(|| {
            // Some microseconds, another value each time.
            nanos = nanos.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            times.record(black_box(nanos >> 46));
        });
    });
}

fn echo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check an echo");
    for size in [64, 4096, 65_536] {
        let echo = Echo::new(&Message::Varied(size));
        let (mut dialogue, mut input) = (Default::default(), Buffer::new(1 << 18));
        let mut seed = 0;
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                seed += 1;
                echo.begin(&mut dialogue, seed, Turn::More);
                echo.expect(&mut dialogue, seed);
                echo.resume(&mut dialogue, &mut input);
                input.push(echo.request(&dialogue, seed, Turn::More));
                echo.receive(&mut dialogue, &mut input)
            });
        });
    }
    group.finish();
}

fn http(criterion: &mut Criterion) {
    let http = Http::new(&Request {
        method: "GET".to_owned(),
        host: "localhost".to_owned(),
        path: "/".to_owned(),
        body: None,
        expect: Expect::Anything,
    });
    let reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n\
                  Hello, world!\n";
    let (mut dialogue, mut input) = (Default::default(), Buffer::new(1 << 18));
    criterion.bench_function("check an HTTP reply", |bencher| {
        bencher.iter(|| {
            http.begin(&mut dialogue, 1, Turn::More);
            http.resume(&mut dialogue, &mut input);
            input.push(reply);
            http.receive(&mut dialogue, &mut input)
        });
    });
}

criterion_group!(benches, clock, record, echo, http);
criterion_main!(benches);
