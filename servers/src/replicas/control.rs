//! `servers control`: asks a balancer, once or line by line.
//!
//! | words            | request                                          |
//! |------------------|--------------------------------------------------|
//! | `rep`            | `GET /rep`                                       |
//! | `add N NAME…`    | `POST /add` of N replicas, some of them by name  |
//! | `rm N NAME…`     | `DELETE /rm`, and so is `del`                    |
//! | any other word   | `GET /word`                                      |

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::exchange::{Question, Reply};
use crate::cli::parse_time;
use crate::listener::parse_address;

/// Whom to ask, and what.
#[derive(Debug, clap::Args)]
#[command(after_help = WORDS)]
pub struct Control {
    /// Where the balancer listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000",
          value_parser = parse_address)]
    pub at: SocketAddr,
    /// How long an answer may take: that to a change comes when it is done
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub timeout: Duration,
    /// What to ask; without words they are read line by line, up to Ctrl-D
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
}

const WORDS: &str = "\
Words:
  rep              show the replicas
  add N [NAME]...  take N more in, some of them by name
  rm N [NAME]...   let N go, some of them by name (or: del)
  PATH             GET it: home

Exit status: 0 the balancer has done it, 1 it has not, 2 wrong usage.";

/// Asks.
///
/// # Errors
/// What failed, in words: that includes an answer that says so.
pub fn run(options: &Control, out: &mut impl Write) -> anyhow::Result<()> {
    if options.words.is_empty() {
        return ask_line_by_line(options, out);
    }
    let words = options.words.iter().map(String::as_str).collect::<Vec<_>>();
    let reply = ask(options, &words)?;
    show(&reply, out)?;
    if reply.status >= 400 {
        bail!("the balancer has refused")
    }
    Ok(())
}

/// What goes wrong with one line is told, and the next one is read.
fn ask_line_by_line(options: &Control, out: &mut impl Write) -> anyhow::Result<()> {
    let input = io::stdin().lock();
    let prompt = if input.is_terminal() { "> " } else { "" };
    let mut lines = input.lines();
    loop {
        write!(out, "{prompt}")?;
        out.flush()?;
        let Some(line) = lines.next().transpose()? else { return Ok(()) };
        let words = line.split_whitespace().collect::<Vec<_>>();
        if words.is_empty() {
            continue;
        }
        match ask(options, &words) {
            Ok(reply) => show(&reply, out)?,
            Err(error) => eprintln!("servers: {error:#}"),
        }
    }
}

fn ask(options: &Control, words: &[&str]) -> anyhow::Result<Reply> {
    let Call { method, path, body } = Call::read(words)?;
    let question = Question { method, path: &path, body: body.as_bytes() };
    let reply = question.ask(options.at, options.timeout);
    reply.with_context(|| format!("no answer from the balancer at {}", options.at))
}

fn show(reply: &Reply, out: &mut impl Write) -> io::Result<()> {
    let body = String::from_utf8_lossy(&reply.body);
    writeln!(out, "{} {}", reply.status, body.trim_end())
}

/// A request, made of words.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    method: &'static str,
    path: String,
    body: String,
}

impl Call {
    fn read(words: &[&str]) -> anyhow::Result<Self> {
        match words {
            ["add", words @ ..] => Self::change("POST", "/add", words),
            ["rm" | "del", words @ ..] => Self::change("DELETE", "/rm", words),
            [word] => {
                let path = format!("/{}", word.trim_start_matches('/'));
                if path.bytes().any(|octet| !octet.is_ascii_graphic()) {
                    bail!("`{word}` can't be a path as it is: percent-encode it");
                }
                Ok(Self { method: "GET", path, body: String::new() })
            }
            _ => bail!("the words are: rep, add N NAME..., rm N NAME..., or one path"),
        }
    }

    fn change(method: &'static str, path: &str, words: &[&str]) -> anyhow::Result<Self> {
        let [count, names @ ..] = words else { bail!("how many? {} N NAME...", &path[1..]) };
        let count = count.parse::<i64>().with_context(|| format!("`{count}` is no number"))?;
        let body = if names.is_empty() {
            json!({ "n": count })
        } else {
            json!({ "n": count, "hostnames": names })
        };
        Ok(Self { method, path: path.into(), body: body.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> anyhow::Result<Call> {
        Call::read(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn words_become_requests() {
        for (line, method, path, body) in [
            ("rep", "GET", "/rep", ""),
            ("home", "GET", "/home", ""),
            ("/bytes/7", "GET", "/bytes/7", ""),
            ("add 2", "POST", "/add", r#"{"n":2}"#),
            ("add 2 S4 S5", "POST", "/add", r#"{"hostnames":["S4","S5"],"n":2}"#),
            ("rm 1 S4", "DELETE", "/rm", r#"{"hostnames":["S4"],"n":1}"#),
            ("del -1", "DELETE", "/rm", r#"{"n":-1}"#),
        ] {
            let expected = Call { method, path: path.into(), body: body.into() };
            assert_eq!(call(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn words_that_say_nothing_are_an_error() {
        for line in ["add", "rm", "add two", "rep now", "hömé"] {
            assert!(call(line).is_err(), "{line}");
        }
    }
}
