//! What clients talk to: a proxy on any of the models, with two sites behind it.
//!
//! Requests for registered paths go to a replica, by their [key](super::key) and the
//! [lineup](super::lineup). All others go to the admin API, and so do those that no replica could
//! answer: it has the words for that.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use wire::http1::{Answer, Limits, StatusCode};

use super::admin::{error, failure};
use super::key::Key;
use super::lineup::Lineup;
use super::membership::Membership;
use crate::apps::{App, say_at_once};
use crate::proxy::forward::Forward;
use crate::proxy::health::ejection::Ejection;
use crate::proxy::options::Affinity;
use crate::proxy::site::{Budget, Manners, ProxySite, Routes};
use crate::proxy::{BackendSpec, Client, Outcome, Settings, Upstreams, policy};
use crate::session::Session;
use crate::worker::Worker;

/// Idle connections that each worker keeps to each replica.
const LINKS_MAX: usize = 64;
/// For how long: replicas let idle clients go after a minute.
const LINK_IDLE: Duration = Duration::from_secs(30);
/// A change may take long: the slowest start, the slowest stop, batch by batch.
const CHANGE_MAX: Duration = Duration::from_secs(3600);
/// Until a client or a replica reads what was sent to it.
const WRITE: Duration = Duration::from_secs(30);

/// Which paths replicas answer.
#[derive(Debug)]
pub(crate) struct Paths(pub(crate) Vec<String>);

impl Paths {
    /// Whether that is one: itself, or the beginning of it, where that ends with a slash.
    pub(crate) fn have(&self, path: &str) -> bool {
        let mut all = self.0.iter();
        all.any(|known| path == known || known.ends_with('/') && path.starts_with(known))
    }
}

/// What replicas are asked, and how.
#[derive(Debug)]
pub(crate) struct Asking {
    /// For what.
    pub(crate) paths: Arc<Paths>,
    /// By what one of them is chosen.
    pub(crate) key: Key,
    /// For each step of an exchange.
    pub(crate) patience: Duration,
}

/// The front.
#[derive(Debug)]
pub(crate) struct Front(Arc<Switch>);

/// Where a request goes.
#[derive(Debug)]
struct Switch {
    paths: Arc<Paths>,
    key: Key,
    membership: Arc<Membership>,
    replicas: Arc<ProxySite>,
    admin: Arc<ProxySite>,
}

impl Front {
    /// A front of these replicas, and of the admin API at that address.
    ///
    /// # Errors
    /// When the proxy has no policy of the name that it takes for the one API.
    pub(crate) fn new(asking: Asking, lineup: &Lineup, admin: SocketAddr) -> anyhow::Result<Self> {
        let Asking { paths, key, patience } = asking;
        let manners = Manners {
            affinity: Affinity::Request,
            connect: patience,
            reply: patience,
            write: WRITE,
            retries: 2,
            // Who has lost one of few replicas has lost more requests than a share of them.
            budget: Budget::All,
            links_max: LINKS_MAX,
            link_idle: LINK_IDLE,
            unanswered,
            refused,
        };
        let of_admin =
            Manners { reply: CHANGE_MAX, retries: 0, unanswered: admin_is_silent, ..manners };
        let upstreams = Arc::new(only(admin)?);
        Ok(Self(Arc::new(Switch {
            paths,
            key,
            membership: Arc::clone(&lineup.membership),
            replicas: Arc::new(ProxySite::new(Arc::clone(&lineup.upstreams), manners)),
            admin: Arc::new(ProxySite::new(upstreams, of_admin)),
        })))
    }
}

/// Backends of which there is one.
fn only(address: SocketAddr) -> anyhow::Result<Upstreams> {
    let settings = Settings {
        policy: policy::policy("round-robin").context("the policy `round-robin` is gone")?,
        seed: 0,
        slow_start: Duration::ZERO,
        ejection: Ejection { fall: u32::MAX, first: Duration::from_secs(1) },
    };
    Ok(Upstreams::new(settings, vec![BackendSpec { address, weight: 1 }])?)
}

impl App for Front {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let routes = Arc::clone(&self.0);
        Box::new(Forward::along(routes, stream, Limits::default(), worker.control.now()))
    }

    fn turn_away(&self, stream: TcpStream) {
        let words = error("The balancer has no room for another client").to_string();
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\nRetry-After: 1\r\n\r\n",
            words.len()
        );
        say_at_once(stream, (head + &words).as_bytes());
    }
}

impl Routes for Switch {
    fn site(&self, path: &str) -> Arc<ProxySite> {
        let alive = || self.membership.view().seats().any(|seat| seat.address().is_some());
        let site = if self.paths.have(path) && alive() { &self.replicas } else { &self.admin };
        Arc::clone(site)
    }

    fn id(&self, client: &Client, path: &str) -> u64 {
        self.key.id(client, path)
    }
}

/// What the API says of a request that replicas have not answered. That it is a 400 is the
/// contract: see [`super::admin`].
fn unanswered(last: Option<Outcome>) -> Answer {
    let words = if last.is_none() { "No servers alive" } else { "Server did not respond" };
    failure(StatusCode::BAD_REQUEST, words)
}

fn admin_is_silent(_: Option<Outcome>) -> Answer {
    refused(StatusCode::SERVICE_UNAVAILABLE, "The balancer does not answer")
}

/// The words of the proxy, as the API says them.
fn refused(status: StatusCode, words: &'static str) -> Answer {
    const AGAIN: &[(&str, &str)] = &[("Retry-After", "1")];
    let fields = if status == StatusCode::SERVICE_UNAVAILABLE { AGAIN } else { &[] };
    Answer { fields, ..failure(status, words.trim_end()) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::super::membership::tests::view;
    use super::*;

    #[test]
    fn who_is_turned_away_is_told_so_in_json() {
        let membership = Membership::new(view("ring-modified", 1));
        let asking = Asking {
            paths: Arc::new(Paths(Vec::new())),
            key: Key::Random,
            patience: Duration::from_secs(1),
        };
        let lineup = Lineup::new(membership).unwrap();
        let front = Front::new(asking, &lineup, ([127, 0, 0, 1], 1).into()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        front.turn_away(listener.accept().unwrap().0);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        let length = format!("\r\nContent-Length: {}\r\n", content.len());
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains(&length), "{head}");
        let words = serde_json::from_str::<serde_json::Value>(content).unwrap();
        assert_eq!(words["message"], "<Error> The balancer has no room for another client");
    }

    #[test]
    fn a_path_is_known_as_it_is_or_by_its_beginning() {
        let paths = Paths(vec!["/home".into(), "/bytes/".into()]);
        assert!(["/home", "/bytes/", "/bytes/7"].into_iter().all(|path| paths.have(path)));
        assert!(["/", "/home/", "/homes", "/bytes"].into_iter().all(|path| !paths.have(path)));
    }
}
