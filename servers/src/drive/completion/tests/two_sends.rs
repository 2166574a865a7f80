//! A session that sends both ways at once, on a ring that fails one of the two: it is not closed
//! before the kernel has let go of the other one's octets.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};

use super::*;
use crate::connection::{Interest, Wait};
use crate::proxy::Upstreams;
use crate::proxy::lease::{Client, Tried};
use crate::proxy::link::{Progress, Waits};
use crate::session::{Ends, Wants};

const HELLO: &[u8] = b"hello";

/// Says one word to the client and to a backend, both at the same time.
struct Both {
    client: TcpStream,
    link: Option<Link>,
    done: Ends<bool>,
}

impl Session for Both {
    fn socket(&self, end: End) -> BorrowedFd<'_> {
        match &self.link {
            Some(link) if end == End::Upstream => link.as_fd(),
            _ => self.client.as_fd(),
        }
    }

    fn wants(&self) -> Wants {
        let unless = |done: bool| (!done).then_some(Interest::Write);
        Wants { client: unless(self.done.client), upstream: unless(self.done.upstream) }
    }

    fn spare<'s>(&'s mut self, _: End, _: &mut Worker<'_>) -> &'s mut [u8] {
        &mut []
    }

    fn received(
        &mut self,
        _: End,
        count: io::Result<usize>,
        _: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        count.map(|_| Flow::Dry)
    }

    fn output(&self, _: End) -> &[u8] {
        HELLO
    }

    fn sent(&mut self, end: End, count: io::Result<usize>, _: &mut Worker<'_>) -> io::Result<Flow> {
        *self.done.of(end) = count? == HELLO.len();
        Ok(Flow::More)
    }

    fn link(&mut self) -> Option<&mut Link> {
        self.link.as_mut()
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        self.link.take().into_iter().for_each(|link| worker.links.retire(link));
    }

    fn wait(&self) -> Wait {
        Wait::Room
    }

    fn deadline(&self, _: &Worker<'_>) -> Ticks {
        Ticks::NEVER
    }

    fn expire(&mut self, _: &mut Worker<'_>) {}

    fn close_soon(&mut self, _: &mut Worker<'_>) {}
}

struct BothWays(Upstreams);

impl App for BothWays {
    fn open(&self, client: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let somebody = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), id: None };
        let lease = self.0.lease(&somebody, &Tried::default()).unwrap();
        let waits = Waits { connect: LONG, read: LONG, write: LONG };
        let link = Link::open(lease.backend(), waits, worker).unwrap();
        while link.progress().unwrap() == Progress::Connecting {
            thread::yield_now();
        }
        Box::new(Both { client, link: Some(link), done: Ends::default() })
    }
}

#[test]
fn a_session_with_a_send_under_way_is_not_closed() {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = BothWays(upstreams(&backend.local_addr().unwrap().to_string()));
    thread::spawn(move || backend.incoming().for_each(drop));
    for errno in [Errno::EPIPE, Errno::ECONNRESET] {
        let ring = Faulty::new(Fault::Send(errno), Size::of_a_worker(OCTETS));
        let mut whole = 0;
        let totals = serve_app(&app, ring, |address| {
            for _ in 0..12 {
                let mut client = TcpStream::connect(address).unwrap();
                client.set_read_timeout(Some(LONG)).unwrap();
                let mut said = Vec::new();
                let end = client.read_to_end(&mut said).map_err(|error| error.kind());
                assert_ne!(end, Err(io::ErrorKind::WouldBlock), "nobody serves");
                whole += usize::from(said == HELLO);
            }
        });
        assert_eq!((totals.accepted, totals.closed), (12, 12), "{errno}");
        // Of three sessions one loses the client's octets and one the backend's.
        assert_eq!(whole, 8, "{errno}");
    }
}
