//! The one place that writes to the terminal: stdout for what was asked for, stderr for what went wrong.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::line::{Ink, Line};
use super::text;

/// Where answers go.
pub(crate) struct Out {
    colour: bool,
    width: Option<usize>,
    height: usize,
}

/// Whether a person sits at both ends.
pub(crate) fn interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A row is never narrower than this: below it the parts that matter would be cut away.
const NARROWEST: usize = 40;

/// How wide rows are where no terminal says.
const PLAIN: usize = 100;

impl Out {
    /// Stdout, in colour if it is a terminal that wants it.
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = terminal.then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
        let height = size.map_or(24, |size| usize::from(size.ws_row)).max(6);
        Self { colour: terminal && !plain, width: width.map(|width| width.max(NARROWEST)), height }
    }

    /// Cells in a row, if a terminal limits them.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Rows of the terminal.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Cells in a row of text that wraps.
    pub(crate) fn text_width(&self) -> usize {
        self.width.unwrap_or(PLAIN)
    }

    /// One line.
    pub(crate) fn line(&self, line: &Line) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", self.rendered(line))
    }

    /// Several.
    pub(crate) fn lines<'a>(&self, lines: impl IntoIterator<Item = &'a Line>) -> io::Result<()> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        for line in lines {
            writeln!(stdout, "{}", self.rendered(line))?;
        }
        stdout.flush()
    }

    /// Our own words.
    pub(crate) fn say(&self, words: impl AsRef<str>) -> io::Result<()> {
        self.line(&Line::new().ours(words))
    }

    /// Replaces the line that the cursor is on, and stays on it.
    pub(crate) fn status(&self, line: &Line) -> io::Result<()> {
        let line = self.width.map_or_else(|| line.clone(), |width| line.cut(width.saturating_sub(1)));
        let mut stdout = io::stdout().lock();
        write!(stdout, "\r\u{1b}[K{}", self.rendered(&line))?;
        stdout.flush()
    }

    fn rendered(&self, line: &Line) -> String {
        if self.colour { line.painted() } else { line.to_string() }
    }
}

/// A value as one line of JSON that cannot harm a terminal.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = text::harmless_json(&serde_json::to_string(value)?);
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{json}")?;
    Ok(stdout.flush()?)
}

/// Text of our own making that a program reads.
pub(crate) fn raw(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text)?;
    stdout.flush()
}

/// A sound, if the terminal makes one.
pub(crate) fn ring() -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(b"\x07")?;
    stdout.flush()
}

/// A word beside the answer, on stderr. It is a courtesy: if nobody can read it, the command goes on.
pub(crate) fn aside(words: impl AsRef<str>) {
    let _unread = writeln!(io::stderr().lock(), "{}", text::harmless(words.as_ref()));
}

/// What went wrong, each cause on a line of its own, and what to do about it.
pub(crate) fn trouble(error: &anyhow::Error) {
    let colour = io::stderr().is_terminal();
    for line in trouble_lines(error) {
        let line = if colour { line.painted() } else { line.to_string() };
        let _unread = writeln!(io::stderr().lock(), "{line}");
    }
}

fn trouble_lines(error: &anyhow::Error) -> Vec<Line> {
    let mut lines = vec![Line::new().inked(Ink::Danger, "error: ").ours(error.to_string())];
    lines.extend(
        error.chain().skip(1).map(|cause| Line::new().inked(Ink::Faint, "  because: ").ours(cause.to_string())),
    );
    let advice = error.downcast_ref::<Trouble>().and_then(|trouble| trouble.next.as_ref());
    lines.extend(advice.map(|next| Line::new().inked(Ink::Strong, "  next: ").ours(next)));
    lines
}

/// An error that knows what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Trouble {
    what: String,
    next: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), next: None, source: None }
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    #[must_use]
    pub(crate) fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_next() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "no such \u{1b}[31mfile");
        let error: anyhow::Error =
            Trouble::new("no gateway answers").because(cause).next("start one: portcullis serve").into();
        let text: Vec<String> = trouble_lines(&error).iter().map(Line::to_string).collect();
        assert_eq!(
            text,
            ["error: no gateway answers", "  because: no such \\u{1b}[31mfile", "  next: start one: portcullis serve"]
        );
    }
}
