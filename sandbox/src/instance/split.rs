//! `Splitter`: a stream of bytes to lines of bounded length.

use crate::mcp::Skim;

/// What a stream turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A line without its end.
    Line(&'a [u8]),
    /// A line over the limit was thrown away. Whose answer it was, if that was certain.
    Oversized(Option<u64>),
    /// A line goes on past anything that could still be an answer.
    Endless,
}

/// Cuts a stream into lines. What arrives whole is not copied; what is over the limit is not kept.
pub(crate) struct Splitter {
    limit: usize,
    partial: Vec<u8>,
    skipped: Option<Skipped>,
}

struct Skipped {
    skim: Box<Skim>,
    bytes: usize,
}

/// A line may run on for this many times the limit while it is thrown away: enough to get past one absurd answer.
const PATIENCE: usize = 16;

/// A buffer that one long answer needed is not kept for the many short ones after it.
const KEEP: usize = 64 << 10;

impl Splitter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, partial: Vec::new(), skipped: None }
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            self.line(line, take);
            chunk = rest.get(1..).unwrap_or_default();
        }
        self.hold(chunk, take);
    }

    fn line(&mut self, end: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        if self.skipped.is_none() && self.partial.is_empty() && end.len() <= self.limit {
            return whole(end, take);
        }
        self.hold(end, take);
        if let Some(skipped) = self.skipped.take() {
            return take(Piece::Oversized(skipped.skim.answers()));
        }
        whole(&self.partial, take);
        self.partial.clear();
        self.partial.shrink_to(KEEP);
    }

    fn hold(&mut self, bytes: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        if let Some(skipped) = &mut self.skipped {
            skipped.skim.feed(bytes);
            skipped.bytes += bytes.len();
            if skipped.bytes > self.limit.saturating_mul(PATIENCE) {
                take(Piece::Endless);
            }
        } else if self.partial.len() + bytes.len() > self.limit {
            let mut skim = Box::<Skim>::default();
            skim.feed(&self.partial);
            skim.feed(bytes);
            self.skipped = Some(Skipped { skim, bytes: self.partial.len() + bytes.len() });
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }
}

/// Empty lines are nothing; a line may end as on Windows.
fn whole(line: &[u8], take: &mut impl FnMut(Piece<'_>)) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.is_empty() {
        take(Piece::Line(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(limit: usize, chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::new(limit);
        let mut pieces = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk, &mut |piece| {
                pieces.push(match piece {
                    Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
                    Piece::Oversized(id) => format!("oversized {id:?}"),
                    Piece::Endless => "endless".to_owned(),
                });
            });
        }
        pieces
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\r\n\ntwo\nthree";
        let whole = split(100, &[text]);
        assert_eq!(whole, ["one", "two"]);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(split(100, &bytes), whole);
    }

    #[test]
    fn an_oversized_line_is_skipped_and_names_its_call() {
        let text = br#"{"id":5,"result":{"x":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#;
        for chunks in [vec![&text[..], b"\nnext\n"], text.chunks(7).chain([&b"\nnext\n"[..]]).collect()] {
            assert_eq!(split(20, &chunks), ["oversized Some(5)", "next"]);
        }
    }

    #[test]
    fn a_line_at_the_limit_passes() {
        assert_eq!(split(4, &[b"1234\n", b"12345\n"]), ["1234", "oversized None"]);
    }

    #[test]
    fn a_line_without_end_is_told() {
        let chunk = [b'x'; 100];
        let pieces = split(10, &[&chunk, &chunk]);
        assert_eq!(pieces, ["endless"]);
    }
}
