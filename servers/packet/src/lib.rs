//! Before the socket: what can be done with a packet in the kernel's earliest hook, in AF_XDP, and in
//! a UDP socket.

pub mod command;
