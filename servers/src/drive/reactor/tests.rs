//! A client that is never satisfied gets its share of each round, and no more.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::turn::WRITES_MAX;
use super::*;
use crate::connection::{Flow, Wait};
use crate::control::{Control, Patience};
use crate::models::{Edge, Epoll, Level, Oneshot, Poll, Portable, Select, SelectWide};
use crate::session::Session;

/// An answer that never ends, to a client who always has room for more of it. It counts its writes.
struct Endless {
    client: TcpStream,
    writes: Arc<AtomicU32>,
}

impl Session for Endless {
    fn socket(&self, _: End) -> BorrowedFd<'_> {
        self.client.as_fd()
    }

    fn wants(&self) -> Wants {
        Wants { client: Some(Interest::Write), upstream: None }
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
        &[]
    }

    fn sent(&mut self, _: End, count: io::Result<usize>, _: &mut Worker<'_>) -> io::Result<Flow> {
        count.map(|_| Flow::More)
    }

    fn write(&mut self, _: End, _: &mut Worker<'_>) -> io::Result<Flow> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(Flow::More)
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

/// Answers so. Its sessions count together.
struct Endlessly(Arc<AtomicU32>);

impl App for Endlessly {
    fn open(&self, client: TcpStream, _: &mut Worker<'_>) -> Box<dyn Session> {
        Box::new(Endless { client, writes: Arc::clone(&self.0) })
    }
}

fn control() -> Control {
    let long = Duration::from_secs(30).into();
    let patience =
        Patience { head: long, body: long, idle: long, write: long, linger: long, drain: long };
    Control::new(patience, 4096)
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Gives a test a reactor, and the inbox that its clients come from.
fn with_reactor<P: Poller, T>(app: &dyn App, test: impl FnOnce(Reactor<'_, P>, &Inbox) -> T) -> T {
    let (control, keeper) = (control(), Keeper::of_a_copy().unwrap());
    let site = Site {
        app,
        control: &control,
        keeper: &keeper,
        workers: 1,
        threads_max: 0,
        stack_octets: 0,
    };
    let inbox = Inbox::new(&control).unwrap();
    test(Reactor::<P>::new(&site, Source::Inbox(&inbox)).unwrap(), &inbox)
}

/// How often it writes in each round, to a client who says something before each: that is an event,
/// though nothing is wanted of it.
fn writes_by_round<P: Poller>() -> Vec<u32> {
    let writes = Arc::<AtomicU32>::default();
    with_reactor(&Endlessly(Arc::clone(&writes)), |mut reactor: Reactor<'_, P>, inbox| {
        let (mut client, ours) = pair();
        inbox.put(ours);
        let mut round = || {
            client.write_all(b"more").unwrap();
            reactor.turn().unwrap();
            writes.swap(0, Ordering::Relaxed)
        };
        (0..10).map(|_| round()).collect()
    })
}

#[test]
fn whoever_makes_events_has_no_more_turns_than_others() {
    let share = vec![WRITES_MAX; 10];
    assert_eq!(writes_by_round::<Epoll<Level>>(), share, "epoll-level");
    assert_eq!(writes_by_round::<Epoll<Edge>>(), share, "epoll-edge");
    assert_eq!(writes_by_round::<Epoll<Oneshot>>(), share, "epoll-oneshot");
    assert_eq!(writes_by_round::<Poll>(), share, "poll");
    assert_eq!(writes_by_round::<Portable>(), share, "portable");
    assert_eq!(writes_by_round::<Select>(), share, "select");
    assert_eq!(writes_by_round::<SelectWide>(), share, "select-wide");
}

/// Whether there is still an event when a reactor that was woken has done what there was to do. It
/// may have been woken again by then: that is another matter.
fn wakes_itself<P: Poller>() -> bool {
    with_reactor(&Endlessly(Arc::default()), |mut reactor: Reactor<'_, P>, inbox| {
        inbox.waker().wake();
        reactor.turn().unwrap();
        let mut events = Vec::new();
        reactor.poller.wait(&mut events, Block::No).unwrap();
        events.iter().any(|event| event.token == WAKER && !event.ready.read)
    })
}

#[test]
fn whoever_is_woken_once_is_not_woken_twice() {
    assert!(!wakes_itself::<Epoll<Level>>(), "epoll-level");
    assert!(!wakes_itself::<Epoll<Edge>>(), "epoll-edge");
    assert!(!wakes_itself::<Epoll<Oneshot>>(), "epoll-oneshot");
    assert!(!wakes_itself::<Poll>(), "poll");
    assert!(!wakes_itself::<Portable>(), "portable");
    assert!(!wakes_itself::<Select>(), "select");
    assert!(!wakes_itself::<SelectWide>(), "select-wide");
}
