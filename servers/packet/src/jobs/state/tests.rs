//! Each rule by itself; then every sequence of few events; then many jobs over a bad network.

use super::*;

mod network;
mod sequences;

const SECOND: Duration = Duration::from_secs(1);

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 4_000))
}

/// A state, and a clock that is moved by hand.
struct Desk {
    state: State,
    now: Duration,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        Self { state: State::new(limits), now: Duration::ZERO }
    }

    /// With servers 1, 2, … of so many threads.
    fn with_servers(capacities: &[u16]) -> Self {
        let mut desk = Self::new(Limits::default());
        for (number, capacity) in (1..).zip(capacities) {
            assert_eq!(desk.register(number, *capacity), Decision::Registered);
        }
        desk
    }

    fn hear(&mut self, from: u8, message: Message) -> Decision {
        self.state.hear(self.now, address(from), &message)
    }

    fn submit(&mut self, id: u64) -> Decision {
        self.hear(200, Message::submit(id, 7))
    }

    fn register(&mut self, number: u8, free: u16) -> Decision {
        self.hear(number, Message::register(free, 1))
    }

    fn done(&mut self, number: u8, id: u64) -> Decision {
        self.hear(number, Message::done(id, 1))
    }

    fn counts(&self) -> Counts {
        let counts = self.state.counts(self.now);
        assert!(counts.add_up(), "{counts:?}");
        counts
    }
}

/// That job `id` goes to a server, with the incarnation that it has here.
fn sent(number: u8, id: u64, more: More) -> Decision {
    Decision::Send { to: address(number), job: Message::job(id, 7, 1, more) }
}

#[test]
fn the_server_with_the_most_free_threads_gets_the_job_of_several_the_first() {
    let mut desk = Desk::with_servers(&[2, 3, 2]);
    let got = [1, 2, 3, 4, 5, 6, 7].map(|id| desk.submit(id));
    let to = [2, 1, 2, 3, 1, 2, 3];
    let expected: [_; 7] = std::array::from_fn(|at| sent(to[at], at as u64 + 1, More::None));
    assert_eq!(got, expected);
    assert_eq!(desk.submit(8), Decision::Queued);
}

#[test]
fn the_queue_takes_1024_jobs_and_rejects_the_newest() {
    let mut desk = Desk::with_servers(&[]);
    let taken = (0..1_024).filter(|id| desk.submit(*id) == Decision::Queued).count();
    let rejected = (1_024..1_100).filter(|id| desk.submit(*id) == Decision::Rejected).count();
    assert_eq!((taken, rejected), (1_024, 76));
    assert_eq!((desk.counts().rejected, desk.counts().waiting), (76, 1_024));
    // The oldest is still there.
    assert_eq!(desk.register(1, 1), sent(1, 0, More::Waiting));
}

#[test]
fn a_completion_brings_the_oldest_job() {
    let mut desk = Desk::with_servers(&[1]);
    assert_eq!(desk.submit(1), sent(1, 1, More::None));
    assert_eq!([desk.submit(2), desk.submit(3)], [Decision::Queued; 2]);
    assert_eq!(desk.done(1, 1), sent(1, 2, More::Waiting));
    assert_eq!(desk.done(1, 2), sent(1, 3, More::None));
    assert_eq!(desk.done(1, 3), Decision::Freed);
    assert_eq!(
        desk.counts(),
        Counts { submitted: 3, sent: 3, queued: 2, done: 3, registered: 1, ..Counts::default() }
    );
}

#[test]
fn each_word_of_a_new_server_brings_a_job_until_all_its_threads_have_one() {
    let mut desk = Desk::with_servers(&[]);
    for id in 1..=4 {
        desk.submit(id);
    }
    assert_eq!(desk.register(1, 3), sent(1, 1, More::Waiting));
    assert_eq!(desk.register(1, 2), sent(1, 2, More::Waiting));
    assert_eq!(desk.register(1, 1), sent(1, 3, More::Waiting));
    assert_eq!(desk.register(1, 0), Decision::Alive);
}

#[test]
fn a_new_job_does_not_overtake_those_that_wait() {
    let mut desk = Desk::with_servers(&[]);
    assert_eq!([desk.submit(1), desk.submit(2)], [Decision::Queued; 2]);
    assert_eq!(desk.register(1, 3), sent(1, 1, More::Waiting));
    assert_eq!(desk.submit(3), sent(1, 2, More::Waiting));
    assert_eq!(desk.counts().queued, 3);
}

#[test]
fn a_registration_said_again_gives_no_thread() {
    let mut desk = Desk::with_servers(&[1]);
    desk.submit(1);
    assert_eq!(desk.submit(2), Decision::Queued);
    assert_eq!([desk.register(1, 1), desk.register(1, 5)], [Decision::Alive; 2]);
    assert_eq!((desk.counts().registered, desk.state.servers()[0].free()), (1, 0));
}

#[test]
fn a_completion_said_again_gives_no_thread() {
    let mut desk = Desk::with_servers(&[2, 1]);
    desk.submit(1);
    assert_eq!(desk.done(1, 1), Decision::Freed);
    let stray = Decision::Ignored(Reason::Stray);
    assert_eq!(desk.done(1, 1), stray);
    desk.submit(2);
    // Of another server, of no server, and of another incarnation.
    assert_eq!([desk.done(2, 2), desk.done(9, 2)], [stray; 2]);
    assert_eq!(desk.hear(1, Message::done(2, 8)), stray);
    assert_eq!((desk.counts().stray, desk.counts().in_flight), (4, 1));
}

#[test]
fn a_job_said_again_is_taken_once() {
    let mut desk = Desk::with_servers(&[1]);
    desk.submit(1);
    desk.submit(2);
    let duplicate = Decision::Ignored(Reason::Duplicate);
    assert_eq!([desk.submit(1), desk.submit(2)], [duplicate; 2]);
    assert_eq!(desk.counts().duplicates, 2);
}

#[test]
fn a_silent_server_gets_no_job_and_what_it_has_is_lost() {
    let mut desk = Desk::with_servers(&[5, 1]);
    desk.submit(1);
    desk.now += 2 * SECOND;
    desk.register(2, 1);
    desk.now += SECOND;
    assert_eq!((desk.counts().lost, desk.counts().in_flight), (1, 0));
    assert_eq!(desk.submit(2), sent(2, 2, More::None));
    assert_eq!(desk.submit(3), Decision::Queued);
}

#[test]
fn a_server_that_was_only_silent_goes_on_where_it_was() {
    let mut desk = Desk::with_servers(&[2]);
    desk.submit(1);
    desk.now += 10 * SECOND;
    assert_eq!(desk.counts().lost, 1);
    assert_eq!(desk.done(1, 1), Decision::Freed);
    assert_eq!((desk.counts().lost, desk.counts().done), (0, 1));
    assert_eq!(desk.state.servers()[0].free(), 2);
}

#[test]
fn a_restarted_server_begins_anew_and_its_former_jobs_are_lost() {
    let mut desk = Desk::with_servers(&[1]);
    desk.submit(1);
    assert_eq!(desk.hear(1, Message::register(4, 2)), Decision::Registered);
    assert_eq!((desk.counts().lost, desk.state.servers()[0].free()), (1, 4));
    assert_eq!(desk.done(1, 1), Decision::Ignored(Reason::Stray));
    let next = Decision::Send { to: address(1), job: Message::job(2, 7, 2, More::None) };
    assert_eq!(desk.submit(2), next);
}

#[test]
fn the_place_of_a_living_server_is_not_given_away_that_of_a_dead_one_is() {
    let mut desk = Desk::new(Limits { servers: 1, ..Limits::default() });
    desk.register(1, 1);
    desk.submit(1);
    assert_eq!(desk.register(2, 1), Decision::Ignored(Reason::NoPlace));
    desk.now += 3 * SECOND;
    assert_eq!(desk.register(2, 1), Decision::Registered);
    assert_eq!((desk.counts().lost, desk.counts().no_place), (1, 1));
    assert_eq!(desk.submit(2), sent(2, 2, More::None));
}

#[test]
fn a_job_that_seems_not_to_have_arrived_is_sent_once_more() {
    let mut desk = Desk::with_servers(&[2]);
    desk.submit(1);
    assert_eq!(desk.register(1, 2), Decision::Alive, "it may still be on its way");
    desk.now += SECOND;
    assert_eq!(desk.register(1, 1), Decision::Alive, "the server has it");
    assert_eq!(desk.register(1, 2), sent(1, 1, More::None));
    assert_eq!(desk.register(1, 2), Decision::Alive, "the second one may be on its way");
    assert_eq!((desk.counts().repeated, desk.counts().sent), (1, 1));
}

#[test]
fn nonsense_is_counted_and_changes_nothing() {
    let mut desk = Desk::with_servers(&[1]);
    let nonsense = [Message::job(1, 1, 1, More::None), Message::register(9, 0)];
    for message in nonsense {
        assert_eq!(desk.hear(1, message), Decision::Ignored(Reason::Nonsense));
    }
    assert_eq!((desk.counts().nonsense, desk.state.servers()[0].capacity), (2, 1));
}
