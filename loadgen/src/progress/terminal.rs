//! Lines that are drawn over on a terminal.
//!
//! The cursor is never hidden, and between two frames it rests below the lines. So there is nothing
//! to be put right at the end: whatever ends the process, Ctrl-C or worse, leaves a terminal in
//! order, and the last figures on it. A frame is one write, so that no half of one is ever seen.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsRawFd;

/// What a terminal is taken for that does not tell its size.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// The terminal behind standard error, and what was last drawn on it.
#[derive(Debug)]
pub(super) struct Terminal {
    size: fn() -> Size,
    /// Columns of each line on the screen.
    drawn: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Size {
    columns: usize,
    rows: usize,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { size: size_of_standard_error, drawn: Vec::new() }
    }
}

impl Terminal {
    /// The terminal, if standard error is one.
    pub(super) fn of_standard_error() -> Option<Self> {
        io::stderr().is_terminal().then(Self::default)
    }

    /// How long a line may be. The last column stays free: some terminals wrap when it is written.
    pub(super) fn columns(&self) -> usize {
        (self.size)().columns.saturating_sub(1)
    }

    /// Draws these lines in place of the last ones.
    pub(super) fn draw(&mut self, lines: &[String], output: &mut impl Write) -> io::Result<()> {
        let size = (self.size)();
        // What has scrolled off the top can't be drawn over.
        let lines = &lines[..lines.len().min(size.rows.saturating_sub(1))];
        let frame = frame(self.rows_taken(size.columns), lines);
        self.drawn = lines.iter().map(|line| columns_of(line)).collect();
        output.write_all(frame.as_bytes())?;
        output.flush()
    }

    /// Rows that the last lines take now: a terminal that has become narrower has wrapped them.
    fn rows_taken(&self, columns: usize) -> usize {
        self.drawn.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum()
    }
}

/// Up to the first line, each line over the old one, and nothing below (console_codes(4)).
fn frame(up: usize, lines: &[String]) -> String {
    // Zero rows up would be taken for one.
    let mut frame = if up > 0 { format!("\r\x1b[{up}A") } else { "\r".to_owned() };
    for line in lines {
        // Writing to a string can't fail.
        let _ = write!(frame, "{line}\x1b[K\r\n");
    }
    frame + "\x1b[J"
}

/// Columns of a line without its tints: `ESC [ … m`.
fn columns_of(line: &str) -> usize {
    let mut pieces = line.split('\x1b');
    let first = pieces.next().unwrap_or_default().chars().count();
    let rest =
        pieces.map(|piece| piece.split_once('m').map_or(0, |(_, text)| text.chars().count()));
    first + rest.sum::<usize>()
}

fn size_of_standard_error() -> Size {
    // SAFETY: all-zero octets are a valid `winsize`, a struct of four integers.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ (ioctl_tty(2)) writes one `winsize`, for which `size` has room.
    let result = unsafe { libc::ioctl(io::stderr().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    if result != 0 || size.ws_col == 0 || size.ws_row == 0 {
        return USUAL;
    }
    Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(terminal: &mut Terminal, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        let mut output = Vec::new();
        terminal.draw(&lines, &mut output).expect("memory takes it");
        String::from_utf8(output).expect("text")
    }

    fn terminal(size: fn() -> Size) -> Terminal {
        Terminal { size, drawn: Vec::new() }
    }

    #[test]
    fn a_frame_begins_where_the_last_one_did_and_leaves_the_cursor_below() {
        let mut terminal = terminal(|| Size { columns: 80, rows: 24 });
        assert_eq!(drawn(&mut terminal, &["a", "b"]), "\ra\x1b[K\r\nb\x1b[K\r\n\x1b[J");
        assert_eq!(drawn(&mut terminal, &["c"]), "\r\x1b[2Ac\x1b[K\r\n\x1b[J");
        assert_eq!(drawn(&mut terminal, &[]), "\r\x1b[1A\x1b[J");
        assert_eq!(drawn(&mut terminal, &[]), "\r\x1b[J");
    }

    #[test]
    fn lines_that_a_narrower_screen_has_wrapped_count_as_so_many() {
        let mut terminal = terminal(|| Size { columns: 10, rows: 24 });
        terminal.drawn = vec![25, 10, 0];
        assert!(drawn(&mut terminal, &[]).starts_with("\r\x1b[5A"));
    }

    #[test]
    fn no_more_lines_than_the_screen_has_below_its_first_row() {
        let mut terminal = terminal(|| Size { columns: 80, rows: 3 });
        assert_eq!(drawn(&mut terminal, &["a", "b", "c"]), "\ra\x1b[K\r\nb\x1b[K\r\n\x1b[J");
        assert_eq!(terminal.columns(), 79);
    }

    #[test]
    fn tints_take_no_columns() {
        assert_eq!(columns_of("\x1b[1mp99 \x1b[0m\x1b[36m▁▂\x1b[0m ms"), 9);
        assert_eq!(columns_of(""), 0);
    }
}
