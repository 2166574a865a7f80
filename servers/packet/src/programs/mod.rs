//! The programs themselves, one a file: what each does, and the code that does it.

pub mod balance;
mod checksum;
pub mod discard;
pub mod echo;
pub mod filter;
mod frame;
pub mod pass;
pub mod redirect;
pub mod verdict;
