//! The log of what happened to whom: for people on standard error, for programs in a file.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Context;
use serde::Serialize;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Tag {
    /// A process was made for a new replica.
    Create,
    /// A new replica is in service.
    Spawn,
    /// A replica has been let go.
    Remove,
    /// A heartbeat was missed.
    Heartbeat,
    /// A replica is out of service.
    Flatline,
    /// Another process was made for it.
    Recreate,
    /// It is back in service.
    Respawn,
    /// Something did not work.
    Error,
}

impl Tag {
    const fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Spawn => "SPAWN",
            Self::Remove => "REMOVE",
            Self::Heartbeat => "HEARTBEAT",
            Self::Flatline => "FLATLINE",
            Self::Recreate => "RECREATE",
            Self::Respawn => "RESPAWN",
            Self::Error => "ERROR",
        }
    }

    /// As terminals number their colours (ECMA-48, SGR): good is green, bad is red.
    const fn colour(self) -> u8 {
        match self {
            Self::Create | Self::Recreate => 36,
            Self::Spawn | Self::Respawn => 32,
            Self::Remove => 33,
            Self::Heartbeat => 35,
            Self::Flatline | Self::Error => 31,
        }
    }
}

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct Event<'a> {
    pub(crate) tag: Tag,
    /// Who.
    pub(crate) replica: &'a str,
    /// Which of its processes, by number.
    pub(crate) server_id: u64,
    /// The pid of that, as long as it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
    /// What there is to say.
    pub(crate) words: String,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

/// Where events are written.
#[derive(Debug, Default)]
pub(crate) struct Log {
    shown: Option<Paint>,
    file: Option<Mutex<File>>,
}

/// How lines look on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// With a coloured tag.
    Coloured,
    /// As they are.
    Plain,
}

impl Paint {
    /// In colour on a terminal, unless the user does not want that (<https://no-color.org>).
    pub(crate) fn of_standard_error() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if wanted && io::stderr().is_terminal() { Self::Coloured } else { Self::Plain }
    }

    fn line(self, at: &str, event: &Event<'_>) -> String {
        let Event { tag, replica, words, .. } = event;
        let (word, colour) = (tag.word(), tag.colour());
        match self {
            Self::Plain => format!("{at} {word:<9} {replica}: {words}\n"),
            Self::Coloured => format!("{at} \x1b[{colour}m{word:<9}\x1b[0m {replica}: {words}\n"),
        }
    }
}

impl Log {
    /// # Errors
    /// When the file can't be made.
    pub(crate) fn new(shown: Option<Paint>, file: Option<&Path>) -> anyhow::Result<Self> {
        let make = |path: &Path| {
            let file = File::options().append(true).create(true).open(path);
            file.with_context(|| format!("cannot write events to {}", path.display()))
        };
        Ok(Self { shown, file: file.map(make).transpose()?.map(Mutex::new) })
    }

    /// Takes note. An event that nobody can be told of is no reason to stop.
    pub(crate) fn note(&self, event: &Event<'_>) {
        let at = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        if let Some(paint) = self.shown {
            // One write for a line, so that those of several threads do not mix.
            let _ = io::stderr().write_all(paint.line(&at, event).as_bytes());
        }
        if let Some(file) = &self.file
            && let Ok(mut line) = serde_json::to_vec(&Line { at, event })
        {
            line.push(b'\n');
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event<'static> {
        let words = "back in service".into();
        Event { tag: Tag::Respawn, replica: "Server-1", server_id: 4, pid: Some(99), words }
    }

    #[test]
    fn only_the_tag_is_coloured() {
        let plain = Paint::Plain.line("12:00", &event());
        assert_eq!(plain, "12:00 RESPAWN   Server-1: back in service\n");
        let coloured = Paint::Coloured.line("12:00", &event());
        assert_eq!(coloured, "12:00 \x1b[32mRESPAWN  \x1b[0m Server-1: back in service\n");
    }

    #[test]
    fn the_file_has_a_json_object_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        let log = Log::new(None, Some(&path)).unwrap();
        log.note(&event());
        log.note(&Event { replica: "Server-2", pid: None, words: "two\nlines".into(), ..event() });
        let text = std::fs::read_to_string(&path).unwrap();
        let lines =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let lines = lines.collect::<Vec<_>>();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["tag"], &lines[0]["pid"]), (&"RESPAWN".into(), &99.into()));
        assert_eq!(
            (&lines[1]["replica"], &lines[1]["words"]),
            (&"Server-2".into(), &"two\nlines".into())
        );
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let error = Log::new(None, Some(Path::new("/no/such/dir/events"))).unwrap_err();
        assert!(format!("{error:#}").contains("/no/such/dir/events"));
    }
}
