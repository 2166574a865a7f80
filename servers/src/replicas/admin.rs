//! The API over HTTP: what clients may ask of the balancer itself.
//!
//! | request                    | answer                                                          |
//! |----------------------------|-----------------------------------------------------------------|
//! | `GET /rep`                 | 200, how many replicas there are, and their names               |
//! | `POST /add`                | 200 and the same, when the new ones are in service              |
//! | `DELETE /rm`               | 200 and the same, when those that had to go have gone           |
//! | a registered path          | 400: the front sends it here when no replica is alive           |
//! | `GET` of another           | 400, the path does not exist                                    |
//! | `GET /`                    | 404                                                             |
//! | any other method           | 405, with `Allow`                                               |
//!
//! Every answer is a JSON object of a `message` and a `status`, `successful` or `failure`; so is
//! what the [front](super::front) says of a request that is no HTTP, too long or too slow, or for
//! which there is no room. What a replica answers is passed on as it is. By the contract of this
//! API a refusal is a 400, even where no replica is to be had. A refusal says which check of the
//! [wish](super::wish) has failed.
//!
//! The API has a published specification and a published implementation. Where they differ:
//!
//! | about                 | specification          | implementation         | here             |
//! |-----------------------|------------------------|------------------------|------------------|
//! | `status` of a change  | `successful`           | `success`              | as specified     |
//! | too many names, add   | than "newly added      | than "instances to     | as specified     |
//! |                       | instances"             | add"                   |                  |
//! | too many names, rm    | than "removable        | than "instances to     | as specified     |
//! |                       | instances"             | delete"                |                  |
//! | paths of replicas     | any that they have     | `/home` only           | those registered |
//! | the name of one that  | another, by chance     | the same               | the same         |
//! | is replaced           |                        |                        |                  |
//!
//! The last is the one place where the specification is not followed: the name is what `/rm` takes,
//! so it must stay true for as long as the place on the ring does. That the process is another one
//! shows in its number, which is new. Names are listed one after the other, a name that is there
//! twice is refused for `/rm` as well, and every error of the balancer's own is JSON.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use wire::http1::{Answer, Content, Limits, Request, Server, Service, StatusCode};

use super::crew::Crew;
use super::front::Paths;
use super::wish::{Change, Refusal, Wish};
use crate::apps::App;
use crate::control::{Control, Patience, Phase};
use crate::copies;
use crate::keeper::Keeper;
use crate::listener::{self, Listener};
use crate::models::{Model, Site, model};
use crate::session::{Served, Serves, Session};
use crate::worker::Worker;

/// Octets of the longest payload: a name for each of more replicas than fit on any ring.
pub(super) const PAYLOAD_MAX: usize = 256 << 10;

/// A thread for each client: a change takes its time, and nobody else shall wait for it.
const MODEL: &str = "thread";
/// Clients that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Octets that a connection holds in each direction.
const BUFFER_OCTETS: usize = 16 << 10;
/// Clients at once: all of them are connections of the front.
const CLIENTS_MAX: usize = 1024;
/// Octets of the stack of each one's thread.
const STACK_OCTETS: usize = 256 << 10;

/// The server of the API, on a port of the loopback interface, until it is dropped.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) address: SocketAddr,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl Office {
    /// # Errors
    /// When there is no port, no thread or no descriptor left for it.
    pub(crate) fn open(admin: Admin) -> anyhow::Result<Self> {
        let model = model(MODEL).context("the model of the admin API is gone")?;
        let listeners = listener::listen(([127, 0, 0, 1], 0).into(), BACKLOG, 1)?;
        let address = listener::address_of(&listeners)?;
        let control = Arc::new(Control::new(patience(), BUFFER_OCTETS));
        let keeper = Keeper::of_a_copy()?;
        let shared = Arc::clone(&control);
        let serve = move || serve(model, listeners, &admin, &shared, &keeper);
        let thread = Builder::new().name("admin".into()).spawn(serve)?;
        Ok(Self { address, control, thread: Some(thread) })
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.control.enter(Phase::Closing);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed.
            let _ = thread.join();
        }
    }
}

fn serve(model: &Model, listeners: Vec<Listener>, app: &Admin, control: &Control, keeper: &Keeper) {
    let (threads_max, stack_octets) = (CLIENTS_MAX, STACK_OCTETS);
    let site = Site { app, control, keeper, workers: 1, threads_max, stack_octets };
    if let Err(error) = copies::serve(model, &site, listeners, 1) {
        control.complain("the admin API gave up", &error);
    }
}

/// How long its clients, which are connections of the front, may take: longer than the front lets
/// its own, for it has the words.
fn patience() -> Patience {
    let seconds = |count| Duration::from_secs(count).into();
    Patience {
        head: seconds(60),
        body: seconds(60),
        idle: seconds(60),
        write: seconds(30),
        linger: seconds(1),
        drain: seconds(1),
    }
}

/// How long a message may be: longer than the front lets it be, which has the words, and adds
/// fields of its own.
fn limits() -> Limits {
    let front = Limits::default();
    Limits { head: BUFFER_OCTETS, fields: 2 * front.fields, ..front }
}

/// The API, for every client.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) crew: Arc<Crew>,
    pub(crate) paths: Arc<Paths>,
}

impl App for Admin {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let desk = Desk { admin: self.clone(), change: None, payload: Vec::new() };
        let server = Server::new(desk, limits());
        Box::new(Served::new(stream, server, worker.control.now()))
    }
}

/// What answers the requests of one connection.
#[derive(Debug)]
struct Desk {
    admin: Admin,
    /// What the request under way wants, while its payload comes in.
    change: Option<Change>,
    payload: Vec<u8>,
}

impl Serves for Server<Desk> {}

impl Service for Desk {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        match (request.method(), request.path()) {
            ("GET" | "HEAD", "/rep") => self.report(),
            ("POST", "/add") => self.begin(Change::Add, request),
            ("DELETE", "/rm") => self.begin(Change::Remove, request),
            (_, path) if self.admin.paths.have(path) => {
                // It would be a replica's if there were one.
                failure(StatusCode::BAD_REQUEST, "No servers alive")
            }
            (_, "/add") => not_allowed(&[("Allow", "POST")]),
            (_, "/rm") => not_allowed(&[("Allow", "DELETE")]),
            ("GET" | "HEAD", "/") => failure(StatusCode::NOT_FOUND, "`/` is no endpoint"),
            ("GET" | "HEAD", path) => failure(StatusCode::BAD_REQUEST, &unknown(path)),
            _ => not_allowed(&[("Allow", "GET, HEAD")]),
        }
    }

    fn content(&mut self, octets: &[u8]) {
        // One octet more than there may be tells a payload that is too long.
        let room = PAYLOAD_MAX + 1 - self.payload.len();
        self.payload.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    fn conclude(&mut self) -> Answer {
        let payload = std::mem::take(&mut self.payload);
        let granted = match self.change.take() {
            Some(Change::Add) => self.grant(Change::Add, &payload, Crew::add),
            Some(Change::Remove) => self.grant(Change::Remove, &payload, Crew::remove),
            None => Err(Refusal::Empty),
        };
        match granted {
            Ok(()) => self.report(),
            Err(refusal) => failure(refusal.status(), &refusal.to_string()),
        }
    }
}

impl Desk {
    /// Reads the payload first.
    fn begin(&mut self, change: Change, request: &Request<'_>) -> Answer {
        // One that is not said to be JSON counts as none.
        self.change = is_json(request).then_some(change);
        self.payload.clear();
        Answer { content: Content::Pending, ..Answer::empty(StatusCode::OK) }
    }

    fn grant(
        &self,
        change: Change,
        payload: &[u8],
        by: fn(&Crew, &Wish) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        by(&self.admin.crew, &Wish::read(change, payload)?)
    }

    fn report(&self) -> Answer {
        let view = self.admin.crew.view();
        let replicas = view.seats().map(|seat| seat.name.as_str()).collect::<Vec<_>>();
        let message = json!({ "N": replicas.len(), "replicas": replicas });
        answer(StatusCode::OK, &json!({ "message": message, "status": "successful" }))
    }
}

/// RFC 8259, 11, and the suffix of RFC 6839, 3.1.
fn is_json(request: &Request<'_>) -> bool {
    let mut fields = request.fields();
    let field = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let Some((_, value)) = field else { return false };
    let media_type = value.split(|octet| *octet == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii().to_ascii_lowercase();
    media_type == b"application/json" || media_type.ends_with(b"+json")
}

fn unknown(path: &str) -> String {
    format!("`{path}` endpoint does not exist in server replicas")
}

pub(super) fn failure(status: StatusCode, words: &str) -> Answer {
    answer(status, &error(words))
}

/// What every error says.
pub(super) fn error(words: &str) -> Value {
    json!({ "message": format!("<Error> {words}"), "status": "failure" })
}

fn not_allowed(allow: &'static [(&'static str, &'static str)]) -> Answer {
    let words = "The endpoint has no such method";
    Answer { fields: allow, ..failure(StatusCode::METHOD_NOT_ALLOWED, words) }
}

fn answer(status: StatusCode, value: &Value) -> Answer {
    let content = Content::Owned(format!("{value}\n").into_bytes());
    Answer::new(status, "application/json", content)
}
