//! One server in thirteen I/O models that differ in how they wait for sockets, and in nothing else.
//!
//! | module         | what lives there                                                        |
//! |----------------|-------------------------------------------------------------------------|
//! | [`models`]     | one way of waiting a file, and the table [`models::MODELS`] of them all |
//! | [`drive`]      | how a session is driven: by blocking calls, readiness or completion     |
//! | [`apps`]       | what a server is for: echo, HTTP, a fixed reply, a proxy, a relay       |
//! | [`session`]    | what a driver drives: one socket or two, and the conversation over them |
//! | [`connection`] | the life of one connection, with no socket in it                        |
//! | [`worker`]     | what one worker has for itself while it serves                          |
//! | [`buffers`]    | buffers that are lent while octets are on their way; [`pipes`] as well  |
//! | [`keeper`]     | who keeps the time, hears the signals and shows the progress            |
//! | [`waker`]      | a way to interrupt a wait                                               |
//! | [`listener`]   | the one place where listening sockets get their options                 |
//! | [`worker`]     | what one worker has for itself while it serves                          |
//! | [`buffers`]    | buffers that are lent while octets are on their way                     |
//! | [`pipes`]      | pipes that are lent to relays in the same way                           |
//! | [`keeper`]     | who keeps the time and hears the signals                                |
//! | [`waker`]      | how a wait is interrupted                                               |
//! | [`copies`]     | several copies of a model, each in a descriptor table of its own        |
//! | [`tables`]     | how many tables, and for how many clients they have room                |
//! | [`threads`]    | for how many threads the process has mappings                           |
//! | [`control`]    | what all workers share: whether to go on, the time, the counters        |
//! | [`cost`]       | what one wait of each poller takes, by idle and active connections      |
//! | [`cli`]        | the command line                                                        |
//! | [`shape`]      | how large a server is, and how it says where it listens                 |
//! | [`listing`]    | `servers list`                                                          |
//! | [`progress`]   | `--progress`: what the server does, once a second                       |
//! | [`columns`]    | rows of text with the same columns: aligned, or as CSV                  |
//! | [`notice`]     | what is said on standard error, and that nobody may be there to read it |
//! | `shortage`     | whether a call has failed for want of something of ours                 |
//! | `accept_queue` | how many clients wait to be accepted                                    |
//! | [`stats`]      | counters: connections, answers, system calls, for each worker           |
//! | `dice`         | random numbers, the same ones for the same seed                         |
//! | [`placement`]  | which node a key belongs to: consistent hashing, one method a file      |
//! | [`proxy`]      | which backend a request goes to, and which are fit to be asked          |
//! | [`replicas`]   | a balancer that keeps its replicas alive                                |
//! | [`cli`]        | the command line; [`listing`], [`columns`], [`progress`]: what is shown |
//! | [`demonstrate`] | descriptors that an `fd_set` has no room for; what triggers tell whom   |
//!
//! The protocols themselves are in the crate `wire`, which knows no socket.

pub(crate) mod accept_queue;
pub mod apps;
pub mod buffers;
pub mod cli;
pub mod columns;
pub mod connection;
pub mod control;
pub mod copies;
pub mod cost;
pub mod demonstrate;
pub(crate) mod dice;
pub mod drive;
pub mod keeper;
pub mod listener;
pub mod listing;
pub mod models;
pub mod notice;
pub mod pipes;
pub mod placement;
pub mod progress;
pub mod proxy;
pub mod replicas;
pub mod session;
pub mod shape;
pub(crate) mod shortage;
pub mod stats;
pub mod tables;
pub mod threads;
pub mod waker;
pub mod worker;
