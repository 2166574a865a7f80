//! What the proxy says about itself, on an address of its own.
//!
//! | route          | answer                                                                  |
//! |----------------|-------------------------------------------------------------------------|
//! | `GET /`        | these routes                                                            |
//! | `GET /stats`   | each backend and the server's counters, as JSON                         |
//! | `GET /metrics` | the same for Prometheus: see [`metrics`]                                |
//!
//! It is a server like the one beside it: the same protocol, the same deadlines and buffers, in one
//! thread with level-triggered epoll(7). So a client that hangs, or sends an octet a second, delays
//! nobody and is let go after a while.
//!
//! It has a descriptor table of its own, where the kernel lets it. So whoever wants to know why the
//! proxy has no descriptor left gets an answer, and whoever holds connections open here takes no
//! descriptor from the proxy. A second thread stays in the table that there was, to keep the time.

use std::fmt::Debug;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde_json::{Value, json};
use wire::http1::{Answer, Content, Limits, Request, Server, Service, StatusCode};

use super::backend::Backend;
use super::lease::Outcome;
use super::metrics;
use super::moment::Moment;
use super::upstreams::Upstreams;
use crate::apps::App;
use crate::control::{Control, Patience, Phase};
use crate::copies;
use crate::keeper::Keeper;
use crate::listener::{self, Listener};
use crate::models::{Model, Site, model};
use crate::session::{Served, Serves, Session};
use crate::stats::Stats;
use crate::tables;
use crate::worker::Worker;

/// The model that serves it.
const MODEL: &str = "epoll-level";
/// Clients that may wait to be accepted.
const BACKLOG: i32 = 64;
/// Octets that a connection holds in each direction.
const BUFFER_OCTETS: usize = 8 << 10;

const ROUTES: &str = "/stats    each backend and the server's counters, as JSON\n\
                      /metrics  the same for Prometheus\n";

/// What there is to be said.
pub trait Report: Debug + Send + Sync {
    /// For programs.
    fn stats(&self) -> Value;

    /// The same for Prometheus, in the format of [`metrics::MEDIA_TYPE`].
    fn metrics(&self) -> String;
}

/// The server of what the proxy says about itself, until it is dropped.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Listens on `address` and answers from there on.
    ///
    /// # Errors
    /// When the address is taken or not ours, or there is no thread or descriptor left.
    pub fn start(
        address: SocketAddr,
        upstreams: Arc<Upstreams>,
        stats: Arc<Stats>,
    ) -> anyhow::Result<Self> {
        Self::of(address, Arc::new(Book { upstreams, stats }))
    }

    /// The same for whoever has more to say.
    ///
    /// # Errors
    /// As above.
    pub fn of(address: SocketAddr, report: Arc<dyn Report>) -> anyhow::Result<Self> {
        let model = model(MODEL).context("the model of the admin server is gone")?;
        let listeners = listener::listen(address, BACKLOG, 1)?;
        let address = listener::address_of(&listeners)?;
        let control = Arc::new(Control::new(patience(), BUFFER_OCTETS));
        let keeper = Keeper::of_a_copy()?;
        let shared = Arc::clone(&control);
        let serve = move || serve(model, listeners, Pages(report), &shared, &keeper);
        let thread = Builder::new().name("admin".into()).spawn(serve)?;
        Ok(Self { address, control, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.control.enter(Phase::Closing);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed; the proxy has gone on without it.
            let _ = thread.join();
        }
    }
}

fn serve(model: &Model, listeners: Vec<Listener>, app: Pages, control: &Control, keeper: &Keeper) {
    let site = Site { app: &app, control, keeper, workers: 1, threads_max: 0, stack_octets: 0 };
    let serve = if tables::may_part() { copies::serve_apart } else { copies::serve };
    if let Err(error) = serve(model, &site, listeners, 1) {
        control.complain("the admin server gave up", &error);
    }
}

fn patience() -> Patience {
    let seconds = |seconds| Duration::from_secs(seconds).into();
    Patience {
        head: seconds(5),
        body: seconds(5),
        idle: seconds(60),
        write: seconds(10),
        linger: seconds(1),
        drain: seconds(1),
    }
}

/// Where the figures are.
#[derive(Debug)]
struct Book {
    upstreams: Arc<Upstreams>,
    stats: Arc<Stats>,
}

#[derive(Debug)]
struct Pages(Arc<dyn Report>);

impl App for Pages {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let server = Server::new(Reader(Arc::clone(&self.0)), Limits::default());
        Box::new(Served::new(stream, server, worker.control.now()))
    }
}

/// Who answers one client.
#[derive(Debug)]
struct Reader(Arc<dyn Report>);

impl Serves for Server<Reader> {}

impl Service for Reader {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        if !matches!(request.method(), "GET" | "HEAD") {
            let fields = &[("Allow", "GET, HEAD")];
            return Answer { fields, ..Answer::empty(StatusCode::METHOD_NOT_ALLOWED) };
        }
        match request.path() {
            "/" => Answer::text(StatusCode::OK, ROUTES),
            "/stats" => owned("application/json", format!("{:#}\n", self.0.stats())),
            "/metrics" => owned(metrics::MEDIA_TYPE, self.0.metrics()),
            _ => Answer::text(StatusCode::NOT_FOUND, ROUTES),
        }
    }

    fn date(&mut self) -> Option<[u8; 29]> {
        httpdate::fmt_http_date(SystemTime::now()).as_bytes().try_into().ok()
    }
}

fn owned(media_type: &'static str, text: String) -> Answer {
    Answer::new(StatusCode::OK, media_type, Content::Owned(text.into_bytes()))
}

impl Report for Book {
    fn metrics(&self) -> String {
        metrics::text(&self.upstreams, &self.stats.totals())
    }

    fn stats(&self) -> Value {
        let now = Moment::now();
        let set = self.upstreams.snapshot();
        let backends = set.backends().iter().map(|backend| row(backend, now));
        json!({
            "policy": self.upstreams.policy(),
            "retries": self.upstreams.retries(),
            "backends": backends.collect::<Vec<_>>(),
            "server": self.stats.totals(),
        })
    }
}

/// What is known of a backend.
pub(crate) fn row(backend: &Backend, now: Moment) -> Value {
    let outcomes = Outcome::ALL.map(|outcome| (outcome.name(), backend.ended(outcome)));
    json!({
        "id": backend.id,
        "address": backend.address,
        "weight": backend.weight(),
        "health": backend.health(now),
        "open": backend.open(),
        "leased": backend.leased(),
        "outcomes": outcomes.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "removals": backend.removals(),
        "spared": backend.spared(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::proxy::policy::bed::Bed;

    fn admin() -> (Arc<Upstreams>, Admin) {
        let upstreams = Arc::new(Bed::new("ring", &[1, 3]).upstreams);
        let stats = Arc::<Stats>::default();
        let admin = Admin::start("127.0.0.1:0".parse().unwrap(), Arc::clone(&upstreams), stats);
        (upstreams, admin.unwrap())
    }

    /// The head and the content of the answer to a request.
    fn ask(admin: &Admin, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(admin.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        (head.into(), content.into())
    }

    #[test]
    fn stats_show_each_backend() {
        let (upstreams, admin) = admin();
        let client = crate::proxy::policy::bed::client(0);
        let lease = upstreams.lease(&client, &Default::default()).unwrap();
        lease.report(Outcome::Answered);
        let (head, content) = ask(&admin, "GET /stats");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("application/json"), "{head}");
        let stats: Value = serde_json::from_str(&content).unwrap();
        let set = upstreams.snapshot();
        let mut all = set.backends().iter();
        let place = all.position(|backend| backend.id == lease.backend().id).unwrap();
        let (asked, other) = (&stats["backends"][place], &stats["backends"][1 - place]);
        assert_eq!((&asked["open"], &asked["outcomes"]["answered"]), (&json!(1), &json!(1)));
        assert_eq!((&other["open"], &other["leased"]), (&json!(0), &json!(0)));
        assert_eq!((&stats["policy"], &stats["server"]["accepted"]), (&json!("ring"), &json!(0)));
        assert_eq!(
            (&asked["health"], &stats["backends"][1]["weight"]),
            (&json!("in-service"), &json!(3))
        );
    }

    #[test]
    fn metrics_are_in_the_format_that_they_name() {
        let (_, admin) = admin();
        let (head, content) = ask(&admin, "GET /metrics");
        assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
        metrics::tests::check(&content).unwrap();
    }

    #[test]
    fn what_is_not_there_is_said_so() {
        let (_, admin) = admin();
        for (request, status) in [
            ("GET /", "200"),
            ("HEAD /metrics", "200"),
            ("GET /nothing", "404"),
            ("DELETE /stats", "405"),
        ] {
            let (head, _) = ask(&admin, request);
            assert_eq!(head.split(' ').nth(1), Some(status), "{request}: {head}");
        }
    }

    #[test]
    fn clients_that_hang_keep_nobody_waiting() {
        let (_, admin) = admin();
        let connect = |_| TcpStream::connect(admin.address()).unwrap();
        let mut hanging = (0..100).map(connect).collect::<Vec<_>>();
        for (number, client) in hanging.iter_mut().enumerate() {
            let begun = ["", "G", "GET /stats HTTP/1.1\r\n", "\0\0\0\0"][number % 4];
            client.write_all(begun.as_bytes()).unwrap();
        }
        let (head, _) = ask(&admin, "GET /stats");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }

    #[test]
    fn an_address_that_somebody_has_is_an_error() {
        let (upstreams, admin) = admin();
        let error = Admin::start(admin.address(), upstreams, Arc::default()).unwrap_err();
        assert!(format!("{error:#}").contains(&admin.address().to_string()), "{error:#}");
    }
}
