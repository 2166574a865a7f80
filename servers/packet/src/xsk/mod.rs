//! AF_XDP: packets in memory shared with the kernel, before the stack sees them.
//!
//! A program in XDP hands the frames that we want to a socket of the family AF_XDP (af_xdp.rst in
//! the kernel's documentation). The socket has memory for frames, the UMEM, and four rings that say
//! whose a frame is. No system call is needed for a frame, except to sleep, and to tell the kernel
//! to send.
//!
//! ```text
//!            ┌────────── fill: "here is room" ◀─────────┐
//!            ▼                                          │
//!   kernel ──┴──▶ rx: "a frame has come" ──▶ we read it ┤
//!      ▲                                                │ or send it back
//!      │         tx: "send this" ◀──────────────────────┤
//!      └───────▶ completion: "it is sent" ──────────────┘
//! ```
//!
//! | file | |
//! |---|---|
//! | [`ring`] | one ring: two counters and a table |
//! | [`umem`] | the memory for frames |
//! | [`socket`] | the socket: who owns which frame |
//! | [`tap`] | an interface whose frames come to a socket |
//! | [`answer`] | a datagram turned round, to be sent back |
//! | [`serve`] | the jobs of `sink` and `echo` |

pub mod answer;
pub mod ring;
pub mod serve;
pub mod socket;
pub mod tap;
pub mod umem;
