//! loadgen as a process against HTTP servers, good and bad ones.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::stage::{http, server, summary};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn always(stream: TcpStream, reply: &str) {
    http(stream, |_, _, writer| writer.write_all(reply.as_bytes()).unwrap_or(()));
}

#[test]
fn every_reply_is_read_to_its_end() {
    let target = server(|stream| always(stream, OK));
    let line = format!("--target http://{target}/ --connections 4 --count 50");
    let found = summary(&line);
    assert_eq!((found.requests.answered, found.errors.total()), (200, 0));
    assert_eq!(found.octets_received, 200 * OK.len() as u64);
}

#[test]
fn chunked_replies_in_single_octets_are_read() {
    let target = server(|stream| {
        http(stream, |_, _, writer| {
            let reply =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
            for octet in reply.as_bytes().chunks(1) {
                writer.write_all(octet).unwrap_or(());
            }
        });
    });
    let found = summary(&format!("--target http://{target}/ --connections 2 --count 20"));
    assert_eq!((found.requests.answered, found.errors.total()), (40, 0));
}

#[test]
fn a_404_is_a_failed_request_on_a_good_connection() {
    let target = server(|stream| {
        always(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    let found = summary(&format!("--target http://{target}/none --connections 2 --count 5"));
    assert_eq!((found.errors.status, found.requests.failed), (10, 10));
    assert_eq!((found.requests.answered, found.connections.reconnects), (0, 0));
}

#[test]
fn a_connection_that_the_server_ends_is_replaced() {
    let target = server(|stream| {
        http(stream, |number, _, writer| {
            let last = if number == 1 { "Connection: close\r\n" } else { "" };
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{last}\r\n");
            writer.write_all(reply.as_bytes()).unwrap_or(());
        });
    });
    let found = summary(&format!("--target http://{target}/ --connections 1 --count 6"));
    assert_eq!((found.requests.answered, found.errors.total()), (6, 0));
    assert_eq!(found.connections.reconnects, 2);
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    let target = server(|stream| {
        http(stream, |number, head, writer| {
            // The second request has to be the last one; anything else gets a reply that is wrong.
            let right = head.contains("Connection: close") == (number == 1);
            let reply = if right { OK } else { "nonsense\r\n\r\n" };
            writer.write_all(reply.as_bytes()).unwrap_or(());
        });
    });
    let line = format!("--target http://{target}/ --connections 3 --count 8 --reconnect-every 2");
    let found = summary(&line);
    assert_eq!((found.requests.answered, found.errors.total()), (24, 0));
    assert_eq!(found.connections.reconnects, 9);
}

#[test]
fn what_is_not_http_is_a_mismatch() {
    let target = server(|stream| always(stream, "SSH-2.0-x\r\n\r\n"));
    let found = summary(&format!("--target http://{target}/ --connections 1 --count 3"));
    assert_eq!((found.errors.mismatch, found.requests.failed), (3, 3));
}

#[test]
fn a_reply_that_is_cut_short_is_not_an_answer() {
    let target = server(|stream| {
        let mut writer = stream.try_clone().unwrap();
        http(stream, |_, _, _| {
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
            let _ = writer.shutdown(std::net::Shutdown::Both);
        });
    });
    let found = summary(&format!("--target http://{target}/ --connections 1 --count 3"));
    assert_eq!((found.errors.closed, found.requests.answered), (3, 0));
}

#[test]
fn a_request_is_what_the_command_line_says() {
    let target = server(|mut stream| {
        let head = format!(
            "PUT /x?y HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000\r\n\r\n",
            stream.local_addr().unwrap()
        );
        let mut request = vec![0; head.len() + 100_000];
        while stream.read_exact(&mut request).is_ok() && request.starts_with(head.as_bytes()) {
            let _ = stream.write_all(OK.as_bytes());
        }
    });
    let line = format!("--target http://{target}/x?y --method PUT --body-size 100000");
    let found = summary(&format!("{line} --connections 2 --count 3"));
    assert_eq!((found.requests.answered, found.errors.total()), (6, 0));
}
