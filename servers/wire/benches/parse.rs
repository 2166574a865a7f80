//! What the protocol itself costs: no socket, no waiting.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wire::http1::{
    Answer, Client, Content, Limits, Request, RequestMethod, Server, Service, StatusCode,
};
use wire::{Buffer, Protocol};

const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const BROWSER: &[u8] = b"GET /articles/2024/waiting?page=2&sort=date HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://www.example.org/articles\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Cache-Control: max-age=0\r\n\r\n";

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 14\r\n\r\n\
    Hello, world!\n";

/// Answers everything but a POST with a greeting.
struct Greeting;

impl Service for Greeting {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        match request.method() {
            "POST" => Answer::empty(StatusCode::NO_CONTENT),
            _ => Answer::new(StatusCode::OK, "text/plain", Content::Static(b"Hello, world!\n")),
        }
    }

    fn date(&mut self) -> Option<[u8; 29]> {
        Some(*b"Sun, 06 Nov 1994 08:49:37 GMT")
    }
}

/// A POST in 64 chunks of 64 octets.
fn chunked() -> Vec<u8> {
    let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        request.extend(b"40\r\n");
        request.extend([b'x'; 64]);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

fn server(criterion: &mut Criterion) {
    let chunked = chunked();
    let mut group = criterion.benchmark_group("server");
    for (name, request) in
        [("small head", SMALL), ("browser's head", BROWSER), ("64 chunks dropped", &chunked)]
    {
        let mut server = Server::new(Greeting, Limits::default());
        let (mut input, mut output) = (Buffer::new(16 << 10), Buffer::new(16 << 10));
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                input.push(black_box(request));
                let status = server.advance(&mut input, &mut output);
                output.clear();
                status
            });
            assert!(input.is_empty() && server.answered() > 0);
        });
    }
    group.finish();
}

fn client(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("client");
    for (name, count) in [("one reply", 1), ("16 replies in one go", 16)] {
        let replies = REPLY.repeat(count);
        let mut client = Client::new(Limits::default());
        let mut input = Buffer::new(16 << 10);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                (0..count).for_each(|_| client.sent(RequestMethod::Other));
                input.push(black_box(&replies));
                let mut octets = 0;
                while let Ok(Some(reply)) =
                    client.advance(&mut input, &mut |body| octets += body.len() as u64)
                {
                    octets += u64::from(reply.status);
                }
                octets
            });
            assert!(input.is_empty() && client.outstanding() == 0);
        });
    }
    group.finish();
}

criterion_group!(benches, server, client);
criterion_main!(benches);
