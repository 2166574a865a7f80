//! A line of text with tints, in pieces: one that the screen has no room for is left out, with all
//! that follow, since half a number would be a wrong one.

use std::fmt::Write;

/// Whether tints are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As SGR sequences (ECMA-48, section 8.3.117; console_codes(4)).
    Some,
    /// Not at all.
    None,
}

/// What a piece of text is, to be seen by its tint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tint {
    /// A figure.
    Plain,
    /// What a figure means.
    Faint,
    /// A heading.
    Strong,
    /// A bar or a curve.
    Drawn,
    /// Not as it was asked for.
    Warning,
    /// Something failed.
    Alarm,
}

impl Tint {
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Strong => Some(1),
            Self::Faint => Some(2),
            Self::Alarm => Some(31),
            Self::Warning => Some(33),
            Self::Drawn => Some(36),
        }
    }
}

/// Pieces of text in a row. Every character has to be one column wide.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(Vec<(Tint, String)>);

impl Line {
    /// The line with a piece added to it.
    pub(super) fn with(mut self, tint: Tint, text: impl Into<String>) -> Self {
        self.0.push((tint, text.into()));
        self
    }

    /// How many columns it takes.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// As many pieces as `width` columns have room for.
    pub(super) fn render(&self, width: usize, colour: Colour) -> String {
        let (mut rendered, mut room) = (String::new(), width);
        for (tint, text) in &self.0 {
            let Some(rest) = room.checked_sub(text.chars().count()) else { break };
            room = rest;
            match tint.code().filter(|_| colour == Colour::Some) {
                // Writing to a string can't fail.
                Some(code) => drop(write!(rendered, "\x1b[{code}m{text}\x1b[0m")),
                None => rendered.push_str(text),
            }
        }
        rendered.truncate(rendered.trim_end().len());
        rendered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_left_out() {
        let line = Line::default().with(Tint::Strong, "p99 ").with(Tint::Drawn, "▁▂▃");
        let line = line.with(Tint::Plain, "!");
        assert_eq!(line.width(), 8);
        assert_eq!(line.render(7, Colour::None), "p99 ▁▂▃");
        assert_eq!(line.render(6, Colour::None), "p99");
        assert_eq!(line.render(3, Colour::None), "");
        let tinted = "\x1b[1mp99 \x1b[0m\x1b[36m▁▂▃\x1b[0m";
        assert_eq!(line.render(7, Colour::Some), tinted);
    }
}
