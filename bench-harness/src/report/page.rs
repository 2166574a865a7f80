//! Parts that the pages of all kinds of run have.

use std::fmt::Write;
use std::path::Path;

use crate::folder::file;
use crate::kept::Kept;
use crate::manifest::{Beginning, Build, Manifest, Place, Status};
use crate::plot::Drawn;
use crate::probe::host::Host;

/// Sentences as a list; where there are none, what is to be said instead.
#[must_use]
pub fn list(sentences: impl IntoIterator<Item = String>, otherwise: &str) -> String {
    let lines: String = sentences.into_iter().map(|sentence| format!("* {sentence}\n")).collect();
    if lines.is_empty() { format!("{otherwise}\n\n") } else { lines + "\n" }
}

/// Figures, with what they say; `folder` is where they lie, seen from the page.
#[must_use]
pub fn charts(figures: &[Drawn], folder: &Path) -> String {
    let mut text = String::new();
    for figure in figures {
        let name = figure.path.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(text, "![{}]({}/{name})\n", figure.finding, folder.display());
    }
    text
}

/// The answer in short, for another page: findings and the first two figures.
#[must_use]
pub fn answer(run: &dyn Kept, figures: &[Drawn], page: &Path) -> String {
    let from = page.parent().unwrap_or_else(|| Path::new(""));
    let path = run.folder().path();
    let folder = path.strip_prefix(from).unwrap_or(path);
    let mut text = String::new();
    for figure in figures {
        let _ = writeln!(text, "* {}", figure.finding);
    }
    text += "## Charts\n\n";
    text += &charts(figures.get(..2).unwrap_or(figures), &folder.join(file::PLOTS));
    let (host, folder) = (run.host().line(), folder.display());
    let _ = writeln!(text, "{host}; [the whole run]({folder}/{}).", file::REPORT);
    text
}

/// A warning where the run did not get to its end.
#[must_use]
pub fn cut_short(beginning: &Beginning) -> &'static str {
    match beginning.status {
        Status::Complete => "",
        Status::Partial => "**This run was cut short: not everything was measured.**\n\n",
    }
}

/// Whether the host was the run's own; `disturbed` is what was not.
#[must_use]
pub fn quiet(disturbed: &[String]) -> String {
    match disturbed {
        [] => "No other program used a notable part of the CPUs.".into(),
        all => format!("**Disturbed**: other programs used CPUs ({}).", all.join("; ")),
    }
}

/// Where and when a run was made, out of its manifest.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    host: &'a Host,
    build: &'a Build,
    started: &'a str,
    command: &'a [String],
}

impl<'a> Circumstances<'a> {
    /// Of a run without trials.
    #[must_use]
    pub fn of(beginning: &'a Beginning, place: &'a Place) -> Self {
        let Beginning { started, command, .. } = beginning;
        Self { host: &place.host, build: &place.build, started, command }
    }

    /// The section; `roles` says what ran on which CPUs, and `more` what else there is to know.
    #[must_use]
    pub fn section(&self, roles: &str, more: &str) -> String {
        let Self { host, build, started, command } = self;
        format!(
            "## Where and when\n\n{}; {roles}. {started}; {}, revision {} (changed: {}). \
             {more}\n\n```\n{}\n```\n",
            host.line(),
            build.servers,
            build.revision,
            build.dirty,
            command.join(" ")
        )
    }
}

impl<'a> From<&'a Manifest> for Circumstances<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        let Manifest { host, build, started, command, .. } = manifest;
        Self { host, build, started, command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_nothing_says_so() {
        assert_eq!(list(["a".into(), "b".into()], "None."), "* a\n* b\n\n");
        assert_eq!(list([], "None."), "None.\n\n");
    }

    #[test]
    fn figures_lie_in_a_folder_beside_the_page() {
        let path = "/somewhere/plots/a.svg".into();
        let figures = [Drawn { path, finding: "A is so".into() }];
        assert_eq!(charts(&figures, Path::new("plots")), "![A is so](plots/a.svg)\n\n");
    }
}
