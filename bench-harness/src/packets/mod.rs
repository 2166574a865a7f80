//! What it costs to wait for packets: in the earliest hook, in AF_XDP, in a UDP socket.
//!
//! ```text
//! stage (hosts of our own, by `servers packet bed`)
//!   ├─ receive    a way of receiving × a generator ──▶ rate ─┐
//!   ├─ send_back  a way of sending back ─────────────▶ trip ─┤
//!   ├─ filtered   statements about the filter ───────▶ check ┼─▶ findings ──▶ page, charts
//!   ├─ jobs       balancers of jobs ─────────────────▶ check ┤
//!   ├─ relay      ways of relaying TCP ────────▶ carried ────┤
//!   └─ stalled    the same, to one who does not read ────────┘
//! ```

pub mod carried;
pub mod check;
pub mod cpu;
pub mod filtered;
pub mod findings;
pub mod jobs;
pub mod page;
pub mod rate;
pub mod receive;
pub mod relay;
pub mod run;
pub mod send_back;
pub mod site;
pub mod stage;
pub mod stalled;
mod tables;
pub mod trip;
pub mod typical;
pub mod way;
