//! Rows of text, all with the same columns: aligned for people, as CSV for spreadsheets.

use std::io::{self, Write};

/// Writes aligned columns. The last one may be of any length, and is not filled up.
///
/// # Errors
/// When `out` does not take them.
pub fn table<const N: usize>(out: &mut impl Write, lines: &[[String; N]]) -> io::Result<()> {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [_; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for line in lines {
        for (cell, width) in line.iter().zip(widths).take(N - 1) {
            write!(out, "{cell:width$}  ")?;
        }
        writeln!(out, "{}", line[N - 1])?;
    }
    Ok(())
}

/// Writes CSV (RFC 4180).
///
/// # Errors
/// When `out` does not take it.
pub fn csv<const N: usize>(out: &mut impl Write, lines: &[[String; N]]) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    lines.iter().try_for_each(|line| csv.write_record(line))?;
    Ok(csv.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = [["a", "µµµ", "end"], ["bbb", "", "a longer end"]];
        let mut out = Vec::new();
        table(&mut out, &lines.map(|line| line.map(String::from))).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a    µµµ  end\nbbb       a longer end\n");
    }
}
