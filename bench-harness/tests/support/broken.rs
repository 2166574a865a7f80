//! Programs that fail at something.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A folder with `servers` and `loadgen` that do what those in `real` do, but for `servers` with
/// these words on its command line: it says why, and ends with status 7.
pub(crate) fn failing_at(words: &str, real: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let servers = folder.path().join("servers");
    let script = format!(
        "#!/bin/sh\ncase \"$* \" in *'{words} '*) echo 'no such luck' >&2; exit 7;; esac\n\
         exec '{}' \"$@\"\n",
        real.join("servers").display()
    );
    fs::write(&servers, script).unwrap();
    fs::set_permissions(&servers, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(real.join("loadgen"), folder.path().join("loadgen")).unwrap();
    folder
}
