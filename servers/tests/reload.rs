//! What a proxy does when it reads its backends again, at SIGHUP, in every model.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use process::admin::Proxy;
use process::eventually;
use process::scripted::{GET, Scripted, everywhere, nobody, read_answer, read_head};
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
        let file = proxy.file.path().to_str().unwrap();
        assert!(words.contains(file), "{words}");
        assert_eq!(proxy.proxy.backend(0)["id"], before, "{model}");
        assert_eq!(ask(&mut proxy.proxy.connect()), "one", "{model}");
        let words = proxy.reload(&[]);
        assert!(words.contains("stay") && words.contains("no backend"), "{words}");
        assert_eq!(ask(&mut proxy.proxy.connect()), "one", "{model}");
    });
}
