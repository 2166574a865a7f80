//! A client that stays: many requests for `/home` over one connection, and what became of each.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Balancer, LONG};

/// Between two requests of a client that asks on and on: so that it does not measure how much CPU
/// is left for the others.
const PAUSE: Duration = Duration::from_millis(1);

/// What became of requests: each is one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// A replica has, and as it should.
    pub(crate) answered: u64,
    /// The balancer has said that none has.
    pub(crate) refused: u64,
    /// There was no answer, and no error either but that of the connection.
    pub(crate) lost: u64,
    /// There was another answer.
    pub(crate) wrong: u64,
}

impl Tally {
    pub(crate) const fn requests(&self) -> u64 {
        self.answered + self.refused + self.lost + self.wrong
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.lost += other.lost;
        self.wrong += other.wrong;
    }
}

/// A connection that stays open.
struct Asker(BufReader<TcpStream>);

impl Asker {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LONG).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, method: &str) -> io::Result<Answer> {
        let content = if method == "POST" { "Content-Length: 2\r\n\r\nhi" } else { "\r\n" };
        let request = format!("{method} /home HTTP/1.1\r\nHost: h\r\n{content}");
        self.0.get_mut().write_all(request.as_bytes())?;
        let head = self.head()?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
        self.0.read_exact(&mut body)?;
        Ok(Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            content: serde_json::from_slice(&body).unwrap_or(Value::Null),
            stays: !head.contains("Connection: close"),
        })
    }

    fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head)
    }
}

/// One answer, read to its end.
struct Answer {
    status: u16,
    content: Value,
    /// The connection is good for another request.
    stays: bool,
}

impl Answer {
    /// The number in a greeting.
    fn greeter(&self) -> Option<u64> {
        self.content["message"].as_str()?.strip_prefix("Hello from Server: ")?.parse().ok()
    }

    /// Whether it is what a replica says: to a GET the number of one of these processes, and to any
    /// other method that it has no such (405, without the words that the balancer has for that).
    fn is_right(&self, method: &str, processes: &HashMap<u64, String>) -> bool {
        match method {
            "GET" => {
                let greeter = self.greeter();
                self.status == 200 && greeter.is_some_and(|id| processes.contains_key(&id))
            }
            _ => self.status == 405 && self.content.is_null(),
        }
    }

    /// What the balancer says when no replica has answered.
    fn is_refusal(&self) -> bool {
        self.status == 400 && self.content["message"] == "<Error> Server did not respond"
    }
}

/// Asks until `done`, and says what became of the requests.
pub(crate) fn ask_until(balancer: &Balancer, method: &str, done: &AtomicBool) -> Tally {
    let (mut tally, mut answers) = (Tally::default(), Vec::new());
    let mut kept = None;
    while !done.load(Ordering::Acquire) {
        let mut asker = kept.take().unwrap_or_else(|| Asker::connect(balancer.address));
        let answer = asker.ask(method);
        kept = answer.as_ref().is_ok_and(|answer| answer.stays).then_some(asker);
        match answer {
            Ok(answer) if answer.is_refusal() => tally.refused += 1,
            Ok(answer) => answers.push(answer),
            Err(_) => tally.lost += 1,
        }
        thread::sleep(PAUSE);
    }
    let processes = balancer.processes();
    let right = |answer: &&Answer| answer.is_right(method, &processes);
    tally.answered = answers.iter().filter(right).count() as u64;
    tally.wrong = answers.len() as u64 - tally.answered;
    tally
}

/// How many of so many requests each of these replicas answers.
pub(crate) fn counts(balancer: &Balancer, names: &[&str], requests: u32) -> Vec<u64> {
    let mut asker = Asker::connect(balancer.address);
    let mut by_process = HashMap::<_, u64>::new();
    for _ in 0..requests {
        let answer = asker.ask("GET").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.content);
        *by_process.entry(answer.greeter().unwrap()).or_default() += 1;
    }
    // Not before: a replica may have had another process meanwhile.
    let processes = balancer.processes();
    let mut counts = vec![0; names.len()];
    for (id, count) in by_process {
        counts[names.iter().position(|name| *name == processes[&id]).unwrap()] += count;
    }
    counts
}
