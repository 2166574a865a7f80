//! Functions of the kernel that a program can call, by number.
//!
//! They take `R1` to `R5`, give `R0`, and destroy `R1` to `R5`. Their numbers never change.
//! Source: bpf-helpers(7), and `enum bpf_func_id` in Linux `include/uapi/linux/bpf.h`.

/// A function of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Helper {
    /// `(map, key)` gives a pointer to the value, or 0.
    MapLookup = 1,
    /// `(map, key, value, flags)` gives 0 or a negative error number.
    MapUpdate = 2,
    /// `(map, key)` gives 0, to one caller only, or a negative error number.
    MapDelete = 3,
    /// `()` gives nanoseconds since the machine started, without the time it slept.
    KtimeNs = 5,
    /// `()` gives the number of this CPU.
    CpuId = 8,
    /// `(context)` gives the number by which the kernel knows the socket of this data.
    SocketCookie = 46,
    /// `(map, key, flags)` gives an XDP action; `flags` is the action if there is nothing at `key`.
    RedirectMap = 51,
    /// `(context, octets)` moves the end of the frame; all pointers into it have to be made again.
    XdpAdjustTail = 65,
    /// `(context, map, key, flags)` gives an action of an `sk_skb` program.
    SkRedirectHash = 72,
    /// `(map, value, flags)` puts a value at the end of a queue.
    MapPush = 87,
    /// `(map, value)` takes the value at the head of a queue.
    MapPop = 88,
    /// `(map, value)` copies the value at the head of a queue.
    MapPeek = 89,
    /// `(map, octets, 0)` gives room in a ring buffer, or 0.
    RingReserve = 131,
    /// `(room, flags)` shows the reader what was written.
    RingSubmit = 132,
    /// `(context)` gives the length of a frame.
    XdpLength = 188,
}

impl Helper {
    /// Its name in bpf-helpers(7).
    pub const fn name(self) -> &'static str {
        match self {
            Self::MapLookup => "bpf_map_lookup_elem",
            Self::MapUpdate => "bpf_map_update_elem",
            Self::MapDelete => "bpf_map_delete_elem",
            Self::KtimeNs => "bpf_ktime_get_ns",
            Self::CpuId => "bpf_get_smp_processor_id",
            Self::SocketCookie => "bpf_get_socket_cookie",
            Self::RedirectMap => "bpf_redirect_map",
            Self::XdpAdjustTail => "bpf_xdp_adjust_tail",
            Self::SkRedirectHash => "bpf_sk_redirect_hash",
            Self::MapPush => "bpf_map_push_elem",
            Self::MapPop => "bpf_map_pop_elem",
            Self::MapPeek => "bpf_map_peek_elem",
            Self::RingReserve => "bpf_ringbuf_reserve",
            Self::RingSubmit => "bpf_ringbuf_submit",
            Self::XdpLength => "bpf_xdp_get_buff_len",
        }
    }
}
