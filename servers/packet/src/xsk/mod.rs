//! AF_XDP: packets in memory shared with the kernel, before the stack sees them.
