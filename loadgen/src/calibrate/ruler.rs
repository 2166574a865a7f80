//! A server whose answers are known beforehand: the ruler that the load generator is held against.
//!
//! It sends back each message of 64 octets, when its [`Discipline`] says so. What it does on its
//! own account must stay out of the answer, so it is one thread that never sleeps: it asks the
//! kernel for requests without waiting and sends what is due, over and over, on a CPU of its own.
//! From the stamp of a request to its reply there are then exactly the nanoseconds that were
//! worked out, and at most one round of that loop, about a microsecond. Whether that came true is
//! in its [`Lateness`]: a ruler that was kept from its work is no ruler.
//!
//! On a host with a single CPU, spinning would take it away from the load generator. There the
//! server sleeps until a millisecond before the next reply is due. Then its own wake-up for each
//! request, some 10 to 100 µs, is part of the answer, and so of the error that is found.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::discipline::{Departures, Discipline};
use super::lateness::Lateness;
use crate::clock::Moment;
use crate::recorder::Times;

/// Octets of a request, and of its reply.
pub(crate) const MESSAGE: usize = 64;

/// The most connections that one round looks at.
const EVENTS: usize = 64;

/// Marks the listener among the connections.
const LISTENER: u64 = u64::MAX;

/// How long before a reply is due a server that sleeps is to be awake again.
const AWAKE_NS: u64 = 1_000_000;

/// Marks standard input among the connections.
const INPUT: u64 = u64::MAX - 1;

/// The longest sleep: as good as without end.
const ASLEEP_NS: u64 = 1_000_000_000;

/// What is done between two rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// Nothing at all.
    Spin,
    /// A sleep, unless a reply is due soon.
    Sleep,
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    epoll: Epoll,
    between: Between,
    /// By the number of their registration. Those that have ended leave a gap.
    connections: Vec<Option<Connection>>,
    departures: Departures,
    /// In the order of leaving, since that is the order of arrival.
    owed: VecDeque<Reply>,
    late: Times,
    last_look: Moment,
}

/// Whether a server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    /// Standard input has ended.
    End,
}

/// A client, and what is there of its next request.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    octets: [u8; MESSAGE],
    filled: usize,
}

#[derive(Debug)]
struct Reply {
    due: Moment,
    connection: usize,
    octets: [u8; MESSAGE],
}

impl Server {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn listen(discipline: Discipline, between: Between) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        let (connections, owed) = (Vec::new(), VecDeque::new());
        let (departures, late) = (Departures::new(discipline), Times::default());
        let last_look = Moment::now();
        Ok(Self { listener, epoll, between, connections, departures, owed, late, last_look })
    }

    /// Lets it end when the other end of standard input is closed. A file can't be waited for, and
    /// never ends it.
    pub(crate) fn end_with_input(&self) -> io::Result<()> {
        match self.epoll.add(io::stdin(), EpollEvent::new(EpollFlags::EPOLLRDHUP, INPUT)) {
            Err(Errno::EPERM) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until standard input ends, if that is to end it, and else for ever.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        while self.round()? == Then::GoOn {}
        Ok(())
    }

    /// How late it was.
    pub(crate) fn lateness(&self) -> Lateness {
        Lateness::of(&self.late)
    }

    /// Takes the requests that are there and sends the replies that are due.
    pub(crate) fn round(&mut self) -> io::Result<Then> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let look = Moment::now();
        let ready = match self.epoll.wait(&mut events, self.patience()) {
            Err(Errno::EINTR) => 0,
            outcome => outcome?,
        };
        for event in &events[..ready] {
            match event.data() {
                LISTENER => self.accept()?,
                INPUT => return Ok(Then::End),
                index => self.receive(index as usize),
            }
        }
        self.last_look = look;
        self.send();
        Ok(Then::GoOn)
    }

    fn patience(&self) -> EpollTimeout {
        if self.between == Between::Spin {
            return EpollTimeout::ZERO;
        }
        let next = self.owed.front().map(|reply| reply.due.nanos_since(Moment::now()));
        let until_awake = next.map_or(ASLEEP_NS, |until_due| until_due.saturating_sub(AWAKE_NS));
        EpollTimeout::from((until_awake.min(ASLEEP_NS) / 1_000_000) as u16)
    }

    fn accept(&mut self) -> io::Result<()> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if passes(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let index = self.connections.len();
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        self.connections.push(Some(Connection { stream, octets: [0; MESSAGE], filled: 0 }));
        Ok(())
    }

    fn receive(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else { return };
        match connection.read() {
            Ok(Some(octets)) => {
                let now = Moment::now();
                if self.between == Between::Spin {
                    self.late.record(now.nanos_since(self.last_look));
                }
                let due = self.departures.next(now.as_nanos());
                self.owed.push_back(Reply {
                    due: Moment::from_nanos(due),
                    connection: index,
                    octets,
                });
            }
            Ok(None) => {}
            Err(_) => self.connections[index] = None,
        }
    }

    /// Takes a reply that has to leave.
    fn due(&mut self) -> Option<Reply> {
        let (now, due) = (Moment::now(), self.owed.front()?.due);
        if now < due {
            return None;
        }
        self.late.record(now.nanos_since(due));
        self.owed.pop_front()
    }

    fn send(&mut self) {
        while let Some(reply) = self.due() {
            let place = &mut self.connections[reply.connection];
            let Some(connection) = place else { continue };
            // One reply fits into the send queue of a client that reads what it asked for; one that
            // doesn't read is let go.
            if !matches!(connection.stream.write(&reply.octets), Ok(MESSAGE)) {
                *place = None;
            }
        }
    }
}

impl Connection {
    /// Reads once; gives back the request if it is whole.
    fn read(&mut self) -> io::Result<Option<[u8; MESSAGE]>> {
        match self.stream.read(&mut self.octets[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.filled += count,
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error),
        }
        let whole = self.filled == MESSAGE;
        Ok(whole.then(|| {
            self.filled = 0;
            self.octets
        }))
    }
}

/// Whether there is just nothing to be had at the moment.
fn passes(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | Interrupted | WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::thread;

    use super::*;

    /// Lets `clients` talk to a server, which serves until they have ended.
    fn against<T>(discipline: &str, between: Between, clients: impl FnOnce(SocketAddr) -> T) -> T {
        let discipline = discipline.parse().expect("a discipline");
        let mut server = Server::listen(discipline, between).expect("a server");
        let address = server.address().expect("an address");
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    server.round().expect("a round");
                    thread::yield_now();
                }
            });
            // Also when a client panics, or the scope would wait for ever.
            let _end = OnDrop(over);
            clients(address)
        })
    }

    struct OnDrop<'a>(&'a AtomicBool);

    impl Drop for OnDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream
    }

    fn take(stream: &mut TcpStream) -> u8 {
        let mut octets = [0; MESSAGE];
        stream.read_exact(&mut octets).expect("a reply");
        assert!(octets.iter().all(|octet| *octet == octets[0]));
        octets[0]
    }

    fn ms_since(begun: Moment) -> u64 {
        Moment::now().nanos_since(begun) / 1_000_000
    }

    #[test]
    fn no_reply_leaves_before_its_time_and_none_waits_for_another() {
        against("fixed:100ms", Between::Spin, |address| {
            let mut clients: Vec<_> = (0..50).map(|_| connect(address)).collect();
            let begun = Moment::now();
            for (client, name) in clients.iter_mut().zip(0..) {
                client.write_all(&[name; MESSAGE]).expect("a request");
            }
            for (client, name) in clients.iter_mut().zip(0..) {
                assert_eq!(take(client), name);
                assert!(ms_since(begun) >= 100);
            }
            // One after the other they would take five seconds.
            assert!(ms_since(begun) < 4900, "{}", ms_since(begun));
        });
    }

    #[test]
    fn a_queue_serves_all_connections_together_in_order() {
        for between in [Between::Spin, Between::Sleep] {
            against("queue:10ms", between, |address| {
                let mut clients: Vec<_> = (0..8).map(|_| connect(address)).collect();
                let begun = Moment::now();
                for (client, name) in clients.iter_mut().zip(0..) {
                    client.write_all(&[name; MESSAGE]).expect("a request");
                }
                for (client, name) in clients.iter_mut().zip(0_u8..) {
                    assert_eq!(take(client), name);
                    // All eight came after `begun`, and each takes the server 10 ms.
                    assert!(name < 7 || ms_since(begun) >= 80);
                }
            });
        }
    }

    #[test]
    fn a_frozen_server_stands_still() {
        against("frozen:1ms:20ms:200ms:10s", Between::Spin, |address| {
            let mut client = connect(address);
            let before_first = Moment::now();
            client.write_all(&[1; MESSAGE]).expect("a request");
            take(&mut client);
            let after_first = Moment::now();
            while ms_since(after_first) < 20 {
                thread::yield_now();
            }
            client.write_all(&[2; MESSAGE]).expect("a request");
            assert_eq!(take(&mut client), 2);
            assert!(ms_since(before_first) >= 220, "{}", ms_since(before_first));
        });
    }

    #[test]
    fn a_request_in_pieces_is_answered_once_and_several_at_once_each() {
        against("queue:1ms", Between::Sleep, |address| {
            let mut client = connect(address);
            client.write_all(&[7; MESSAGE - 1]).expect("a part");
            client.write_all(&[7; 1]).expect("the rest");
            client.write_all(&[8; MESSAGE]).expect("a request");
            client.write_all(&[9; MESSAGE]).expect("a request");
            assert_eq!([take(&mut client), take(&mut client), take(&mut client)], [7, 8, 9]);
        });
    }

    #[test]
    fn lateness_is_counted() {
        let discipline = "fixed:1ms".parse().expect("a discipline");
        let mut server = Server::listen(discipline, Between::Spin).expect("a server");
        let past = Moment::from_nanos(Moment::now().as_nanos() - 5_000_000);
        server.owed.push_back(Reply { due: past, connection: 0, octets: [0; MESSAGE] });
        assert!(server.due().is_some() && server.due().is_none());
        let lateness = server.lateness();
        assert!(lateness.p50_ns >= 5_000_000 && lateness.max_ns >= 5_000_000, "{lateness:?}");
    }

    #[test]
    fn a_client_that_goes_away_ends_nothing() {
        against("fixed:20ms", Between::Spin, |address| {
            let mut gone = connect(address);
            gone.write_all(&[1; MESSAGE]).expect("a request");
            drop(gone);
            let mut client = connect(address);
            client.write_all(&[2; MESSAGE]).expect("a request");
            assert_eq!(take(&mut client), 2);
        });
    }
}
