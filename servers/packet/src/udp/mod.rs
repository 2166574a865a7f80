//! The counterparts in user space: a UDP socket, read in each of the usual ways.

pub mod echo;
pub mod sink;
