//! Characters that stand apart, put together: `s e c`, `s\ne\nc`, `["s", "e", "c"]`, `"sec" + "ret"`.
//!
//! What is encoded and then spread cannot be undone where it stands, since its escapes are cut to pieces. Only what stands
//! apart is read again, so that ordinary text costs the look alone.

use memchr::memchr2_iter;

use super::normal::Rewritten;

/// The longest that is the same between each two characters: `", "`.
const SIGNS: usize = 4;

/// Characters with the same signs between each two, without these; `None` if there are fewer in a row than `least`.
pub(super) fn joined(text: &[u8], least: usize) -> Option<Rewritten> {
    let mut joined = Rewritten::with_capacity(0);
    let mut at = 0;
    // However it stands, a row this long holds one of these places and what must be the same after it.
    let step = least.saturating_sub(REPEATED).max(1);
    let mut next = 0;
    while next + 2 < text.len() {
        let mut likely = (1..=SIGNS).filter(|signs| may_repeat(text, next, signs + 1));
        let row = likely.find_map(|signs| Row::at(text, next, signs)).filter(|row| row.start >= at);
        match row.filter(|row| row.count() >= least) {
            Some(row) => {
                row.characters().for_each(|place| joined.push(text.get(place..=place).unwrap_or_default(), place));
                // A blank: after a backslash, the end of a line would be an escape.
                joined.push(b" ", row.end);
                (at, next) = (row.end, row.end.max(next + step));
            }
            None => next += step,
        }
    }
    (!joined.bytes.is_empty()).then(|| joined.end(at))
}

/// Whether a byte here, or within a period, is the same one period on, and two: else no row is here.
#[inline]
fn may_repeat(text: &[u8], at: usize, period: usize) -> bool {
    let word = |at: usize| text.get(at..).and_then(|rest| rest.first_chunk()).map(|run| u64::from_le_bytes(*run));
    let (Some(here), Some(on), Some(further)) = (word(at), word(at + period), word(at + 2 * period)) else {
        return true;
    };
    let differ = here ^ on | on ^ further;
    // The lowest of the bits that this leaves is that of a byte that is zero.
    let same = differ.wrapping_sub(ONES) & !differ & (ONES << 7);
    same & ((1 << (8 * period)) - 1) != 0
}

/// A one in each byte.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// How often signs must be seen again before a row is followed.
const REPEATED: usize = 2;

/// Single characters with signs between them.
struct Row {
    /// Its first character.
    start: usize,
    end: usize,
    period: usize,
}

impl Row {
    /// The row that a place is in the midst of.
    fn at(text: &[u8], at: usize, signs: usize) -> Option<Self> {
        let period = signs + 1;
        let same = |place: usize| text.get(place).is_some_and(|byte| text.get(place + period) == Some(byte));
        // Signs of which the first stands here, or within a period.
        let begin = (at..at + period).find(|begin| {
            (*begin..begin + signs).all(|place| same(place) && same(place + period) && is_sign(text, place))
        })?;
        let is_like = |place: usize| {
            (0..signs).all(|sign| text.get(place + sign).is_some_and(|byte| text.get(begin + sign) == Some(byte)))
        };
        let mut first = begin;
        while let Some(before) = first.checked_sub(period).filter(|before| is_like(*before)) {
            first = before;
        }
        let mut last = begin;
        while is_like(last + period) {
            last += period;
        }
        // Before the first signs and after the last stands a character too.
        let start = first.checked_sub(1).unwrap_or(first + signs);
        Some(Self { start, end: (last + period).min(text.len()), period })
    }

    fn characters(&self) -> impl Iterator<Item = usize> {
        (self.start..self.end).step_by(self.period)
    }

    fn count(&self) -> usize {
        (self.end - self.start).div_ceil(self.period)
    }
}

fn is_sign(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| !byte.is_ascii_alphanumeric())
}

/// Short strings that a program would join, joined: `"sec" + "ret"`, `'sec', 'ret'`; `None` if there are none.
pub(super) fn concatenated(text: &[u8]) -> Option<Rewritten> {
    let mut joined = Rewritten::with_capacity(0);
    let (mut piece, mut pieces, mut end) = (0, 0, 0);
    for quote in memchr2_iter(b'"', b'\'', text) {
        let Some(length) = joint(text, quote).filter(|_| quote >= end) else { continue };
        let near = pieces > 0 && quote - piece <= PIECE;
        if pieces > 0 && !near {
            close(text, piece, &mut joined);
        }
        let begin = if near { piece } else { quote.saturating_sub(PIECE) };
        joined.keep(text.get(begin..quote).unwrap_or_default(), begin);
        (piece, pieces, end) = (quote + length, pieces + 1, quote + length);
    }
    if pieces < FEWEST {
        return None;
    }
    let end = close(text, piece, &mut joined);
    Some(joined.end(end))
}

/// The last piece of a chain; where it ends.
fn close(text: &[u8], piece: usize, joined: &mut Rewritten) -> usize {
    let end = text.len().min(piece + PIECE);
    joined.keep(text.get(piece..end).unwrap_or_default(), piece);
    joined.push(b" ", end);
    end
}

/// The longest string that is a piece: a longer one shows what it holds by itself.
const PIECE: usize = 32;

/// Joints that make a chain.
const FEWEST: usize = 2;

/// How long the end of a string, what joins it, and the beginning of the next are.
fn joint(text: &[u8], at: usize) -> Option<usize> {
    let quote = text.get(at)?;
    let blanks = |from: usize| {
        text.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count())
    };
    let mut next = at + 1;
    next += blanks(next);
    let signs = text.get(next..)?.iter().take(2).take_while(|byte| b"+,.&;|".contains(byte)).count();
    next += signs;
    next += blanks(next);
    (text.get(next) == Some(quote) && next > at + 1).then_some(next + 1 - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rewritten: Option<Rewritten>) -> Option<String> {
        rewritten.map(|rewritten| String::from_utf8(rewritten.bytes).unwrap())
    }

    #[test]
    fn characters_that_stand_apart_are_put_together() {
        for (apart, whole) in [
            ("x: % 4 1 % 4 2 % 4 3; y", ":%41%42%43 "),
            ("%\n4\n1\n%\n4\n2\n%\n4\n3", "%41%42%43 "),
            (r#"["%", "4", "1", "%", "4", "2", "%", "4"]"#, "%4"),
            ("a, b, c, d, e, f, g, h, i", "abcdefghi "),
        ] {
            let joined = text(joined(apart.as_bytes(), 8)).unwrap();
            assert!(joined.contains(whole), "{apart}: {joined}");
        }
        for plain in ["the quick brown fox jumps over the lazy dog", "a b c d", "", "x", "ab"] {
            assert_eq!(text(joined(plain.as_bytes(), 8)), None, "{plain}");
        }
    }

    #[test]
    fn what_stood_apart_is_replaced_where_it_stood() {
        let apart = b"x: % 4 1 % 4 2 % 4 3; y";
        let joined = joined(apart, 8).unwrap();
        let at = joined.bytes.windows(9).position(|run| run == b"%41%42%43").unwrap();
        assert_eq!(joined.span(at, at + 9), Some((3, 20)));
    }

    #[test]
    fn strings_that_are_joined_are_one() {
        for (apart, whole) in [
            (r#"say("ab%4" + "1%42" + "%43")"#, "ab%41%42%43"),
            ("['%4', '1%', '42']", "%41%42"),
            (r#""%4" "1%4" "2""#, "%41%42"),
        ] {
            let joined = text(concatenated(apart.as_bytes())).unwrap();
            assert!(joined.contains(whole), "{apart}: {joined}");
        }
        assert_eq!(text(concatenated(br#"{"key": "value", "other": 1}"#)), None);
        assert_eq!(text(concatenated(b"it's nothing")), None);
    }
}
