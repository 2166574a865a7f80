//! What a proxy does when it reads its backends again, at SIGHUP, in every model.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::fs::{self, DirEntry};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use process::admin::Proxy;
use process::scripted::{GET, Scripted, everywhere, nobody, read_answer, read_head};
use process::{LONG, eventually};
use tempfile::NamedTempFile;

const ONE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo";

/// A proxy whose backends stand in a file.
struct Reloaded {
    proxy: Proxy,
    file: NamedTempFile,
}

impl Reloaded {
    fn start(model: &str, backends: &[&str], flags: &[&str]) -> Self {
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, backends.join("\n")).unwrap();
        let named = ["--backends", file.path().to_str().unwrap()];
        let proxy = Proxy::start(model, "proxy", &[&named, flags].concat());
        Self { proxy, file }
    }

    /// Puts other lines into the file, and has it read; what the proxy says of it.
    fn reload(&mut self, lines: &[&str]) -> String {
        fs::write(&self.file, lines.join("\n")).unwrap();
        self.proxy.reload()
    }
}

/// What the client is answered, over a connection that stays.
fn ask(client: &mut TcpStream) -> String {
    client.write_all(GET).unwrap();
    let (status, content) = read_answer(client);
    assert_eq!(status, 200);
    content
}

#[test]
fn a_request_under_way_is_finished_by_the_backend_that_has_it_and_the_next_goes_to_the_new_one() {
    everywhere(|model| {
        let (go_on, may_go_on) = channel();
        let may_go_on = Mutex::new(may_go_on);
        let (came, has_come) = channel();
        let one = Scripted::new(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                came.send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
                stream.write_all(ONE).unwrap();
            }
        });
        let two = Scripted::answering(TWO);
        let mut proxy = Reloaded::start(model, &[&one.address], &[]);
        let mut client = proxy.proxy.connect();
        client.write_all(GET).unwrap();
        has_come.recv().unwrap();
        assert!(proxy.reload(&[&two.address]).contains("1 backends from now on"));
        go_on.send(()).unwrap();
        assert_eq!(read_answer(&mut client), (200, "one".into()), "{model}");
        assert_eq!(ask(&mut client), "two", "{model}");
    });
}

#[test]
fn a_client_that_stays_with_its_backend_leaves_it_when_that_has_been_replaced() {
    everywhere(|model| {
        let (one, two) = (Scripted::answering(ONE), Scripted::answering(TWO));
        let flags = ["--affinity", "connection"];
        let mut proxy = Reloaded::start(model, &[&one.address], &flags);
        let mut client = proxy.proxy.connect();
        assert_eq!((ask(&mut client), ask(&mut client)), ("one".into(), "one".into()), "{model}");
        proxy.reload(&[&two.address]);
        assert_eq!((ask(&mut client), ask(&mut client)), ("two".into(), "two".into()), "{model}");
        assert_eq!((one.connections(), two.connections()), (1, 1), "{model}");
    });
}

#[test]
fn a_backend_that_stays_keeps_its_number_and_what_is_known_of_it() {
    everywhere(|model| {
        let (one, two, dead) = (Scripted::answering(ONE), Scripted::answering(TWO), nobody());
        let flags = ["--health-connect", "--health-interval", "50ms"];
        let mut proxy = Reloaded::start(model, &[&one.address, &dead], &flags);
        assert_eq!(ask(&mut proxy.proxy.connect()), "one", "{model}");
        eventually("the dead one is found", || proxy.proxy.backend(1)["health"] == "down");
        let before = [proxy.proxy.backend(0), proxy.proxy.backend(1)];
        let heavier = format!("{dead},weight=3");
        assert!(proxy.reload(&[&two.address, &heavier, &one.address]).contains("3 backends"));
        let after = [proxy.proxy.backend(2), proxy.proxy.backend(1)];
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before["id"], after["id"], "{model}");
            assert_eq!(before["leased"], after["leased"], "{model}");
        }
        assert_eq!((&after[1]["weight"], &after[1]["health"]), (&3.into(), &"down".into()));
        assert_eq!(proxy.proxy.backend(0)["leased"], 0, "{model}: it is new");
    });
}

#[test]
fn a_file_that_makes_no_sense_changes_nothing_and_is_named() {
    everywhere(|model| {
        let (one, two) = (Scripted::answering(ONE), Scripted::answering(TWO));
        let mut proxy = Reloaded::start(model, &[&one.address], &[]);
        let before = proxy.proxy.backend(0)["id"].clone();
        let words = proxy.reload(&[&two.address, "no such line"]);
        assert!(words.contains("the backends stay") && words.contains(":2:1:"), "{words}");
        let file = proxy.file.path().to_str().unwrap().to_owned();
        assert!(words.contains(&file), "{words}");
        assert_eq!(proxy.proxy.backend(0)["id"], before, "{model}");
        assert_eq!(ask(&mut proxy.proxy.connect()), "one", "{model}");
        let words = proxy.reload(&[]);
        assert!(words.contains("stay") && words.contains("no backend"), "{words}");
        fs::remove_file(&proxy.file).unwrap();
        let words = proxy.proxy.reload();
        assert!(words.contains("stay") && words.contains(&file), "{words}");
        assert_eq!(words.matches("No such file").count(), 1, "{words}");
        assert_eq!(ask(&mut proxy.proxy.connect()), "one", "{model}");
    });
}

/// A backend that says `TWO` to all but to those who ask for its health.
fn ill() -> Scripted {
    Scripted::new(|mut stream, _| {
        loop {
            match read_head(&mut stream) {
                head if head.is_empty() => return,
                head if head.starts_with("GET /heartbeat ") => {
                    stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
                _ => stream.write_all(TWO).unwrap(),
            }
        }
    })
}

#[test]
fn backends_that_are_out_are_asked_all_the_same_when_there_are_no_others_any_more() {
    everywhere(|model| {
        let (one, two) = (Scripted::answering(ONE), ill());
        let flags = ["--health-path", "/heartbeat", "--health-interval", "50ms"];
        let mut proxy = Reloaded::start(model, &[&one.address, &two.address], &flags);
        eventually("the ill one is found", || proxy.proxy.backend(1)["health"] == "down");
        assert_eq!(ask(&mut proxy.proxy.connect()), "one", "{model}");
        proxy.reload(&[&two.address]);
        let mut client = proxy.proxy.connect();
        assert!((0..5).all(|_| ask(&mut client) == "two"), "{model}");
        assert_eq!(proxy.proxy.backend(0)["health"], "down", "{model}: that it is not hidden");
        proxy.reload(&[&two.address, &one.address]);
        assert!((0..5).all(|_| ask(&mut client) == "one"), "{model}: there is a better one now");
    });
}

#[test]
fn no_request_fails_while_the_backends_are_exchanged_again_and_again() {
    everywhere(|model| {
        let backends = [Scripted::answering(ONE), Scripted::answering(TWO)];
        let mut proxy = Reloaded::start(model, &[&backends[0].address], &[]);
        let (address, over) = (proxy.proxy.address, AtomicBool::new(false));
        let keep_asking = || {
            while !over.load(Ordering::SeqCst) {
                let mut client = TcpStream::connect(address).unwrap();
                client.set_read_timeout(Some(LONG)).unwrap();
                (0..10).for_each(|_| _ = ask(&mut client));
            }
        };
        thread::scope(|scope| {
            (0..3).for_each(|_| _ = scope.spawn(keep_asking));
            for round in 1..=30 {
                assert!(proxy.reload(&[&backends[round % 2].address]).contains("1 backends"));
            }
            over.store(true, Ordering::SeqCst);
        });
        let asked = backends.each_ref().map(Scripted::connections);
        assert!(asked.iter().all(|&count| count > 0), "{model}: {asked:?}");
    });
}

#[test]
fn a_backend_that_comes_later_gets_its_share_by_and_by() {
    everywhere(|model| {
        let (one, two) = (Scripted::answering(ONE), Scripted::answering(TWO));
        let mut proxy = Reloaded::start(model, &[&one.address], &["--slow-start", "1h"]);
        let heavy = format!("{},weight=4", two.address);
        proxy.reload(&[&one.address, &heavy]);
        let mut client = proxy.proxy.connect();
        let to_two = (0..325).filter(|_| ask(&mut client) == "two").count();
        // A share grows by a 256th of itself in 14 s, however many requests there are meanwhile. At
        // first it is 4 of 260 requests; after half a minute it would be 12 of 268.
        assert!((5..=15).contains(&to_two), "{model}: {to_two}");
    });
}

/// How many threads of a process read its backends, or wait for their turn.
fn readers(proxy: &Proxy) -> usize {
    let threads = fs::read_dir(format!("/proc/{}/task", proxy.pid())).unwrap();
    let name = |thread: DirEntry| fs::read_to_string(thread.path().join("comm")).ok();
    threads.flatten().filter_map(name).filter(|name| name.trim() == "reload").count()
}

#[test]
fn however_often_it_is_asked_to_it_reads_once_at_a_time_and_then_what_there_is_at_last() {
    let (one, two) = (Scripted::answering(ONE), Scripted::answering(TWO));
    let mut proxy = Reloaded::start("epoll-edge", &[&one.address], &[]);
    // To read it takes as long as nobody writes.
    let path = proxy.file.path().to_owned();
    fs::remove_file(&path).unwrap();
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    for _ in 0..100 {
        proxy.proxy.hang_up();
        thread::sleep(Duration::from_millis(2));
    }
    eventually("one reads, and one waits for its turn", || readers(&proxy.proxy) == 2);
    fs::write(&path, &one.address).unwrap();
    proxy.proxy.says("1 backends");
    fs::write(&path, &two.address).unwrap();
    proxy.proxy.says("1 backends");
    assert_eq!(ask(&mut proxy.proxy.connect()), "two");
}
