//! Who works beside the workers of a proxy: probes, the admin server, and who reads the backends
//! again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;

use super::admin::Admin;
use super::health::Prober;
use super::options::Options;
use super::reload::Reload;
use super::upstreams::Upstreams;
use crate::stats::Stats;

/// Those whom the options ask for, until this is dropped.
#[derive(Debug)]
pub struct Attendants {
    upstreams: Arc<Upstreams>,
    reload: Arc<Reload>,
    admin: Option<Admin>,
    /// Dropping it ends the probes.
    _prober: Option<Prober>,
}

impl Attendants {
    /// Starts those whom the options ask for.
    ///
    /// # Errors
    /// When the admin address can't be listened on, or there is no thread or descriptor left.
    pub fn start(
        options: &Options,
        upstreams: &Arc<Upstreams>,
        stats: &Arc<Stats>,
    ) -> anyhow::Result<Self> {
        let admin = |address| Admin::start(address, Arc::clone(upstreams), Arc::clone(stats));
        let admin = options.admin.map(admin).transpose().context("no admin server")?;
        let probe = |checks| Prober::start(upstreams, checks);
        let prober = options.checks().map(probe).transpose().context("cannot probe backends")?;
        let reload = Arc::new(options.reload());
        Ok(Self { upstreams: Arc::clone(upstreams), reload, admin, _prober: prober })
    }

    /// Where the admin server listens, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::address)
    }

    /// Begins to read the backends again, as SIGHUP asks: see [`Reload::begin`].
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn reload(&self) -> io::Result<()> {
        self.reload.begin(&self.upstreams)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use clap::Parser;

    use super::*;
    use crate::proxy::backend::Health;
    use crate::proxy::moment::Moment;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn options(line: &str) -> Options {
        let words = std::iter::once("proxy").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().options
    }

    /// Waits until that holds; a minute is for the slowest of machines.
    fn until(holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(60));
            sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn they_are_there_when_they_are_asked_for_and_gone_when_dropped() {
        let host = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let host = host.local_addr().unwrap();
        let line = format!(
            "--backend {nobody} --backend {host} --admin 127.0.0.1:0 --health-connect \
             --health-interval 10ms"
        );
        let options = options(&line);
        let upstreams = Arc::new(options.upstreams().unwrap());
        let attendants = Attendants::start(&options, &upstreams, &Arc::default()).unwrap();
        let backend = Arc::clone(&upstreams.snapshot().backends()[0]);
        until(|| backend.health(Moment::now()) == Health::Down);
        let address = attendants.admin_address().unwrap();
        drop(attendants);
        assert!(TcpListener::bind(address).is_ok(), "the port is free again");
        assert_eq!(Arc::strong_count(&upstreams), 1);
    }

    #[test]
    fn none_of_them_is_there_unasked_and_the_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "127.0.0.1:1").unwrap();
        let options = options(&format!("--backends {}", file.path().display()));
        let upstreams = Arc::new(options.upstreams().unwrap());
        let attendants = Attendants::start(&options, &upstreams, &Arc::default()).unwrap();
        assert_eq!(attendants.admin_address(), None);
        fs::write(file.path(), "127.0.0.1:1\n127.0.0.1:2").unwrap();
        attendants.reload().unwrap();
        until(|| upstreams.snapshot().backends().len() == 2);
    }
}
