//! The server of a fixed reply, in every model: each message is answered once, and counted.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::Write;

use process::{Server, expect, models};

const MESSAGE: &[u8] = b"Hi from client";
const REPLY: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nHello, world!\n";

/// Twelve messages, ten of them in two pieces, two at once.
fn converse(server: &Server) {
    let mut stream = server.connect();
    for cut in 0..10 {
        let (first, second) = MESSAGE.split_at(cut);
        stream.write_all(first).unwrap();
        stream.write_all(second).unwrap();
        expect(&mut stream, REPLY.as_bytes());
    }
    stream.write_all(&MESSAGE.repeat(2)).unwrap();
    expect(&mut stream, REPLY.repeat(2).as_bytes());
}

#[test]
fn every_model_answers_each_message_once_and_counts_it() {
    for model in models() {
        let mut server = Server::start(model.name, "fixed", &["--reply", REPLY]);
        (0..3).for_each(|_| converse(&server));
        let counters = server.stop();
        let counted = (counters["answered"].as_u64(), counters["accepted"].as_u64());
        assert_eq!(counted, (Some(36), Some(3)), "{}", model.name);
    }
}
