//! A balancer that keeps its replicas alive: processes of this program, started, watched, replaced.
//!
//! ```text
//!   clients ──▶ front ── registered paths ──▶ replicas ◀── starts, watches, stops ── crew
//!                │ └──── whose turn is it? ──▶ lineup, view ◀── who serves now? ───────┘ ▲
//!                └────── everything else ────▶ admin ──────── more, fewer ───────────────┘
//! ```
//!
//! | module         | what lives there                                                          |
//! |----------------|---------------------------------------------------------------------------|
//! | [`command`]    | `servers balance`: the flags, and how the parts are put together          |
//! | [`control`]    | `servers control`: a client of the admin API                              |
//! | `admin`        | the API over HTTP: `/rep`, `/add`, `/rm`, and an error for anything else  |
//! | `wish`         | what a client asks of the API, checked as a whole before anything changes |
//! | `front`        | what clients talk to: a proxy that sends them to replicas, or to the API  |
//! | `lineup`       | the replicas in service, as the proxy knows them, and its policy          |
//! | `crew`         | all replicas: takes some in, lets some go, one change at a time           |
//! | `attendant`    | one replica: the thread that starts it, watches it and starts it again    |
//! | `membership`   | which replicas there are, and whose turn it is for a request              |
//! | [`key`]        | the id of a request, which decides whose turn it is                       |
//! | `seat`         | the place of one replica, on the ring and in the process table at once    |
//! | `record`       | what has happened to it                                                   |
//! | `figures`      | these records and the traffic, for operators: JSON and Prometheus         |
//! | `process`      | a child process that ends with us                                         |
//! | `leash`        | how an attendant waits, and is told to stop                               |
//! | `pulse`        | how long a replica was well, by its heartbeats                            |
//! | `end`          | why a process is given up                                                 |
//! | `restarts`     | when to start again one that has ended                                    |
//! | `turns`        | so many starts and stops at a time                                        |
//! | `exchange`     | one HTTP exchange from start to end, with a deadline for the whole of it  |
//! | `events`       | the log of what happened to whom                                          |
//! | `scribe`       | who writes lines down, so that nobody waits for whoever reads them        |
//! | `name`         | what replicas are called                                                  |
//!
//! Invariants:
//!
//! - **The ring and the process table cannot disagree**: both hold the same seats. A replica that
//!   has none is stopped; one that has a seat is started until it serves.
//! - **Nobody waits for a change.** Whoever chooses a replica takes the view as it is; a change
//!   makes another view, and puts it in place when all replicas in it have answered a heartbeat.
//! - **A seat keeps its place.** While a replica is out of service its seat is passed over, and the
//!   keys of all others stay where they are.
//! - **Only the attendant of a replica says that it serves**, and it says so of a process that it
//!   has just heard from. A late heartbeat brings nobody back.

mod admin;
mod attendant;
pub mod command;
pub mod control;
mod crew;
mod end;
mod events;
mod exchange;
mod figures;
mod front;
pub mod key;
mod leash;
mod lineup;
mod membership;
mod name;
mod process;
mod pulse;
mod record;
mod restarts;
mod scribe;
mod seat;
mod turns;
mod wish;
