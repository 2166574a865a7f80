//! The programs themselves, one a file.
