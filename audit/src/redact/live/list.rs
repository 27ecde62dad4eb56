//! Lists of numbers that are the bytes of a text: `[115, 101, 99]`, `0x73, 0x65`, `163 145`, `chr(115)+chr(101)`.

use super::form::rot13;

/// The bytes of one list, and where each number stands.
pub(super) struct List {
    pub(super) bytes: Vec<u8>,
    places: Vec<(usize, usize)>,
}

impl List {
    /// From the first to the last of some of its numbers.
    pub(super) fn span(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        Some((self.places.get(start)?.0, self.places.get(end.checked_sub(1)?)?.1))
    }
}

/// What may stand between two numbers: `)+String.fromCharCode(` is the longest that is in use.
const BETWEEN: usize = 24;

/// Every list of at least so many numbers.
pub(super) fn all(text: &[u8], least: usize) -> Vec<List> {
    let mut lists = Vec::new();
    let (mut run, mut at): (Vec<Token>, usize) = (Vec::new(), 0);
    while let Some(skipped) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let start = at + skipped;
        let token = Token::at(text, start);
        let near = run.last().is_some_and(|last| start.saturating_sub(last.end) <= BETWEEN);
        if !near || token.is_none() {
            close(&mut run, least, &mut lists);
        }
        at = match token {
            Some(token) => {
                let end = token.end;
                run.push(token);
                end
            }
            None => start + digits(text, start),
        };
    }
    close(&mut run, least, &mut lists);
    lists
}

fn digits(text: &[u8], start: usize) -> usize {
    text.iter().skip(start).take_while(|byte| byte.is_ascii_alphanumeric()).count().max(1)
}

/// One number, as each base reads it.
struct Token {
    start: usize,
    end: usize,
    /// As it is written: with a prefix of its base, or decimal.
    value: Option<u8>,
    /// If its digits are octal without a prefix.
    octal: Option<u8>,
    /// As it is written from behind.
    turned: Option<u8>,
    turned_octal: Option<u8>,
    /// With its letters rotated.
    rotated: Option<u8>,
}

impl Token {
    /// The number that a digit is in. `s3` is none, unless it is one from behind: `37x0`, or `b6x0`.
    fn at(text: &[u8], digit: usize) -> Option<Self> {
        let part = |byte: &&u8| byte.is_ascii_alphanumeric();
        let before = text.get(..digit)?.iter().rev().take(LONGEST).take_while(part).count();
        let (start, length) = (digit - before, before + digits(text, digit));
        if length > LONGEST {
            return None;
        }
        let word = text.get(start..start + length)?;
        if !may_be_number(word) {
            return None;
        }
        let (mut turned, mut rotated) = ([0; LONGEST], [0; LONGEST]);
        for ((byte, turned), rotated) in word.iter().zip(turned.iter_mut().take(length).rev()).zip(&mut rotated) {
            (*turned, *rotated) = (*byte, rot13(*byte));
        }
        let (turned, rotated) = (turned.get(..length)?, value(rotated.get(..length)?));
        let (turned, turned_octal) = (value(turned), radix(turned, 8));
        let (value, octal) = (value(word), radix(word, 8));
        let any = value.or(octal).or(turned).or(turned_octal).or(rotated);
        any.map(|_| Self { start, end: start + length, value, octal, turned, turned_octal, rotated })
    }
}

/// A quick look: digits alone, or a zero and a letter at one end, as a prefix or as one from behind.
fn may_be_number(word: &[u8]) -> bool {
    match word {
        [b'0', letter, ..] | [.., letter, b'0'] if letter.is_ascii_alphabetic() => true,
        _ => word.iter().all(u8::is_ascii_digit),
    }
}

/// The longest number: `0b01110011`.
const LONGEST: usize = 10;

fn value(word: &[u8]) -> Option<u8> {
    match word {
        [b'0', b'x' | b'X', digits @ ..] => radix(digits, 16),
        [b'0', b'o' | b'O', digits @ ..] => radix(digits, 8),
        [b'0', b'b' | b'B', digits @ ..] => radix(digits, 2),
        digits if digits.len() == 8 => radix(digits, 2),
        digits => radix(digits, 10),
    }
}

fn radix(digits: &[u8], base: u32) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()
}

/// Ends a list: as one of values, of octal numbers, and of numbers that were turned. Each reading ends where a number has none, so
/// that no number in front of a list hides it.
fn close(run: &mut Vec<Token>, least: usize, lists: &mut Vec<List>) {
    let mut read = |reading: fn(&Token) -> Option<u8>| {
        for part in run.split(|token| reading(token).is_none()).filter(|part| part.len() >= least) {
            let places = part.iter().map(|token| (token.start, token.end)).collect();
            lists.push(List { bytes: part.iter().filter_map(reading).collect(), places });
        }
    };
    read(|token| token.value);
    read(|token| token.octal);
    // The order of the numbers is left: what a secret is from behind is looked for as well.
    if run.iter().any(|token| token.turned != token.value) {
        read(|token| token.turned);
        read(|token| token.turned_octal);
    }
    if run.iter().any(|token| token.rotated != token.value) {
        read(|token| token.rotated);
    }
    run.clear();
}
