//! Once they run, neither machine asks for memory: what is measured is waiting, not malloc(3).

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use wire::http1::{Answer, Client, Limits, Request, RequestMethod, Server, Service, StatusCode};
use wire::{Buffer, Protocol};

thread_local! {
    /// Requests for memory by this thread; other tests run in others.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything on to the system's allocator, unchanged. The counter is a constant-
// initialised thread local without a destructor, so counting never allocates itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Greeting;

impl Service for Greeting {
    fn answer(&mut self, _: &Request<'_>) -> Answer {
        Answer::text(StatusCode::OK, "Hello, world!\n")
    }
}

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations_of(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn neither_machine_allocates_between_start_and_end() {
    let mut server = Server::new(Greeting, Limits::default());
    let mut client = Client::new(Limits::default());
    let (mut requests, mut replies) = (Buffer::new(1024), Buffer::new(4096));
    let allocations = allocations_of(|| {
        for _ in 0..1000 {
            for _ in 0..8 {
                requests.push(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n");
                client.sent(RequestMethod::Other);
            }
            server.advance(&mut requests, &mut replies);
            while let Ok(Some(_)) = client.advance(&mut replies, &mut |_| ()) {}
        }
    });
    assert_eq!((server.answered(), client.outstanding()), (8000, 0));
    assert_eq!(allocations, 0);
}
