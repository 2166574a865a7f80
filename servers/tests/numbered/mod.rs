//! Requests with numbers, and their answers: each answer says to which request it belongs.

use std::io::{self, Read};

/// One request in so many is a POST.
const POSTS: u64 = 4;

/// A number that says nothing about the one before.
pub(crate) use servers::placement::mix::mix as mixed;

pub(crate) fn is_post(id: u64) -> bool {
    mixed(id).is_multiple_of(POSTS)
}

pub(crate) fn request(id: u64) -> Vec<u8> {
    if !is_post(id) {
        return format!("GET /id/{id} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes();
    }
    let content = content(id);
    let length = content.len();
    let head = format!("POST /id/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), content].concat()
}

pub(crate) fn content(id: u64) -> Vec<u8> {
    format!("content of {id};").repeat(1 + (id % 50) as usize).into_bytes()
}

/// The content of the answer.
pub(crate) fn reply(id: u64) -> String {
    format!("answer to {id};").repeat(1 + (id % 100) as usize)
}

/// The whole answer, one in three in chunks.
pub(crate) fn answer(id: u64) -> Vec<u8> {
    let body = reply(id);
    if id.is_multiple_of(3) {
        let (one, two) = body.split_at(body.len() / 2);
        let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
        return format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").into();
    }
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
}

pub(crate) fn number_in(head: &str) -> Option<u64> {
    head.split(' ').nth(1)?.strip_prefix("/id/")?.parse().ok()
}

pub(crate) fn length_in(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.map_or(0, |length| length.parse().unwrap())
}

/// Status, content, and whether the connection stays.
pub(crate) fn read_answer(stream: &mut impl Read) -> io::Result<(u16, Vec<u8>, bool)> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let head = read_head(stream)?.ok_or_else(cut)?;
    let status = head[9..12].parse().unwrap();
    let mut body = Vec::new();
    if head.contains("Transfer-Encoding: chunked") {
        while let size @ 1.. = read_size(stream)? {
            let start = body.len();
            body.resize(start + size + 2, 0);
            stream.read_exact(&mut body[start..])?;
            body.truncate(start + size);
        }
        stream.read_exact(&mut [0; 2])?;
    } else {
        body.resize(length_in(&head), 0);
        stream.read_exact(&mut body)?;
    }
    Ok((status, body, !head.contains("Connection: close")))
}

/// None when the peer has closed before.
pub(crate) fn read_head(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(256);
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut octet)? == 0 {
            return Ok(None);
        }
        head.push(octet[0]);
    }
    Ok(String::from_utf8(head).ok())
}

fn read_size(stream: &mut impl Read) -> io::Result<usize> {
    let mut line = Vec::new();
    let mut octet = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut octet)?;
        line.push(octet[0]);
    }
    let digits = std::str::from_utf8(&line[..line.len() - 2]).unwrap();
    Ok(usize::from_str_radix(digits, 16).unwrap())
}
