//! `servers control`: asks a balancer, once or line by line.
//!
//! | words            | request                                          |
//! |------------------|--------------------------------------------------|
//! | `rep`            | `GET /rep`                                       |
//! | `add N NAME…`    | `POST /add` of N replicas, some of them by name  |
//! | `rm N NAME…`     | `DELETE /rm`, and so is `del`                    |
//! | `help`           | none: these words are shown                      |
//! | `quit`           | none: it ends, and so it does at `exit`          |
//! | any other word   | `GET /word`; so `/help` is a path                |

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::process;
use std::thread::Builder;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{SigSet, Signal};
use serde_json::json;

use super::exchange::{Question, Reply};
use crate::cli::parse_time;
use crate::listener::parse_address;
use crate::notice;

/// Whom to ask, and what.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{WORDS}\n\n{EXAMPLES}"))]
pub struct Control {
    /// Where the balancer listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000",
          value_parser = parse_address)]
    pub at: SocketAddr,
    /// How long an answer may take: that to a change comes when it is done
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub timeout: Duration,
    /// What to ask; without words they are read line by line, up to `quit`, Ctrl-D or Ctrl-C
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
}

const WORDS: &str = "\
Words:
  rep              show the replicas
  add N [NAME]...  take N more in, some of them by name
  rm N [NAME]...   let N go, some of them by name (or: del)
  PATH             GET it: home
  help             show these words
  quit             end (or: exit)";

const EXAMPLES: &str = "\
Examples:
  servers control rep
  servers control add 3 S4 S5      three more: S4, S5 and one with a name by chance
  servers control rm 1 S4
  servers control --at 127.0.0.1:5001 home

Exit status: 0 the balancer has done it, 1 it has not, 2 wrong usage.";

/// What is said at Ctrl-C.
const LAST_WORD: &str = "Exiting.";

impl Control {
    /// Whether its words mean something.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.words.is_empty() {
            return Ok(());
        }
        self.said().map(drop).map_err(|error| format!("{error:#}"))
    }

    fn said(&self) -> anyhow::Result<Said> {
        Said::read(&self.words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Asks.
///
/// # Errors
/// What failed, in words: that includes an answer that says so.
pub fn run(options: &Control, out: &mut impl Write) -> anyhow::Result<()> {
    if options.words.is_empty() {
        return ask_line_by_line(options, out);
    }
    match options.said()? {
        Said::Quit => Ok(()),
        Said::Help => Ok(writeln!(out, "{WORDS}")?),
        Said::Ask(call) => {
            let reply = call.put(options)?;
            writeln!(out, "{}", shown(&reply))?;
            if reply.status >= 400 { bail!("the balancer has refused") } else { Ok(()) }
        }
    }
}

/// What goes wrong with one line is told, and the next one is read.
fn ask_line_by_line(options: &Control, out: &mut impl Write) -> anyhow::Result<()> {
    end_at_interrupt()?;
    let mut input = io::stdin().lock();
    let prompt = if input.is_terminal() { "> " } else { "" };
    loop {
        write!(out, "{prompt}")?;
        out.flush()?;
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        // What is no text is no word either, and is told like any other wrong one.
        let line = String::from_utf8_lossy(&line);
        let words = line.split_whitespace().collect::<Vec<_>>();
        if words.is_empty() {
            continue;
        }
        match Said::read(&words).and_then(|said| said.answer(options)) {
            Ok(Some(text)) => writeln!(out, "{text}")?,
            Ok(None) => return Ok(()),
            Err(error) => notice::write(format_args!("{error:#}")),
        }
    }
}

/// From now on Ctrl-C is a good end, and has a word, whatever is waited for.
fn end_at_interrupt() -> anyhow::Result<()> {
    let mut interrupts = SigSet::empty();
    interrupts.add(Signal::SIGINT);
    // Blocked in this thread and in the next one, which alone waits for it.
    interrupts.thread_block().context("cannot hear Ctrl-C")?;
    let hear = move || {
        if interrupts.wait().is_ok() {
            // Standard output is locked by whoever writes answers.
            let _ = writeln!(io::stderr(), "\n{LAST_WORD}");
            process::exit(0);
        }
    };
    Builder::new().name("interrupt".into()).spawn(hear).context("no thread to hear Ctrl-C")?;
    Ok(())
}

fn shown(reply: &Reply) -> String {
    format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body).trim_end())
}

/// What words say.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Ask the balancer that.
    Ask(Call),
    /// Show the words.
    Help,
    /// End.
    Quit,
}

impl Said {
    fn read(words: &[&str]) -> anyhow::Result<Self> {
        match words {
            ["help"] => Ok(Self::Help),
            ["quit" | "exit"] => Ok(Self::Quit),
            _ => Call::read(words).map(Self::Ask),
        }
    }

    /// What to show; nothing at the end.
    fn answer(&self, options: &Control) -> anyhow::Result<Option<String>> {
        match self {
            Self::Quit => Ok(None),
            Self::Help => Ok(Some(WORDS.into())),
            Self::Ask(call) => call.put(options).map(|reply| Some(shown(&reply))),
        }
    }
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
                    // An arrow key, told as it came, would move the cursor instead.
                    let word = word.escape_debug();
                    bail!("`{word}` can't be a path as it is: percent-encode it");
                }
                Ok(Self { method: "GET", path, body: String::new() })
            }
            _ => bail!("the words are: rep, add N NAME..., rm N NAME..., help, quit, or one path"),
        }
    }

    /// Asks the balancer, and waits for its reply.
    fn put(&self, options: &Control) -> anyhow::Result<Reply> {
        let Self { method, path, body } = self;
        let question = Question { method, path, body: body.as_bytes() };
        let reply = question.ask(options.at, options.timeout);
        reply.with_context(|| format!("no answer from the balancer at {}", options.at))
    }

    fn change(method: &'static str, path: &str, words: &[&str]) -> anyhow::Result<Self> {
        let [count, names @ ..] = words else { bail!("how many? {} N NAME...", &path[1..]) };
        let count = count
            .parse::<i64>()
            .with_context(|| format!("`{}` is no number", count.escape_debug()))?;
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

    fn said(line: &str) -> anyhow::Result<Said> {
        Said::read(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn words_become_requests() {
        for (line, method, path, body) in [
            ("rep", "GET", "/rep", ""),
            ("home", "GET", "/home", ""),
            ("/bytes/7", "GET", "/bytes/7", ""),
            ("/help", "GET", "/help", ""),
            ("add 2", "POST", "/add", r#"{"n":2}"#),
            ("add 2 S4 S5", "POST", "/add", r#"{"hostnames":["S4","S5"],"n":2}"#),
            ("rm 1 S4", "DELETE", "/rm", r#"{"hostnames":["S4"],"n":1}"#),
            ("del -1", "DELETE", "/rm", r#"{"n":-1}"#),
        ] {
            let expected = Call { method, path: path.into(), body: body.into() };
            assert_eq!(said(line).unwrap(), Said::Ask(expected), "{line}");
        }
    }

    #[test]
    fn some_words_are_for_the_client_itself() {
        assert_eq!(said("help").unwrap(), Said::Help);
        assert_eq!(said("quit").unwrap(), Said::Quit);
        assert_eq!(said("exit").unwrap(), Said::Quit);
    }

    #[test]
    fn what_keys_send_to_terminals_is_told_in_letters() {
        let told = said("\u{1b}[A").unwrap_err().to_string();
        assert!(told.contains("`\\u{1b}[A`") && !told.contains('\u{1b}'), "{told}");
        assert!(said("hömé").unwrap_err().to_string().contains("`hömé`"));
    }

    #[test]
    fn words_that_say_nothing_are_an_error() {
        for line in ["add", "rm", "add two", "rep now", "help me", "hömé"] {
            assert!(said(line).is_err(), "{line}");
        }
    }
}
