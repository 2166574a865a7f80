//! Before the socket: what can be done with a packet in the kernel's earliest hook, in AF_XDP, and
//! in a UDP socket.

pub mod asm;
mod attach;
pub mod balance;
pub mod bed;
pub mod bpf;
pub mod command;
pub mod filter;
pub mod frame;
pub mod generate;
pub mod jobs;
pub mod listing;
mod mapping;
pub mod programs;
pub mod stop;
pub mod udp;
pub mod xsk;
