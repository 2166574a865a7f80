//! Jobs for servers with a pool of threads: the message, who asks, who works, who balances.

pub mod balancer;
pub mod client;
pub mod message;
pub mod server;
pub mod state;
