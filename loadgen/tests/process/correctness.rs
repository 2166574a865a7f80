//! Replies that are held against what they have to be: a text, a file, the id of the request.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

use loadgen::report::{Comparison, Summary};

use crate::stage::{echo, http, loadgen, run, server, summary, summary_of};

const MESSAGE: &str = "Hi from client";
const REPLY: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nHello, world!\n";

/// Answers each message with the reply, or with what `spoil` makes of it for the n-th one.
fn fixed(mut stream: TcpStream, spoil: fn(u64, &mut Vec<u8>)) {
    let mut message = [0; MESSAGE.len()];
    for number in 0.. {
        let mut reply = REPLY.as_bytes().to_vec();
        spoil(number, &mut reply);
        if stream.read_exact(&mut message).is_err() || stream.write_all(&reply).is_err() {
            return;
        }
    }
}

/// 1,000 messages on each of two connections.
fn talk(target: SocketAddr, expect: &[&str]) -> Summary {
    let target = format!("tcp://{target}");
    let words = [&target, "--message", MESSAGE, "--count", "1000", "--connections", "2"];
    summary_of(&run(words.iter().chain(expect).chain(&["--format", "json"]).copied()))
}

/// Carries octets both ways between who connects to it and `behind`, a few at a time.
fn relay(behind: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(behind).unwrap();
            [&client, &server].into_iter().for_each(|end| end.set_nodelay(true).unwrap());
            let (client_too, server_too) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || carry(&client, &server));
            thread::spawn(move || carry(&server_too, &client_too));
        }
    });
    address
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let mut octets = [0; 5];
    let mut step = || -> io::Result<bool> {
        let count = from.read(&mut octets)?;
        to.write_all(&octets[..count])?;
        Ok(count > 0)
    };
    while step().unwrap_or(false) {}
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_fixed_reply_is_counted_as_exact() {
    let target = server(|stream| fixed(stream, |_, _| ()));
    let found = talk(target, &["--expect", REPLY]);
    assert_eq!((found.replies.exact, found.replies.wrong), (2_000, 0));
    assert_eq!(found.replies.compared_with, Comparison::Text);
    assert_eq!(found.octets_received, 2_000 * REPLY.len() as u64);
}

#[test]
fn a_reply_with_a_wrong_octet_or_one_too_few_is_wrong() {
    let target = server(|stream| {
        fixed(stream, |number, reply| {
            if number == 9 {
                reply[57] = b'?';
            }
        });
    });
    let found = talk(target, &["--expect", REPLY]);
    // The tenth reply of each connection, which another one follows.
    assert_eq!((found.replies.exact, found.replies.wrong), (1_800, 200));
    let target = server(|stream| {
        fixed(stream, |number, reply| {
            if number == 0 {
                reply.remove(0);
            }
        });
    });
    let line = format!("tcp://{target} -c 1 --count 3 --message-size 14");
    let words = line.split_whitespace().chain(["--expect", REPLY, "--format", "json"]);
    assert_eq!(summary_of(&run(words)).replies.wrong, 3);
}

#[test]
fn a_thousand_messages_on_each_connection_come_back_exactly_through_a_relay() {
    let found = talk(relay(server(echo)), &[]);
    assert_eq!((found.replies.exact, found.replies.wrong), (2_000, 0));
    assert_eq!(found.replies.compared_with, Comparison::Message);
    assert_eq!(found.octets_sent, 2_000 * MESSAGE.len() as u64);
    assert_eq!(found.connections.reconnects, 0);
    let found = talk(relay(server(|stream| fixed(stream, |_, _| ()))), &["--expect", REPLY]);
    assert_eq!((found.replies.exact, found.replies.wrong), (2_000, 0));
}

#[test]
fn the_result_for_people_says_how_many_were_exact() {
    let target = server(echo);
    let output = loadgen(&format!("tcp://{target} -c 2 --count 10"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("20 exact, 0 wrong, compared with the message\n"), "{text}");
}

/// Octets that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

/// Serves files of so many octets as their path says, spoilt as the rest of it says.
fn files(stream: TcpStream) {
    http(stream, |number, head, writer| {
        let path = head.split(' ').nth(1).unwrap();
        let (deed, length) = path[1..].split_once('/').unwrap();
        let mut octets = content(length.parse().unwrap());
        match deed {
            "longer" => octets.push(0),
            "shorter" => drop(octets.pop()),
            "other" if number % 2 == 1 => *octets.last_mut().unwrap() ^= 0x80,
            _ => {}
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", octets.len());
        let _ = writer.write_all(head.as_bytes());
        let _ = writer.write_all(&octets);
    });
}

fn fetch(deed: &str, length: usize, count: u64) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    std::fs::write(&local, content(length)).unwrap();
    let target = server(files);
    let line = format!("http://{target}/{deed}/{length} -c 2 --count {count}");
    summary(&format!("{line} --expect-file {}", local.display()))
}

#[test]
fn a_file_of_any_size_is_compared_octet_by_octet() {
    for (length, count) in [(0, 5), (1, 5), (60, 1_000), (20_000, 50), (5_000_000, 2)] {
        let found = fetch("same", length, count);
        assert_eq!((found.replies.exact, found.replies.wrong), (2 * count, 0), "{length}");
        assert_eq!(found.replies.compared_with, Comparison::File);
    }
}

#[test]
fn a_file_that_is_not_the_same_is_wrong() {
    for (deed, wrong) in [("longer", 20), ("shorter", 20), ("other", 10)] {
        let found = fetch(deed, 100_000, 10);
        assert_eq!((found.replies.wrong, found.replies.exact), (wrong, 20 - wrong), "{deed}");
        assert_eq!((found.errors.mismatch, found.errors.total()), (wrong, wrong));
        assert_eq!(found.connections.reconnects, 0, "its length was right: the connection goes on");
    }
}

/// Answers a request with this.
fn reply(writer: &mut TcpStream, content: &str) {
    let length = content.len();
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{content}");
    let _ = writer.write_all(reply.as_bytes());
}

#[test]
fn each_request_gets_the_reply_with_its_own_id() {
    let target = server(|stream| http(stream, |_, head, writer| reply(writer, head)));
    let line = format!("http://{target}/echo -c 3 -t 2 --count 500 --reconnect-every 7");
    let found = summary(&format!("{line} --request-ids"));
    assert_eq!((found.replies.exact, found.replies.wrong), (1_500, 0));
    assert_eq!(found.replies.compared_with, Comparison::Id);
}

#[test]
fn ids_are_never_used_twice() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let target = server(|stream| {
        http(stream, |_, head, writer| {
            let id = head.split("X-Request-Id: ").nth(1).unwrap().lines().next().unwrap();
            SEEN.lock().unwrap().push(id.to_owned());
            reply(writer, head);
        });
    });
    let line = format!("http://{target}/ --request-ids -c 4 -t 2 --count 200 --reconnect-every 9");
    assert_eq!(summary(&format!("{line} --rank 5 --size 6 --trust-clock")).replies.exact, 800);
    let mut seen = SEEN.lock().unwrap();
    assert!(seen.iter().all(|id| id.starts_with("r00000005-")), "{:?}", seen.first());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 800);
}

#[test]
fn the_reply_to_the_request_before_is_mispaired() {
    let target = server(|stream| {
        let mut before = String::new();
        http(stream, |number, head, writer| {
            reply(writer, if number == 5 { &before } else { head });
            head.clone_into(&mut before);
        });
    });
    let found = summary(&format!("http://{target}/echo -c 2 --count 20 --request-ids"));
    assert_eq!((found.errors.mispaired, found.errors.total()), (2, 2));
    assert_eq!((found.replies.exact, found.replies.wrong), (38, 2));
}

#[test]
fn a_body_has_the_id_so_that_a_server_that_sends_it_back_will_do() {
    let target = server(|mut stream| {
        let line = "POST / HTTP/1.1\r\n";
        let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
        let mut body = [0; 100];
        while let Ok(head) = head_of(&mut reader) {
            assert!(head.starts_with(line) && head.contains("Content-Length: 100\r\n"), "{head}");
            reader.read_exact(&mut body).unwrap();
            reply(&mut stream, std::str::from_utf8(&body).unwrap());
        }
    });
    let line = format!("http://{target}/ --method POST --body-size 100 --request-ids");
    let found = summary(&format!("{line} -c 2 --count 50"));
    assert_eq!((found.replies.exact, found.replies.wrong), (100, 0));
}

fn head_of(reader: &mut impl io::BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}
