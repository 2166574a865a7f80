//! What it costs to wait for packets: in the earliest hook, in AF_XDP, in a UDP socket.
