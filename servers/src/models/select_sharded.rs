//! Several threads with select(2), each in a descriptor table of its own.
//!
//! - The kernel is handed the same two sets of bits as in `select`, by each thread for its own
//!   clients.
//! - A wait costs two passes over one shard's descriptors, some hundred, not over all.
//! - What limits it is FD_SETSIZE once more, but in each shard anew: the limit is on the number of
//!   a descriptor, and where tables have parted (unshare(2), CLONE_FILES) numbers begin at 0 again.
//! - Watch what is *not* here: it is `select` to the letter. What is different is that it is there
//!   several times (see [`crate::copies`]).
//!
//! A client stays in the shard that the kernel's hash of its addresses chose, and is turned away
//! when that one is full, though another may have room.

use crate::models::{Model, select};

pub(super) const MODEL: Model = Model {
    name: "select-sharded",
    summary: "threads with select(2) that each have their own listener and descriptor table",
    tables: 8,
    ..select::MODEL
};
