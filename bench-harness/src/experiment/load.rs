//! From a TOML file to an [`Experiment`]; each error names the file, the line and what is allowed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, de};

use super::condition::Condition;
use super::model::Model;
use super::{Experiment, Matrix};
use crate::fault::usage;

/// An experiment together with the file it stands in.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name: that of the file without its ending.
    pub name: String,
    /// Where the file is.
    pub path: PathBuf,
    /// The text, to be kept with the results.
    pub text: String,
    /// What it says.
    pub experiment: Experiment,
}

impl Source {
    /// Reads and checks an experiment file.
    ///
    /// # Errors
    /// A usage error in one sentence when the file can't be read or does not say what it has to.
    pub fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, text),
            Err(error) => usage(format!("{}: {error}", path.display())),
        }
    }

    /// Checks the text of an experiment file.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn parse(path: &Path, text: String) -> Result<Self> {
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
        match toml::from_str(&text) {
            Ok(experiment) => consistent(Self { name, path: path.to_owned(), text, experiment }),
            Err(error) => usage(sentence(path, &text, &error)),
        }
    }

    /// Checks that every model that the file names is on offer.
    ///
    /// # Errors
    /// A usage error that lists the models on offer.
    pub fn check_models(&self, offered: &[Model]) -> Result<()> {
        match self.named().find(|name| offered.iter().all(|model| model.name != *name)) {
            None => Ok(()),
            Some(name) => usage(format!(
                "{}, line {}: no model `{name}`; the models are {}",
                self.path.display(),
                self.line_of(name),
                names(offered),
            )),
        }
    }
}

impl Source {
    /// The line on which a name stands for the first time.
    pub(super) fn line_of(&self, name: &str) -> usize {
        line_of(&self.text, self.text.find(&format!("\"{name}\"")).unwrap_or(0))
    }

    /// All models that the file names.
    fn named(&self) -> impl Iterator<Item = &str> {
        let Experiment { matrix, also, skip, case, load, published, proxy, .. } = &self.experiment;
        let matrices = std::iter::once(matrix).chain(also);
        let conditions = skip.iter().map(|skip| &skip.condition).chain(case);
        let conditions = conditions.chain(load.fewer.iter().map(|fewer| &fewer.condition));
        let series = published.iter().flat_map(|published| &published.series);
        matrices
            .flat_map(|matrix| matrix.model.names())
            .map(String::as_str)
            .chain(conditions.flat_map(Condition::models))
            .chain(series.map(|series| series.model.as_str()))
            .chain(proxy.iter().map(|proxy| proxy.backend_model.as_str()))
    }
}

/// Refuses what contradicts itself.
fn consistent(source: Source) -> Result<Source> {
    let Experiment { matrix, load, .. } = &source.experiment;
    let place = source.path.display();
    if load.count.is_some() && !load.warm_up.is_zero() {
        return usage(format!(
            "{place}: a `count` of requests begins with the first; set `warm-up` to \"0s\""
        ));
    }
    if load.count.is_some() && (load.rate.is_some() || !matrix.rate.is_empty()) {
        return usage(format!("{place}: a `rate` needs a time, not a `count`; drop one of them"));
    }
    proxied(&source)?;
    match (matrix.rate.is_empty(), load.rate, &load.arrivals) {
        (false, Some(_), _) => {
            usage(format!("{place}: `rate` stands in [matrix] and in [load]; keep one of them"))
        }
        (true, None, Some(_)) => usage(format!(
            "{place}: `arrivals` are those of an open loop; add a `rate` to [load] or [matrix]"
        )),
        _ => Ok(source),
    }
}

/// A policy, and what stands behind a proxy, need a proxy.
fn proxied(source: &Source) -> Result<()> {
    let Experiment { matrix, also, proxy, .. } = &source.experiment;
    let mut matrices = std::iter::once(matrix).chain(also);
    let (place, proxies) = (source.path.display(), "an app that is one: \"proxy\" or \"relay\"");
    let stands = |matrix: &Matrix| matrix.app.iter().any(|app| app.is_proxy());
    if proxy.is_some() && !matrices.clone().any(stands) {
        return usage(format!("{place}: [proxy] needs {proxies}"));
    }
    match matrices.any(|matrix| !matrix.policy.is_empty() && !stands(matrix)) {
        true => usage(format!("{place}: a `policy` needs {proxies}")),
        false => Ok(()),
    }
}

/// The names of the models, for a message.
#[must_use]
pub fn names(models: &[Model]) -> String {
    models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Finds an experiment: a path to a TOML file, or a name within the folder of experiments.
///
/// # Errors
/// A usage error that lists the experiments there are.
pub fn find(folder: &Path, asked: &str) -> Result<Source> {
    if Path::new(asked).extension().is_some_and(|ending| ending == "toml") {
        return Source::read(Path::new(asked));
    }
    let path = folder.join(format!("{}.toml", asked.to_lowercase()));
    if path.is_file() {
        return Source::read(&path);
    }
    let known: Vec<_> = paths(folder)?
        .iter()
        .filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    usage(format!(
        "no experiment `{asked}` in {}; there are {}",
        folder.display(),
        known.join(", ")
    ))
}

/// The experiment files of a folder, in the order of their names.
///
/// # Errors
/// When the folder can't be read.
pub fn paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| {
        format!(
            "reading the experiments in {}; --experiments names another folder",
            folder.display()
        )
    })?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    Ok(paths)
}

/// A list with at least one value, for `#[serde(deserialize_with)]`.
pub(crate) fn filled<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    source: D,
) -> Result<Vec<T>, D::Error> {
    let values = Vec::deserialize(source)?;
    if values.is_empty() {
        Err(de::Error::custom("the list is empty; give at least one value"))
    } else {
        Ok(values)
    }
}

/// serde speaks of fields and variants; the reader of a TOML file knows keys and values.
fn sentence(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let message = error.message().trim().replace('\n', ", ");
    let message =
        message.replace("missing field", "missing key").replace("unknown field", "unknown key");
    let message = message
        .replace("unknown variant", "unknown value")
        .replace("expected one of", "allowed are");
    let key = key_at(text, start).map_or_else(String::new, |key| format!(", key `{key}`"));
    format!("{}, line {}{key}: {message}", path.display(), line_of(text, start))
}

/// The key or table head on the line that holds `offset`.
fn key_at(text: &str, offset: usize) -> Option<String> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?.trim();
    let key = line.split_once('=').map_or(line, |(key, _)| key).trim();
    (!key.is_empty() && !key.starts_with('#')).then(|| key.to_owned())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
