//! Which bucket a key belongs to: consistent hashing, one method a file.

pub mod command;
