//! The words: numbers for people, tables, the report of a run.

pub mod markdown;
pub mod number;
mod open_loop;
pub mod page;
pub mod splice;
mod study;
pub mod table;
mod verdict;
