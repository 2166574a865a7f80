//! What `FORMAT.md` explains, held against the head of a table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The columns in the head of a table that `FORMAT.md` does not name under the table's heading.
pub(crate) fn unexplained(table: &Path) -> Vec<String> {
    let name = table.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(table).unwrap();
    let columns = text.lines().next().unwrap_or_default().split(',');
    missing(name, columns.map(str::to_owned))
}

/// Those of these columns of a table that `FORMAT.md` does not name under the table's heading.
pub(crate) fn missing(table: &str, columns: impl Iterator<Item = String>) -> Vec<String> {
    let named = named(table);
    columns.filter(|column| !named.contains(column)).collect()
}

/// What stands between backticks in the first cell of each row under the heading of a table.
fn named(table: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap();
    let below = page.lines().skip_while(|line| !is_heading_of(line, table)).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let cells = section.filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    cells.flat_map(|(cell, _)| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// A table of one client count has that in its name, the heading a word in its place.
fn is_heading_of(line: &str, table: &str) -> bool {
    let Some(heading) = line.strip_prefix('#') else { return false };
    let heading = heading.trim_start_matches('#').trim();
    let sessions = "client data - ";
    heading == table || table.starts_with(sessions) && heading.contains(sessions)
}
