//! The backends that the command line names, and those of a file that may change.
//!
//! ```text
//!   # one a line; a weight, if it is not 1
//!   10.0.0.1:8080
//!   [2001:db8::2]:8080,weight=3      # twice what the new host gets
//! ```
//!
//! The file is read as a whole or not at all: a line that makes no sense, a backend that is there
//! twice, or no backend, and what there was before stays.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use super::backend::BackendSpec;
use super::upstreams::Upstreams;
use crate::notice;

/// Where backends are named. It can be read again at any time.
#[derive(Debug)]
pub struct Reload {
    named: Vec<BackendSpec>,
    file: Option<PathBuf>,
    /// One at a time reads and replaces: or the older of two readings might come last.
    turn: Mutex<()>,
    /// Whether somebody waits for his turn. He will read what there is by then, so nobody else need
    /// wait for the same.
    awaited: AtomicBool,
}

/// What is wrong with a file of backends.
#[derive(Debug)]
pub enum Misread {
    /// It can't be read.
    Unread(PathBuf, io::Error),
    /// This line of it, from this column on (both from 1), makes no sense.
    Nonsense {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
        /// What is wrong there.
        words: String,
    },
}

impl Reload {
    /// Those `named` on the command line, and after them those in the `file`.
    #[must_use]
    pub const fn new(named: Vec<BackendSpec>, file: Option<PathBuf>) -> Self {
        Self { named, file, turn: Mutex::new(()), awaited: AtomicBool::new(false) }
    }

    /// Puts the backends that are named now in place of those there are, and says on standard error
    /// what came of it. This is what SIGHUP asks for.
    ///
    /// It is done in a thread of its own: the name of a host may take seconds to resolve, and the
    /// table of a policy a while to fill. Requests go on meanwhile. However often this is asked for
    /// by then, there is one thread more at most, which reads what there is at last.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn begin(self: &Arc<Self>, upstreams: &Arc<Upstreams>) -> io::Result<()> {
        if self.awaited.swap(true, AcqRel) {
            return Ok(());
        }
        let (reload, upstreams) = (Arc::clone(self), Arc::clone(upstreams));
        let work = move || match reload.apply(&upstreams) {
            Ok(count) => notice::write(format_args!("{count} backends from now on")),
            Err(error) => notice::write(format_args!("the backends stay as they were: {error:#}")),
        };
        let begun = Builder::new().name("reload".into()).spawn(work).map(drop);
        begun.inspect_err(|_| self.awaited.store(false, Release))
    }

    /// Puts the backends that are named now in place of those there are; says how many they are.
    ///
    /// # Errors
    /// When they can't be read, or can't be used. Then nothing changes.
    pub fn apply(&self, upstreams: &Upstreams) -> anyhow::Result<usize> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.awaited.store(false, Release);
        let specs = self.read()?;
        let count = specs.len();
        upstreams.replace(specs)?;
        Ok(count)
    }

    /// All backends, as they are named now. Names of hosts are resolved again if the file has them.
    ///
    /// # Errors
    /// When the file can't be read, or a line of it makes no sense.
    pub fn read(&self) -> Result<Vec<BackendSpec>, Misread> {
        let mut all = self.named.clone();
        if let Some(file) = &self.file {
            let text =
                fs::read_to_string(file).map_err(|error| Misread::Unread(file.clone(), error))?;
            add_lines(&mut all, &text, file)?;
        }
        Ok(all)
    }
}

/// Adds the backends in the lines of `text`.
fn add_lines(all: &mut Vec<BackendSpec>, text: &str, file: &Path) -> Result<(), Misread> {
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split('#').next().unwrap_or_default();
        let word = code.trim();
        if word.is_empty() {
            continue;
        }
        let indent = code.chars().take_while(|character| character.is_whitespace()).count();
        let nonsense = |words| {
            let file = file.to_owned();
            Misread::Nonsense { file, line: number, column: indent + 1, words }
        };
        let spec = word.parse::<BackendSpec>().map_err(nonsense)?;
        if all.iter().any(|other| other.address == spec.address) {
            return Err(nonsense(format!(
                "{} is there twice: a weight says the same",
                spec.address
            )));
        }
        all.push(spec);
    }
    Ok(())
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(file, _) => {
                let file = file.display();
                write!(
                    f,
                    "--backends {file}: no file that can be read (--backend names one itself)"
                )
            }
            Self::Nonsense { file, line, column, words } => {
                write!(f, "{}:{line}:{column}: {words}", file.display())
            }
        }
    }
}

impl std::error::Error for Misread {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unread(_, error) => Some(error),
            Self::Nonsense { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::policy::bed::Bed;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("backends");
        fs::write(&file, text).unwrap();
        let named = vec!["127.0.0.1:1".parse().unwrap()];
        let specs = Reload::new(named, Some(file.clone())).read();
        let specs = specs.map(|specs| specs.iter().map(ToString::to_string).collect());
        specs.map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
    }

    #[test]
    fn the_file_adds_to_the_command_line() {
        let text = "# ours\n\n127.0.0.1:2\r\n\t[::1]:3,weight=4  # heavy\n";
        let all = ["127.0.0.1:1,weight=1", "127.0.0.1:2,weight=1", "[::1]:3,weight=4"];
        assert_eq!(read(text), Ok(all.map(String::from).to_vec()));
    }

    #[test]
    fn one_bad_line_refuses_the_file_and_says_where_it_is() {
        for (text, place) in [
            ("127.0.0.1:2\n\n  127.0.0.1\n", "FILE:3:3: "),
            ("127.0.0.1:2 weight=3\n", "FILE:1:1: "),
            ("127.0.0.1:2,weight=0\n", "FILE:1:1: `weight=0`"),
            ("127.0.0.1:2\n127.0.0.1:2,weight=3\n", "FILE:2:1: 127.0.0.1:2 is there twice"),
            (" 127.0.0.1:1\n", "FILE:1:2: 127.0.0.1:1 is there twice"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(place), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_good_file_takes_effect_and_a_bad_one_changes_nothing() {
        let bed = Bed::new("maglev", &[1]);
        let file = tempfile::NamedTempFile::new().unwrap();
        let reload = Reload::new(Vec::new(), Some(file.path().into()));
        let ports = |text: &str| {
            fs::write(file.path(), text).unwrap();
            let applied = reload.apply(&bed.upstreams);
            let set = bed.upstreams.snapshot();
            let ports = set.backends().iter().map(|backend| backend.address.port());
            (applied.is_ok(), ports.collect::<Vec<_>>())
        };
        assert_eq!(ports("127.0.0.1:1\n127.0.0.1:2\n"), (true, vec![1, 2]));
        for bad in ["127.0.0.1:3\n127.0.0.1:x\n", "127.0.0.1:3\n127.0.0.1:3\n", "# none\n"] {
            assert_eq!(ports(bad), (false, vec![1, 2]), "{bad}");
        }
        assert_eq!(ports("127.0.0.1:3\n"), (true, vec![3]));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Reload::new(Vec::new(), Some("/no/such/file".into())).read().unwrap_err();
        assert!(error.to_string().starts_with("--backends /no/such/file: "), "{error}");
    }
}
