//! How evenly each method of placing keys balances, and what moves when a node comes or goes:
//! `servers place`, beside counts that others have published, and those of requests to a balancer
//! at work, `servers balance`.
//!
//! ```text
//! measure ─┬▶ row ──┬── spread       how far counts are from even
//!          │        ├── moved        what a change moves, and what it need not
//!          └▶ live ─┤
//! published ────────┴── chi_square   whether they are what the exact shares say
//!                           │
//!                       findings ──▶ page, charts
//! ```
//!
//! The counts of a run are a sample. Beside them stands what is exact: the shares that come out
//! when every id is asked for once. So what chance has done can be told from what the method does.

pub mod analysis;
pub mod chi_square;
pub mod findings;
pub mod live;
pub mod measure;
pub mod moved;
pub mod page;
pub mod published;
pub mod row;
pub mod spread;
