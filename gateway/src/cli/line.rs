//! `Line`: one line of output, made of our words and of text from outside, which is made visible on the way in.

use std::fmt::{self, Write as _};

use policies::risk::Risk;

use super::text::{self, Piece, cells};

/// How a stretch of text is painted where the terminal has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Strong,
    Faint,
    /// A character that would not show as itself.
    Escape,
    Good,
    Warning,
    Danger,
    Alarm,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Faint => "\u{1b}[2m",
            Self::Escape => "\u{1b}[7m",
            Self::Good => "\u{1b}[32m",
            Self::Warning => "\u{1b}[33m",
            Self::Danger => "\u{1b}[31m",
            Self::Alarm => "\u{1b}[1;31m",
        }
    }
}

impl From<Risk> for Ink {
    fn from(risk: Risk) -> Self {
        match risk {
            Risk::Low => Self::Good,
            Risk::Medium => Self::Plain,
            Risk::High => Self::Danger,
            Risk::Critical => Self::Alarm,
        }
    }
}

/// One line of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<Span>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    ink: Ink,
    text: String,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Our words.
    #[must_use]
    pub(crate) fn ours(self, text: impl AsRef<str>) -> Self {
        self.inked(Ink::Plain, text)
    }

    /// Our words, painted.
    #[must_use]
    pub(crate) fn inked(mut self, ink: Ink, text: impl AsRef<str>) -> Self {
        let text = text::harmless(text.as_ref());
        if !text.is_empty() {
            self.0.push(Span { ink, text });
        }
        self
    }

    /// Words from outside, made visible.
    #[must_use]
    pub(crate) fn theirs(self, text: &str) -> Self {
        self.pieces(text::pieces(text))
    }

    /// Words from outside, made visible and painted.
    #[must_use]
    pub(crate) fn theirs_in(mut self, ink: Ink, text: &str) -> Self {
        let start = self.0.len();
        self = self.theirs(text);
        for span in self.0.iter_mut().skip(start).filter(|span| span.ink == Ink::Plain) {
            span.ink = ink;
        }
        self
    }

    /// Words from outside between quotes.
    #[must_use]
    pub(crate) fn quoted(self, text: &str) -> Self {
        self.ours("\"").pieces(text::quoted_pieces(text)).ours("\"")
    }

    /// Another line's content after this one's.
    #[must_use]
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn pieces(mut self, pieces: Vec<Piece>) -> Self {
        self.0.extend(pieces.into_iter().map(|piece| match piece {
            Piece::Plain(text) => Span { ink: Ink::Plain, text },
            Piece::Escape(text) => Span { ink: Ink::Escape, text },
        }));
        self
    }

    /// How many cells it takes.
    pub(crate) fn cells(&self) -> usize {
        self.0.iter().map(|span| cells(&span.text)).sum()
    }

    /// Cut to this many cells, with `…` where something was lost.
    #[must_use]
    pub(crate) fn cut(&self, width: usize) -> Self {
        if self.cells() <= width {
            return self.clone();
        }
        let rows = self.wrap(width.saturating_sub(1).max(1), &Self::new());
        rows.into_iter().next().unwrap_or_default().ours("…")
    }

    /// In rows of at most this many cells, broken between words where there are some; each row after the first begins with
    /// `prefix`. Text from outside never wraps onto a row of its own, where it could pass for ours.
    pub(crate) fn wrap(&self, width: usize, prefix: &Self) -> Vec<Self> {
        let atoms: Vec<Span> = self.0.iter().flat_map(Span::atoms).collect();
        let mut rest = atoms.as_slice();
        let mut rows = Vec::new();
        loop {
            let start = if rows.is_empty() { Self::new() } else { prefix.clone() };
            let length = fitting(rest, width.saturating_sub(start.cells()));
            let (row, more) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rows.push(row.iter().cloned().fold(start, Self::append));
            if more.is_empty() {
                return rows;
            }
            rest = more;
        }
    }

    fn append(mut self, span: Span) -> Self {
        match self.0.last_mut() {
            Some(last) if last.ink == span.ink && span.ink != Ink::Escape => last.text.push_str(&span.text),
            Some(_) | None => self.0.push(span),
        }
        self
    }

    /// With terminal colours.
    pub(crate) fn painted(&self) -> String {
        let mut out = String::new();
        for Span { ink, text } in &self.0 {
            match ink.code() {
                "" => out.push_str(text),
                code => {
                    // Writing to a string cannot fail.
                    let _infallible = write!(out, "{code}{text}\u{1b}[0m");
                }
            }
        }
        out
    }
}

impl Span {
    /// The parts that a row must not split: an escape whole, else a character with the marks on it.
    fn atoms(&self) -> Vec<Self> {
        if self.ink == Ink::Escape {
            return vec![self.clone()];
        }
        let mut atoms: Vec<Self> = Vec::new();
        for c in self.text.chars() {
            match atoms.last_mut() {
                Some(last) if cells(c.encode_utf8(&mut [0; 4])) == 0 => last.text.push(c),
                Some(_) | None => atoms.push(Self { ink: self.ink, text: c.to_string() }),
            }
        }
        atoms
    }
}

/// How many atoms go into a row of this width: at least one, and up to the last space if that leaves no more than a third
/// of the row empty.
fn fitting(atoms: &[Span], width: usize) -> usize {
    let mut used = 0;
    let over = atoms.iter().position(|atom| {
        used += cells(&atom.text);
        used > width
    });
    let Some(over) = over else { return atoms.len() };
    let space = atoms.iter().take(over).rposition(|atom| atom.text == " ").map(|space| space + 1);
    space.filter(|words| words * 3 >= over * 2).unwrap_or(over).max(1)
}

/// Without colours.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|span| f.write_str(&span.text))
    }
}

/// Lines as they are without colours.
#[cfg(test)]
pub(crate) fn text(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |text, line| text + &line.to_string() + "\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_text_wraps_behind_a_mark_of_ours() {
        let rows = Line::new().ours("to: ").theirs("abcdefghij").wrap(8, &Line::new().ours("┆ "));
        let rows: Vec<String> = rows.iter().map(Line::to_string).collect();
        assert_eq!(rows, ["to: abcd", "┆ efghij"]);
    }

    #[test]
    fn rows_break_between_words() {
        let rows = Line::new().theirs("the call runs once").wrap(12, &Line::new().ours("  "));
        let rows: Vec<String> = rows.iter().map(Line::to_string).collect();
        assert_eq!(rows, ["the call ", "  runs once"]);
    }

    #[test]
    fn a_cut_says_so() {
        assert_eq!(Line::new().theirs("abcdefghij").cut(5).to_string(), "abcd…");
        assert_eq!(Line::new().theirs("abcde").cut(5).to_string(), "abcde");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(Line::new().theirs("日本").cells(), 4);
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_asked(text in any::<String>(), width in 12_usize..60) {
            let prefix = Line::new().ours("┆ ");
            for row in Line::new().theirs(&text).wrap(width, &prefix) {
                prop_assert!(row.cells() <= width, "{} cells", row.cells());
            }
        }

        #[test]
        fn painting_adds_only_our_own_sequences(text in any::<String>()) {
            let painted = Line::new().theirs(&text).ours(&text).quoted(&text).painted();
            let bare = painted.replace("\u{1b}[7m", "").replace("\u{1b}[0m", "");
            let escapes = bare.matches('\u{1b}').count();
            prop_assert_eq!(escapes, 0);
        }
    }
}
