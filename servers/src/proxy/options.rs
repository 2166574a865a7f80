//! The command line of a proxy.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::backend::BackendSpec;
use super::health::ejection::Ejection;
use super::health::pulse::Thresholds;
use super::health::{Checks, Question};
use super::lease::TRIED_MAX;
use super::policy::{self, Entry};
use super::reload::Reload;
use super::upstreams::{Settings, Upstreams};
use crate::cli::parse_time;
use crate::listener::parse_address;

/// Where requests go, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Proxy")]
pub struct Options {
    /// A backend; name it again for more of them. A host name is resolved once
    #[arg(long, value_name = "HOST:PORT[,weight=N]")]
    pub backend: Vec<BackendSpec>,
    /// A file with a backend a line, `#` for comments; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub backends: Option<PathBuf>,
    /// Who gets the next request
    #[arg(long, value_name = "NAME", default_value = "round-robin", value_parser = policy::parse,
          long_help = format!("Who gets the next request:\n\n{}\n", policy::help()))]
    pub policy: &'static Entry,
    /// What a backend is chosen for
    #[arg(long, value_enum, default_value = "request")]
    pub affinity: Affinity,
    /// Where the policies' chances start from [default: from the system's randomness]
    #[arg(long, value_name = "N")]
    pub policy_seed: Option<u64>,
    /// How long a backend may take to accept a connection (then the next one is asked)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub connect_timeout: Duration,
    /// How long a backend may take for the whole head of its answer, an interim one not counted
    /// (then 504); and then between two pieces of the content
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub response_timeout: Duration,
    /// How often a request that may safely be sent again is tried on another backend; those that
    /// refuse are passed over and do not count, but after 8 backends nobody is asked any more
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u8).range(..TRIED_MAX as i64))]
    pub retries: u8,
    /// Idle connections that are kept to each backend: by each worker, or by all of them together
    /// in the models whose calls wait
    #[arg(long, value_name = "N", default_value = "64")]
    pub links_max: u16,
    /// How long an idle one is kept; it should be less than what backends allow
    ///
    /// How long an idle one is kept. Where the backend closes first, a request may meet the end and
    /// be lost, if it must not be sent twice. So it should be less than what backends allow: of
    /// common ones, Apache httpd and Node.js allow least, 5s.
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = parse_time)]
    pub link_idle: Duration,
    /// Take a backend out after so many failures in a row, of requests or of probes
    #[arg(long, value_name = "N", default_value = "3",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub fall: u32,
    /// Take it in again after so many good probes in a row
    #[arg(long, value_name = "N", default_value = "2", requires = "question",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub rise: u32,
    /// How long failed requests take a backend out for the first time; twice as long the next time
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub ejection: Duration,
    /// How long a backend that is new or back takes to its full share [default: it has it at once]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub slow_start: Option<Duration>,
    /// Ask each backend for this path (2xx is healthy) [default: do not ask]
    #[arg(long, value_name = "PATH", value_parser = parse_path, group = "question")]
    pub health_path: Option<String>,
    /// Try to connect to each backend (a connection is healthy), whatever it speaks
    /// [default: do not]
    #[arg(long, group = "question")]
    pub health_connect: bool,
    /// How often that is done
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_time,
          requires = "question")]
    pub health_interval: Duration,
    /// How long the answer, or the connection, may take
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time,
          requires = "question")]
    pub health_timeout: Duration,
    /// Serve /stats (JSON) and /metrics (Prometheus) there
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub admin: Option<SocketAddr>,
}

/// What a backend is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Affinity {
    /// For each request anew: stateless.
    Request,
    /// For a client's connection, with all its requests: stateful, sticky.
    Connection,
}

impl Options {
    /// Where the backends are named.
    #[must_use]
    pub fn reload(&self) -> Reload {
        Reload::new(self.backend.clone(), self.backends.clone())
    }

    /// The backends that are named now.
    ///
    /// # Errors
    /// When their file can't be read or makes no sense, when there is none, or one of them twice.
    pub fn upstreams(&self) -> anyhow::Result<Upstreams> {
        Ok(Upstreams::new(self.settings(), self.reload().read()?)?)
    }

    /// One of the flags that are given and mean something to a server that forwards only.
    pub(crate) fn any_given(&self) -> Option<&'static str> {
        let given = [
            ("--backend", !self.backend.is_empty()),
            ("--backends", self.backends.is_some()),
            ("--policy-seed", self.policy_seed.is_some()),
            ("--slow-start", self.slow_start.is_some()),
            ("--health-path", self.health_path.is_some()),
            ("--health-connect", self.health_connect),
            ("--admin", self.admin.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// How probes are made, if there are any.
    #[must_use]
    pub fn checks(&self) -> Option<Checks> {
        let question = match (&self.health_path, self.health_connect) {
            (Some(path), _) => Question::Get(path.clone()),
            (None, true) => Question::Connect,
            (None, false) => return None,
        };
        Some(Checks {
            question,
            interval: self.health_interval,
            timeout: self.health_timeout,
            thresholds: Thresholds { fall: self.fall, rise: self.rise },
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            policy: self.policy,
            seed: self.policy_seed.unwrap_or_else(any_seed),
            slow_start: self.slow_start.unwrap_or_default(),
            ejection: Ejection { fall: self.fall, first: self.ejection },
        }
    }
}

/// A seed from the system's randomness, which the standard library keys its maps with.
fn any_seed() -> u64 {
    RandomState::new().hash_one(())
}

/// A path that can stand in a request line as it is.
fn parse_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|octet| octet.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("a path begins with / and has no spaces and no letters beyond ASCII (write %XX)".into())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::proxy::site::Manners;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Result<Options, String> {
        let words = std::iter::once("proxy").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.options).map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_policy_is_answered_with_the_names() {
        let error = parse("--policy fewest").unwrap_err();
        for entry in policy::POLICIES {
            assert!(error.contains(entry.name), "{error}");
        }
    }

    #[test]
    fn what_can_t_work_is_refused_at_the_start() {
        for (line, word) in [
            ("--backend nowhere", "HOST:PORT"),
            ("--backend 127.0.0.1:1,weight=0", "weight=N"),
            ("--health-path heartbeat", "begins with /"),
            ("--fall 0", "fall"),
            ("--retries 9", "retries"),
            ("--health-connect --health-path /heartbeat", "--health-path"),
            ("--connect-timeout 0s", "connect-timeout"),
            ("--health-interval 1s", "--health-path"),
            ("--health-timeout 1s", "--health-connect"),
            ("--rise 3", "--health-path"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn each_flag_says_what_it_says_and_nothing_else() {
        let seconds = Duration::from_secs;
        let line = "--fall 4 --rise 5 --ejection 6s --slow-start 7s --health-path /well \
                    --health-interval 8s --health-timeout 9s --connect-timeout 10s \
                    --response-timeout 11s --link-idle 12s --links-max 13 --retries 3";
        let options = parse(line).unwrap();
        let Checks { question, interval, timeout, thresholds } = options.checks().unwrap();
        assert_eq!(question, Question::Get("/well".into()));
        assert_eq!((interval, timeout), (seconds(8), seconds(9)));
        assert_eq!((thresholds.fall, thresholds.rise), (4, 5));
        let Settings { slow_start, ejection, .. } = options.settings();
        assert_eq!((ejection.fall, ejection.first, slow_start), (4, seconds(6), seconds(7)));
        let manners = Manners::new(&options, seconds(14));
        let spans = [manners.connect, manners.reply, manners.link_idle, manners.write];
        assert_eq!(spans, [10, 11, 12, 14].map(seconds));
        assert_eq!((manners.links_max, manners.retries), (13, 3));
    }

    #[test]
    fn backends_come_from_the_line() {
        let line = "--backend 127.0.0.1:1,weight=3 --backend 127.0.0.1:2 --policy random";
        let upstreams = parse(line).unwrap().upstreams().unwrap();
        let weights =
            upstreams.snapshot().backends().iter().map(|b| b.weight()).collect::<Vec<_>>();
        assert_eq!(weights, [3, 1]);
        assert!(parse("").unwrap().upstreams().unwrap_err().to_string().contains("--backend"));
    }
}
