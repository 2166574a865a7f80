//! `servers place`: where the keys go, how evenly, and which move when a node comes or goes.

use std::io::Write;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::study::{Study, costs, moves, shares, slots, successors};
use super::{METHODS, Method, Probing, Shape, method};
use crate::cli::Format;
use crate::columns;

/// What to place, and by which methods.
#[derive(Debug, Args)]
pub struct Place {
    /// Show the methods, one a line, and do nothing else
    #[arg(long)]
    pub list: bool,
    /// What to find out
    #[arg(long, value_enum, default_value = "shares")]
    pub show: Show,
    /// Only these methods [default: all that --list shows; for slots those that have any]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = parse_method)]
    pub methods: Vec<&'static Method>,
    /// Names to show the successors of, as paths are names to `servers balance --key path`
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "/home")]
    pub of: Vec<String>,
    /// Numbers of nodes
    #[arg(long, value_name = "N|N..M,…", value_delimiter = ',', default_value = "2..6",
          value_parser = parse_nodes)]
    pub nodes: Vec<RangeInclusive<u32>>,
    /// Keys to place, drawn evenly from the numbers of six digits
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub keys: u32,
    /// Where the keys come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Slots of the rings that have some
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub slots: u32,
    /// Copies of each node on these rings
    #[arg(long, value_name = "N", default_value_t = 9,
          value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub copies: u32,
    /// Where a copy goes on these rings when its slot is taken
    #[arg(long, value_enum, default_value = "linear")]
    pub probing: Probing,
    /// Buckets of anchor: the most nodes that it can have
    #[arg(long, value_name = "N", default_value_t = 128,
          value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub most: u32,
    /// How long to time the look-ups of one method among so many nodes
    #[arg(long, value_name = "TIME", default_value = "100ms",
          value_parser = humantime::parse_duration)]
    pub budget: Duration,
    /// For people, for spreadsheets, for programs
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// What to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// How many keys each node gets, and how many it would get if all ids were asked for once
    Shares,
    /// Which keys move when a node comes or goes, and which of them need not
    Moves,
    /// What a look-up, a set-up and the memory cost
    Costs,
    /// What is in each slot of a ring, how many ids meet it, and who answers them
    Slots,
    /// Who has each name of --of, and who takes over from whom
    Successors,
}

/// Places keys and writes what came out.
///
/// # Errors
/// When a method has no room for so many nodes, or no slots to show, and when `out` takes no more.
pub fn run(options: &Place, out: &mut impl Write) -> anyhow::Result<()> {
    if options.list {
        return Ok(METHODS.iter().try_for_each(|method| writeln!(out, "{}", method.name))?);
    }
    let study = options.study();
    match options.show {
        Show::Shares => put(&shares::rows(&study)?, &shares::HEAD, options.format, out),
        Show::Moves => put(&moves::rows(&study)?, &moves::HEAD, options.format, out),
        Show::Costs => {
            put(&costs::rows(&study, options.budget)?, &costs::HEAD, options.format, out)
        }
        Show::Slots => put(&slots::rows(&study)?, &slots::HEAD, options.format, out),
        Show::Successors => {
            put(&successors::rows(&study, &options.of)?, &successors::HEAD, options.format, out)
        }
    }
}

impl Place {
    fn study(&self) -> Study {
        let shape = Shape {
            slots: self.slots as usize,
            copies: self.copies as usize,
            probing: self.probing,
            most: self.most as usize,
        };
        Study {
            methods: if self.methods.is_empty() { self.all(&shape) } else { self.methods.clone() },
            nodes: self.nodes.iter().cloned().flatten().collect(),
            keys: self.keys,
            seed: self.seed,
            shape,
        }
    }

    fn all(&self, shape: &Shape) -> Vec<&'static Method> {
        let wanted =
            |method: &&Method| self.show != Show::Slots || (method.new)(shape).slots().is_some();
        METHODS.iter().filter(wanted).collect()
    }
}

/// Writes rows under a head of their fields' names.
fn put<const N: usize>(
    rows: &[impl Serialize],
    head: &[&str; N],
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, rows)?;
            Ok(writeln!(out)?)
        }
        Format::Csv => columns::csv(out, &lines(rows, head)?),
        Format::Table => Ok(columns::table(out, &lines(rows, head)?)?),
    }
}

fn lines<const N: usize>(
    rows: &[impl Serialize],
    head: &[&str; N],
) -> anyhow::Result<Vec<[String; N]>> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    rows.iter().try_for_each(|row| csv.serialize(row))?;
    let octets = csv.into_inner().map_err(|error| error.into_error())?;
    let mut lines = vec![head.map(String::from)];
    for record in csv::ReaderBuilder::new().has_headers(false).from_reader(&octets[..]).records() {
        let record = record?;
        lines.push(std::array::from_fn(|place| record.get(place).unwrap_or_default().to_owned()));
    }
    Ok(lines)
}

pub(crate) fn parse_method(name: &str) -> Result<&'static Method, String> {
    method(name).ok_or_else(|| {
        let names = super::names().collect::<Vec<_>>().join(", ");
        format!("there is no such method; the methods are {names}")
    })
}

fn parse_nodes(text: &str) -> Result<RangeInclusive<u32>, String> {
    let words = || "a number of nodes from 1 to 4096, or two of them as in 2..6".to_owned();
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| words());
    let (first, last) = (number(first)?, number(last)?);
    if 1 <= first && first <= last && last <= 4_096 { Ok(first..=last) } else { Err(words()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        place: Place,
    }

    fn written(flags: &[&str]) -> anyhow::Result<String> {
        let line = std::iter::once("place").chain(flags.iter().copied());
        let mut out = Vec::new();
        run(&Line::try_parse_from(line)?.place, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn numbers_of_nodes_are_single_ones_and_ranges() {
        assert_eq!(parse_nodes("2..6"), Ok(2..=6));
        assert_eq!(parse_nodes("50"), Ok(50..=50));
        for wrong in ["", "0", "6..2", "..", "2..", "2...6", "-1", "5000", "many"] {
            assert!(parse_nodes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_method_is_answered_with_the_names() {
        let words = written(&["--methods", "modulo"]).unwrap_err().to_string();
        assert!(words.contains("ring-given, ring-modified"), "{words}");
    }

    #[test]
    fn the_list_is_the_table_of_methods() {
        let names: Vec<_> = super::super::names().collect();
        assert_eq!(written(&["--list"]).unwrap().lines().collect::<Vec<_>>(), names);
    }

    #[test]
    fn the_head_has_a_name_for_each_column_and_is_the_same_in_json() {
        for show in ["shares", "moves", "costs", "slots", "successors"] {
            let flags = ["--show", show, "--methods", "ring-given", "--nodes", "2", "--keys", "50"];
            let with = |format| {
                written(&[&flags[..], &["--budget", "1ms", "--format", format]].concat()).unwrap()
            };
            let csv = with("csv");
            let head: Vec<_> = csv.lines().next().unwrap().split(',').map(String::from).collect();
            let json: Vec<serde_json::Map<_, _>> = serde_json::from_str(&with("json")).unwrap();
            let mut names: Vec<_> = json[0].keys().cloned().collect();
            let mut sorted = head.clone();
            names.sort();
            sorted.sort();
            assert_eq!(names, sorted, "{show}");
            assert!(csv.lines().all(|line| line.split(',').count() == head.len()), "{csv}");
            assert_eq!(csv.lines().count(), json.len() + 1);
            assert_eq!(with("table").lines().count(), json.len() + 1);
        }
    }

    #[test]
    fn too_many_nodes_are_an_error_that_says_how_many_there_is_room_for() {
        let words = written(&["--methods", "ring-sha256", "--nodes", "57"]).unwrap_err();
        let room = "node 57: there is room for 0 more nodes of weight 1";
        assert_eq!(format!("{words:#}"), format!("ring-sha256 with 57 nodes: {room}"));
    }

    #[test]
    fn a_method_without_slots_has_none_to_show() {
        let words = written(&["--show", "slots", "--methods", "jump"]).unwrap_err().to_string();
        assert_eq!(words, "jump has no slots to show; ring-given, ring-modified, ring-sha256 have");
    }
}
