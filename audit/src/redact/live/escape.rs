//! Escapes undone: `\n`, `\x41`, `\u0041`, `\101`, `%41`, `&#65;`, `&amp;`, `=41`, all of them in one reading.

use memchr::{memchr, memchr_iter, memchr3};

use super::normal::Rewritten;

/// The text with one level of escapes undone; `None` if it has none.
pub(super) fn undone(text: &[u8]) -> Option<Rewritten> {
    rewritten(
        text,
        |rest| memchr3(b'\\', b'%', b'&', rest),
        |rest| match rest.first()? {
            b'\\' => backslash(rest),
            b'%' => percent(rest),
            b'&' => entity(rest),
            _ => None,
        },
    )
}

/// The text with quoted-printable undone; `None` if it has little of it. Apart from the others: `=ab` is also how a value
/// follows its name.
pub(super) fn unquoted(text: &[u8]) -> Option<Rewritten> {
    const ENOUGH: usize = 3;
    let quoted = memchr_iter(b'=', text).filter(|at| text.get(*at..).is_some_and(|rest| quoted(rest).is_some()));
    let quoted = quoted.take(ENOUGH).count();
    if quoted < ENOUGH {
        return None;
    }
    rewritten(text, |rest| memchr(b'=', rest), quoted_or_end)
}

/// An escape's bytes, and how long it was.
type Undone = (Piece, usize);

/// What an escape stands for.
struct Piece {
    bytes: [u8; 4],
    length: usize,
}

impl Piece {
    const NOTHING: Self = Self { bytes: [0; 4], length: 0 };

    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn char(code: u32) -> Option<Self> {
        let mut bytes = [0; 4];
        let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Self { bytes, length })
    }
}

fn rewritten(
    text: &[u8],
    next: impl Fn(&[u8]) -> Option<usize>,
    undo: impl Fn(&[u8]) -> Option<Undone>,
) -> Option<Rewritten> {
    let mut at = next(text)?;
    let mut out = Rewritten::with_capacity(text.len());
    let (mut kept, mut changed) = (0, false);
    loop {
        match text.get(at..).and_then(&undo) {
            Some((piece, length)) => {
                out.keep(text.get(kept..at)?, kept);
                out.push(piece.bytes.get(..piece.length)?, at);
                at += length;
                kept = at;
                changed = true;
            }
            None => at += 1,
        }
        match text.get(at..).and_then(&next) {
            Some(further) => at += further,
            None => break,
        }
    }
    if !changed {
        return None;
    }
    out.keep(text.get(kept..)?, kept);
    Some(out.end(text.len()))
}

fn backslash(rest: &[u8]) -> Option<Undone> {
    let of = |byte| Some((Piece::byte(byte), 2));
    match *rest.get(1)? {
        b'n' => of(b'\n'),
        b'r' => of(b'\r'),
        b't' => of(b'\t'),
        b'b' => of(8),
        b'f' => of(12),
        b'v' => of(11),
        b'a' => of(7),
        b'e' => of(27),
        b'u' | b'U' | b'x' if rest.get(2) == Some(&b'{') => braced(rest),
        b'u' => utf16(rest),
        b'U' => Some((Piece::char(hex(rest.get(2..10)?)?)?, 10)),
        b'x' => Some((Piece::byte(u8::try_from(hex(rest.get(2..4)?)?).ok()?), 4)),
        b'0'..=b'7' => octal(rest),
        b'\n' => Some((Piece::NOTHING, 2)),
        other if other.is_ascii_punctuation() => of(other),
        _ => None,
    }
}

/// `\u{41}`
fn braced(rest: &[u8]) -> Option<Undone> {
    let close = memchr(b'}', rest.get(..12).unwrap_or(rest))?;
    Some((Piece::char(hex(rest.get(3..close)?)?)?, close + 1))
}

/// `\u0041`, or two that are one character.
fn utf16(rest: &[u8]) -> Option<Undone> {
    let high = hex(rest.get(2..6)?)?;
    if (0xd800..0xdc00).contains(&high) && rest.get(6..8) == Some(b"\\u") {
        let low = hex(rest.get(8..12)?)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        return Some((Piece::char(0x1_0000 + ((high - 0xd800) << 10) + low)?, 12));
    }
    Some((Piece::char(high)?, 6))
}

fn octal(rest: &[u8]) -> Option<Undone> {
    let digits = rest.iter().skip(1).take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let value = rest.get(1..=digits)?.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
    Some((Piece::byte(u8::try_from(value).ok()?), digits + 1))
}

fn percent(rest: &[u8]) -> Option<Undone> {
    if matches!(rest.get(1), Some(b'u' | b'U')) {
        return Some((Piece::char(hex(rest.get(2..6)?)?)?, 6));
    }
    Some((Piece::byte(u8::try_from(hex(rest.get(1..3)?)?).ok()?), 3))
}

fn quoted(rest: &[u8]) -> Option<Undone> {
    Some((Piece::byte(u8::try_from(hex(rest.get(1..3)?)?).ok()?), 3))
}

/// A quoted byte, or the soft end of a line.
fn quoted_or_end(rest: &[u8]) -> Option<Undone> {
    match rest {
        [b'=', b'\r', b'\n', ..] => Some((Piece::NOTHING, 3)),
        [b'=', b'\n', ..] => Some((Piece::NOTHING, 2)),
        _ => quoted(rest),
    }
}

/// `&#65;`, `&#x41;`, `&amp;`; HTML reads numbers without their semicolon too.
fn entity(rest: &[u8]) -> Option<Undone> {
    let (base, from) = match rest {
        [_, b'#', b'x' | b'X', ..] => (16, 3),
        [_, b'#', ..] => (10, 2),
        _ => return named(rest),
    };
    let digit = |byte: &&u8| char::from(**byte).is_digit(base);
    let digits = rest.iter().skip(from).take(9).take_while(digit).count();
    let code = std::str::from_utf8(rest.get(from..from + digits)?).ok()?;
    let end = from + digits;
    let end = end + usize::from(rest.get(end) == Some(&b';'));
    Some((Piece::char(u32::from_str_radix(code, base).ok()?)?, end))
}

fn named(rest: &[u8]) -> Option<Undone> {
    let end = memchr(b';', rest.get(..12).unwrap_or(rest))?;
    let name = rest.get(1..end)?;
    let (_, byte) = NAMED.iter().find(|(known, _)| known.as_bytes() == name)?;
    Some((Piece::byte(*byte), end + 1))
}

/// html.spec.whatwg.org/multipage/named-characters.html, those of ASCII.
const NAMED: &[(&str, u8)] = &[
    ("amp", b'&'),
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("nbsp", b' '),
    ("excl", b'!'),
    ("num", b'#'),
    ("dollar", b'$'),
    ("percnt", b'%'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("ast", b'*'),
    ("midast", b'*'),
    ("plus", b'+'),
    ("comma", b','),
    ("period", b'.'),
    ("sol", b'/'),
    ("colon", b':'),
    ("semi", b';'),
    ("equals", b'='),
    ("quest", b'?'),
    ("commat", b'@'),
    ("lsqb", b'['),
    ("lbrack", b'['),
    ("bsol", b'\\'),
    ("rsqb", b']'),
    ("rbrack", b']'),
    ("Hat", b'^'),
    ("lowbar", b'_'),
    ("grave", b'`'),
    ("lcub", b'{'),
    ("lbrace", b'{'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("rcub", b'}'),
    ("rbrace", b'}'),
    ("Tab", b'\t'),
    ("NewLine", b'\n'),
    ("AMP", b'&'),
    ("LT", b'<'),
    ("GT", b'>'),
    ("QUOT", b'"'),
];

fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}
