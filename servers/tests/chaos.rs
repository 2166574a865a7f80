//! Requests with numbers, through a proxy, while its backends break off, are killed and are frozen.
//!
//! Whatever happens, three things hold: an answer is the answer to its own request, a request that
//! gets none gets an error instead, and nothing that must not be done twice is done twice. Backends
//! note each POST in a file before they answer it: a file outlives who is killed.
//!
//! The sizes are small enough for every day: one model at length, each of them for a moment.
//! `scripts/prove-replicas` runs the large one: a million requests (`CHAOS_REQUESTS`) through one
//! model (`CHAOS_MODEL`).

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod numbered;
mod process;
mod proof;

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use numbered::{
    answer, content, is_post, length_in, mixed, number_in, read_answer, read_head, reply, request,
};
use process::scripted::everywhere;
use process::{LONG, Server, reset};
use proof::{Proof, Requests, number};
use servers::models::{AtOnce, model};

const BACKENDS: usize = 4;
const CLIENTS: usize = 16;
/// One answer in so many is broken off somewhere.
const BROKEN: u64 = 10;
/// Requests through each model, at most, and how long that may take: all of them together are not
/// to take longer than the other tests do.
const MOMENT: Load = Load { requests: 2_000, within: Duration::from_millis(1_200) };
/// As long as it takes.
const NO_HURRY: Duration = Duration::from_secs(24 * 3600);

/// How many requests, and within which time they are begun.
#[derive(Clone, Copy)]
struct Load {
    requests: u64,
    within: Duration,
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
    let head = read_head(&mut stream).ok()??;
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
    /// The connection broke within the answer, after some of it, for all to see.
    Cut,
    /// The answer is to another request, or to none.
    Wrong(u16),
    /// Nothing of an answer has come, and no error either: an end at most, or silence.
    Lost,
}

/// Asks with one number after the other, until they are used up or `load` has lasted long enough.
fn client(proxy: SocketAddr, next: &AtomicU64, load: Load) -> Vec<(u64, Fate)> {
    let (mut fates, start) = (Vec::new(), Instant::now());
    let mut stream = None;
    while start.elapsed() < load.within {
        let id = next.fetch_add(1, Relaxed);
        if id >= load.requests {
            break;
        }
        let reader = stream.take().unwrap_or_else(|| BufReader::new(connect(proxy)));
        let (fate, left) = ask(reader, id);
        fates.push((id, fate));
        stream = left;
    }
    fates
}

fn connect(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&proxy, LONG).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Asks, checks the answer, and gives the connection back if it is still good.
fn ask(mut stream: BufReader<TcpStream>, id: u64) -> (Fate, Option<BufReader<TcpStream>>) {
    // Who has answered and gone may not take the rest of a request; its answer counts.
    let _ = stream.get_mut().write_all(&request(id));
    if !stream.fill_buf().is_ok_and(|octets| !octets.is_empty()) {
        return (Fate::Lost, None);
    }
    match read_answer(&mut stream) {
        Ok((status, body, stays)) => (judged(id, status, &body), stays.then_some(stream)),
        Err(error) if is_silence(&error) => (Fate::Lost, None),
        Err(_) => (Fate::Cut, None),
    }
}

fn judged(id: u64, status: u16, body: &[u8]) -> Fate {
    match status {
        200 if body == reply(id).as_bytes() => Fate::Answered,
        502..=504 => Fate::Refused(status),
        _ => Fate::Wrong(status),
    }
}

/// What a read says whose time-out is over (SO_RCVTIMEO, socket(7)).
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What was found while backends suffered.
struct Ordeal {
    fates: Vec<(u64, Fate)>,
    /// How often each POST was done.
    done: HashMap<u64, u32>,
    /// How often a backend was killed or frozen.
    suffered: usize,
}

#[test]
fn none_is_answered_wrongly_none_is_lost_and_none_is_done_twice() {
    let requests = number("CHAOS_REQUESTS", 20_000) as u64;
    let model = env::var("CHAOS_MODEL").unwrap_or_else(|_| "epoll-edge".into());
    let ordeal = Ordeal::of(&model, Load { requests, within: NO_HURRY });
    ordeal.proof(&model).tell();
    ordeal.print();
    ordeal.judge();
    assert_eq!(ordeal.fates.len() as u64, requests);
}

#[test]
fn and_so_it_is_in_every_model() {
    everywhere(|model| {
        let ordeal = Ordeal::of(model, MOMENT);
        ordeal.print();
        ordeal.judge();
    });
}

/// As many as the model serves at once: others would wait until the first have gone.
fn clients(name: &str) -> usize {
    match model(name).map(|model| model.at_once) {
        Some(AtOnce::One) => 1,
        Some(AtOnce::Workers) => 2,
        _ => CLIENTS,
    }
}

impl Ordeal {
    /// Puts this load on a proxy of that model.
    fn of(model: &str, load: Load) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let start = |number| Backend::start(directory.path(), number);
        let mut backends = (0..BACKENDS).map(start).collect::<Vec<_>>();
        let addresses = backends.iter().map(|backend| backend.address.to_string());
        let addresses = addresses.collect::<Vec<_>>();
        let mut flags = vec!["--response-timeout", "1s", "--ejection", "100ms", "--retries", "3"];
        addresses.iter().for_each(|address| flags.extend(["--backend", address]));
        let mut proxy = Server::start(model, "proxy", &flags);
        let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let address = proxy.address;
        let (fates, suffered) = thread::scope(|scope| {
            let ask = |_| scope.spawn(|| client(address, &next, load));
            let clients = (0..clients(model)).map(ask).collect::<Vec<_>>();
            let chaos = scope.spawn(|| torment(&mut backends, &done));
            let fates = clients.into_iter().map(|client| client.join());
            let fates = fates.collect::<Result<Vec<_>, _>>();
            done.store(true, Relaxed);
            (fates.unwrap().concat(), chaos.join().unwrap())
        });
        assert_eq!(proxy.stop()["open"], 0);
        Self { fates, done: posts_done(&backends), suffered }
    }

    fn count(&self, wanted: impl Fn(Fate) -> bool) -> u64 {
        self.fates.iter().filter(|(_, fate)| wanted(*fate)).count() as u64
    }

    /// POSTs that were done more than once.
    fn twice(&self) -> u64 {
        self.done.values().filter(|times| **times > 1).count() as u64
    }

    fn proof(&self, model: &str) -> Proof {
        let requests = Requests {
            made: self.fates.len() as u64,
            answered: self.count(|fate| fate == Fate::Answered),
            refused: self.count(|fate| matches!(fate, Fate::Refused(_) | Fate::Cut)),
            lost: self.count(|fate| fate == Fate::Lost),
            wrong: self.count(|fate| matches!(fate, Fate::Wrong(_))),
            twice: Some(self.twice()),
        };
        let what = format!("backends of {model}: killed or frozen");
        Proof { what, times: self.suffered, lasted: vec![], orphans: None, requests }
    }

    fn print(&self) {
        let mut tally = BTreeMap::<_, u64>::new();
        self.fates.iter().for_each(|&(id, fate)| {
            *tally.entry((fate, is_post(id))).or_default() += 1;
        });
        println!("backends killed or frozen {} times", self.suffered);
        for ((fate, post), count) in tally {
            println!("  {count:>8} {} {fate:?}", if post { "POST" } else { "GET " });
        }
    }

    fn judge(&self) {
        let mut ids = self.fates.iter().map(|&(id, _)| id).collect::<Vec<_>>();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), self.fates.len(), "each request has one fate");
        for (id, fate) in &self.fates {
            assert!(!matches!(fate, Fate::Wrong(_) | Fate::Lost), "{id}: {fate:?}");
            let times = self.done.get(id).copied().unwrap_or(0);
            assert!(times <= 1, "{id} was done {times} times");
            let not_done = is_post(*id) && *fate == Fate::Answered && times == 0;
            assert!(!not_done, "{id} was answered, and not done");
        }
        let answered = self.count(|fate| fate == Fate::Answered);
        let all = self.fates.len() as u64;
        assert!(answered * 2 > all, "most are answered: {answered} of {all}");
        assert!(self.suffered > 0, "something has happened to them");
    }
}

/// Kills or freezes one backend after the other until `done`; says how often.
fn torment(backends: &mut [Backend], done: &AtomicBool) -> usize {
    let mut count = 0;
    while !done.load(Relaxed) {
        let luck = mixed(count);
        backends[(luck >> 32) as usize % BACKENDS].suffer(luck);
        count += 1;
        thread::sleep(Duration::from_millis(20));
    }
    count as usize
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
