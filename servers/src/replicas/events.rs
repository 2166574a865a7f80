//! The log of what happened to whom: for people on standard error, for programs in a file.
//!
//! Who notes an event is on the way to start a replica again. So each of the two has a
//! [scribe](super::scribe), and one that nobody reads holds up neither the healing nor the other.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use serde::Serialize;

use super::scribe::{Gap, Scribe};

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
    outlets: Vec<(Form, Scribe)>,
}

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For people.
    Words(Paint),
    /// For programs.
    Json,
}

impl Form {
    fn line(self, event: &Event<'_>) -> Vec<u8> {
        let at = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        match self {
            Self::Words(paint) => paint.line(&at, event).into_bytes(),
            // There is nothing in it that JSON could not say.
            Self::Json => serde_json::to_vec(&Line { at, event })
                .map(|line| [&line, &b"\n"[..]].concat())
                .unwrap_or_default(),
        }
    }

    fn gap(self) -> Gap {
        Box::new(move |lost| {
            let words = format!("{lost} events are missing here: they could not be written");
            let (tag, replica, server_id, pid) = (Tag::Error, "events", 0, None);
            self.line(&Event { tag, replica, server_id, pid, words })
        })
    }
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
    /// When the file can't be made, or there is no thread left for it.
    pub(crate) fn new(shown: Option<Paint>, file: Option<&Path>) -> anyhow::Result<Self> {
        let mut log = Self::default();
        if let Some(paint) = shown {
            // Not the library's standard error: a write to that holds a lock as long as it lasts.
            let terminal = io::stderr().as_fd().try_clone_to_owned()?;
            log.add(Form::Words(paint), terminal.into())?;
        }
        if let Some(path) = file {
            let file = File::options().append(true).create(true).open(path);
            let file =
                file.with_context(|| format!("cannot write events to {}", path.display()))?;
            log.add(Form::Json, file)?;
        }
        Ok(log)
    }

    fn add(&mut self, form: Form, out: File) -> anyhow::Result<()> {
        let scribe = Scribe::new(out, form.gap()).context("no thread to write events")?;
        self.outlets.push((form, scribe));
        Ok(())
    }

    /// Takes note.
    pub(crate) fn note(&self, event: &Event<'_>) {
        for (form, scribe) in &self.outlets {
            scribe.write(form.line(event));
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
