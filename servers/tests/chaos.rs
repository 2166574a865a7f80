//! Requests with numbers, through a proxy, while its backends break off, are killed and are frozen.
//!
//! Whatever happens, three things hold: an answer is the answer to its own request, a request that gets
//! none gets an error instead, and nothing that must not be done twice is done twice. Backends note
//! each POST in a file before they answer it: a file outlives who is killed.
//!
//! The size is small enough for every day. `CHAOS_REQUESTS=1000000 cargo test --release -p servers
//! --test chaos -- --nocapture` is the large one, and `CHAOS_MODEL` names another model.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::collections::HashMap;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{LONG, Server, reset};

const BACKENDS: usize = 4;
const CLIENTS: usize = 16;
/// One answer in so many is broken off somewhere.
const BROKEN: u64 = 10;
/// One request in so many is a POST.
const POSTS: u64 = 4;

/// A number that says nothing about the one before (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn is_post(id: u64) -> bool {
    mixed(id).is_multiple_of(POSTS)
}

// The backend: this test, started again by itself.

#[test]
#[ignore = "the backend of the other test, in a process of its own"]
fn backend() {
    let Ok(address) = env::var("CHAOS_BACKEND") else { return };
    let log = OpenOptions::new().append(true).create(true).open(env::var("CHAOS_LOG").unwrap());
    let (listener, log) = (TcpListener::bind(address).unwrap(), log.unwrap());
    println!("ready");
    for stream in listener.incoming().map_while(Result::ok) {
        let log = log.try_clone().unwrap();
        thread::spawn(move || while serve_one(&stream, &log).is_some_and(|go_on| go_on) {});
    }
}

/// Answers one request with its number; says whether the connection goes on.
fn serve_one(mut stream: &TcpStream, mut log: &File) -> Option<bool> {
    let head = read_head(&mut stream)?;
    let id = number_in(&head)?;
    let mut body = vec![0; length_in(&head)];
    stream.read_exact(&mut body).ok()?;
    if head.starts_with("POST") {
        assert_eq!(body, content(id), "a request comes as it was sent");
        log.write_all(format!("{id}\n").as_bytes()).ok()?;
    }
    let answer = answer(id);
    let luck = mixed(id ^ u64::from(std::process::id()));
    if luck.is_multiple_of(BROKEN) {
        let part = (luck / BROKEN) as usize % answer.len();
        stream.write_all(&answer[..part]).ok()?;
        reset(stream.try_clone().ok()?);
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return Some(false);
    }
    stream.write_all(&answer).ok()?;
    Some(true)
}

fn content(id: u64) -> Vec<u8> {
    format!("content of {id};").repeat(1 + (id % 50) as usize).into_bytes()
}

fn answer(id: u64) -> Vec<u8> {
    let body = format!("answer to {id};").repeat(1 + (id % 100) as usize);
    if id.is_multiple_of(3) {
        let (one, two) = body.split_at(body.len() / 2);
        let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
        return format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").into();
    }
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
}

fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::with_capacity(256);
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut octet).ok()? == 0 {
            return None;
        }
        head.push(octet[0]);
    }
    String::from_utf8(head).ok()
}

fn number_in(head: &str) -> Option<u64> {
    head.split(' ').nth(1)?.strip_prefix("/id/")?.parse().ok()
}

fn length_in(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.map_or(0, |length| length.parse().unwrap())
}

// The fleet of backends, and what befalls them.

struct Backend {
    address: SocketAddr,
    log: PathBuf,
    child: Child,
}

impl Backend {
    fn start(directory: &Path, number: usize) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = directory.join(format!("posts-{number}"));
        Self { child: spawn(address, &log), address, log }
    }

    fn suffer(&mut self, luck: u64) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        if luck.is_multiple_of(2) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            thread::sleep(Duration::from_millis(luck % 50));
            self.child = spawn(self.address, &self.log);
        } else {
            kill(pid, Signal::SIGSTOP).unwrap();
            thread::sleep(Duration::from_millis(100 + luck % 400));
            kill(pid, Signal::SIGCONT).unwrap();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(address: SocketAddr, log: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "backend", "--ignored", "--nocapture"])
        .env("CHAOS_BACKEND", address.to_string())
        .env("CHAOS_LOG", log)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).find(|line| line.ends_with("ready")).expect("a backend");
    child
}

// The clients.

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Fate {
    Answered,
    /// The proxy has said that there is no answer.
    Refused(u16),
    /// The connection broke within the answer, for all to see.
    Cut,
}

fn client(proxy: SocketAddr, next: &AtomicU64, last: u64) -> Vec<(u64, Fate)> {
    let mut fates = Vec::new();
    let mut stream = None;
    loop {
        let id = next.fetch_add(1, Relaxed);
        if id >= last {
            return fates;
        }
        let reader = stream.take().unwrap_or_else(|| BufReader::new(connect(proxy)));
        let (fate, left) = ask(reader, id);
        fates.push((id, fate));
        stream = left;
    }
}

fn connect(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&proxy, LONG).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Asks, checks the answer, and gives the connection back if it is still good.
fn ask(mut stream: BufReader<TcpStream>, id: u64) -> (Fate, Option<BufReader<TcpStream>>) {
    let request = if is_post(id) {
        let content = content(id);
        let head = format!(
            "POST /id/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            content.len()
        );
        [head.into_bytes(), content].concat()
    } else {
        format!("GET /id/{id} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
    };
    if stream.get_mut().write_all(&request).is_err() {
        return (Fate::Cut, None);
    }
    match read_answer(&mut stream) {
        Ok((200, body, stays)) => {
            let expected = format!("answer to {id};").repeat(1 + (id % 100) as usize);
            assert!(body == expected.as_bytes(), "{id} got the answer of another: {body:?}");
            (Fate::Answered, stays.then_some(stream))
        }
        Ok((status @ (502..=504), _, stays)) => (Fate::Refused(status), stays.then_some(stream)),
        Ok((status, ..)) => panic!("{id} got a {status}"),
        Err(error) => {
            let silent =
                matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
            assert!(!silent, "{id} got no answer, and no error either");
            (Fate::Cut, None)
        }
    }
}

/// Status, content, and whether the connection stays.
fn read_answer(stream: &mut impl Read) -> io::Result<(u16, Vec<u8>, bool)> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut stream = stream;
    let head = read_head_or(&mut stream)?.ok_or_else(cut)?;
    let status = head[9..12].parse().unwrap();
    let mut body = Vec::new();
    if head.contains("Transfer-Encoding: chunked") {
        while let size @ 1.. = read_size(&mut stream)? {
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

fn read_head_or(stream: &mut impl Read) -> io::Result<Option<String>> {
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

#[test]
fn none_is_answered_wrongly_none_is_lost_and_none_is_done_twice() {
    let requests = env::var("CHAOS_REQUESTS").map_or(20_000, |text| text.parse().unwrap());
    let model = env::var("CHAOS_MODEL").unwrap_or_else(|_| "epoll-edge".into());
    let directory = tempfile::tempdir().unwrap();
    let mut backends =
        (0..BACKENDS).map(|number| Backend::start(directory.path(), number)).collect::<Vec<_>>();
    let addresses = backends.iter().map(|backend| backend.address.to_string()).collect::<Vec<_>>();
    let mut flags = vec!["--response-timeout", "1s", "--ejection", "100ms", "--retries", "3"];
    addresses.iter().for_each(|address| flags.extend(["--backend", address]));
    let mut proxy = Server::start(&model, "proxy", &flags);
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let address = proxy.address;
    let mut suffered = 0;
    let fates = thread::scope(|scope| {
        let clients = (0..CLIENTS)
            .map(|_| scope.spawn(|| client(address, &next, requests)))
            .collect::<Vec<_>>();
        let chaos = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Relaxed) {
                let luck = mixed(count);
                backends[(luck >> 32) as usize % BACKENDS].suffer(luck);
                count += 1;
                thread::sleep(Duration::from_millis(20));
            }
            count
        });
        let fates = clients.into_iter().map(|client| client.join());
        let fates = fates.collect::<Result<Vec<_>, _>>();
        done.store(true, Relaxed);
        suffered = chaos.join().unwrap();
        fates.unwrap().concat()
    });
    let done = posts_done(&backends);
    judge(&fates, &done, requests);
    let mut tally = HashMap::<_, u64>::new();
    fates.iter().for_each(|&(id, fate)| *tally.entry((fate, is_post(id))).or_default() += 1);
    let mut tally = tally.into_iter().collect::<Vec<_>>();
    tally.sort_unstable();
    println!("{requests} requests, backends killed or frozen {suffered} times");
    for ((fate, post), count) in tally {
        println!("  {count:>8} {} {fate:?}", if post { "POST" } else { "GET " });
    }
    assert!(suffered > 0, "something has happened to them");
    assert_eq!(proxy.stop()["open"], 0);
}

/// How often each POST was done, by all backends.
fn posts_done(backends: &[Backend]) -> HashMap<u64, u32> {
    let mut done = HashMap::new();
    for backend in backends {
        for line in fs::read_to_string(&backend.log).unwrap().lines() {
            *done.entry(line.parse().unwrap()).or_default() += 1;
        }
    }
    done
}

fn judge(fates: &[(u64, Fate)], done: &HashMap<u64, u32>, requests: u64) {
    let mut ids = fates.iter().map(|&(id, _)| id).collect::<Vec<_>>();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..requests), "each request has one fate");
    for &(id, fate) in fates.iter().filter(|&&(id, _)| is_post(id)) {
        let times = done.get(&id).copied().unwrap_or(0);
        assert!(times <= 1, "{id} was done {times} times");
        assert!(fate != Fate::Answered || times == 1, "{id} was answered, and not done");
    }
    let answered = fates.iter().filter(|(_, fate)| *fate == Fate::Answered).count();
    assert!(answered * 2 > fates.len(), "most are answered: {answered} of {}", fates.len());
}
