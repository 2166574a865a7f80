//! What it costs to wait for packets: in the earliest hook, in AF_XDP, in a UDP socket.

pub mod check;
pub mod cpu;
pub mod rate;
pub mod stage;
pub mod trip;
pub mod typical;
