//! Files under a root that no path leads out of.
//!
//! The kernel sees to that: openat2(2) with RESOLVE_BENEATH refuses every path, and every symbolic
//! link on it, that would leave the directory it starts from. Nothing here has to understand `..`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::sendfile::sendfile;
use nix::sys::stat::Mode;
use percent_encoding::percent_decode_str;

/// The most that one call copies: enough to fill a socket's buffer, little enough to be fair.
const COPY_MAX: u64 = 256 * 1024;

/// The directory whose files are served.
#[derive(Debug)]
pub struct Root(OwnedFd);

/// A file on its way to a client.
#[derive(Debug)]
pub(super) struct Outgoing {
    file: File,
    offset: i64,
}

impl AsRawFd for Root {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Root {
    /// Opens the directory.
    ///
    /// # Errors
    /// When it is not there, not a directory, or the kernel is older than 5.6, which has no
    /// openat2.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_PATH | OFlag::O_CLOEXEC;
        let root = open(path, flags, Mode::empty())
            .with_context(|| format!("cannot serve files from {}", path.display()))?;
        let root = Self(root);
        let probe = root.beneath(".", OFlag::O_PATH);
        ensure!(
            !matches!(probe, Err(Errno::ENOSYS)),
            "--root needs openat2(2), which came with Linux 5.6: leave it out on this kernel"
        );
        Ok(root)
    }

    /// Opens the regular file that `path` names below the root, percent-encoded as in a request;
    /// also says how long it is. `None` when there is no such file, for whatever reason.
    pub(super) fn find(&self, path: &str) -> Option<(Outgoing, u64)> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        // A pipe or a device must not block us before we know what it is.
        let file = File::from(self.beneath(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK).ok()?);
        let facts = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((Outgoing { file, offset: 0 }, facts.len()))
    }

    fn beneath(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(&self.0, path, how)
    }
}

impl Outgoing {
    /// Copies the next octets into `socket` inside the kernel, at most `left`.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, left: u64) -> io::Result<u64> {
        let count = usize::try_from(left.min(COPY_MAX)).map_err(io::Error::other)?;
        match sendfile(socket, self.file.as_fd(), Some(&mut self.offset), count)? {
            // The length was promised in the head; nothing can be made up for what is missing.
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")),
            sent => Ok(sent as u64),
        }
    }
}

/// The media type that the name of a file suggests.
pub(super) fn media_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html",
        Some("txt" | "md" | "toml" | "csv" | "log") => "text/plain",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("pdf") => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("a file.txt"), "inside").unwrap();
        fs::write(directory.path().join("secret"), "outside").unwrap();
        symlink("../secret", root.join("up")).unwrap();
        symlink("/etc/passwd", root.join("absolute")).unwrap();
        symlink("a file.txt", root.join("same")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), Mode::S_IRWXU).unwrap();
        let root = Root::open(&root).unwrap();
        (directory, root)
    }

    #[test]
    fn finds_what_is_inside() {
        let (_directory, root) = tree();
        for path in ["a%20file.txt", "sub/../a%20file.txt", "same"] {
            assert_eq!(root.find(path).map(|(_, length)| length), Some(6), "{path}");
        }
    }

    #[test]
    fn finds_nothing_outside_and_nothing_but_files() {
        let (_directory, root) = tree();
        let outside =
            ["../secret", "%2e%2e/secret", "up", "absolute", "/etc/passwd", "sub/../../secret"];
        let others =
            ["", "sub", "pipe", "missing", "a%00b", "%ff", "..%5csecret", "%252e%252e/secret"];
        for path in outside.iter().chain(&others) {
            assert!(root.find(path).is_none(), "{path}");
        }
    }
}
