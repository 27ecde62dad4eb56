//! Lists of numbers that are the bytes of a text: `[115, 101, 99]`, `0x73, 0x65`, `163 145`, `chr(115)+chr(101)`.

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
        let near = run.last().is_some_and(|last| start - last.end <= BETWEEN);
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
}

impl Token {
    fn at(text: &[u8], start: usize) -> Option<Self> {
        let length = digits(text, start);
        let word = text.get(start..start + length)?;
        // `s3` is no number; but the `u` of `u0073` and the like is an escape's.
        let inside = start.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphabetic);
        if inside || length > 10 {
            return None;
        }
        let word = std::str::from_utf8(word).ok()?;
        let value = match word.as_bytes() {
            [b'0', b'x' | b'X', ..] => radix(word.get(2..)?, 16),
            [b'0', b'o' | b'O', ..] => radix(word.get(2..)?, 8),
            [b'0', b'b' | b'B', ..] => radix(word.get(2..)?, 2),
            digits if digits.len() == 8 => radix(word, 2),
            _ => word.parse().ok(),
        };
        let octal = radix(word, 8);
        (value.is_some() || octal.is_some()).then_some(Self { start, end: start + length, value, octal })
    }
}

fn radix(digits: &str, base: u32) -> Option<u8> {
    u8::from_str_radix(digits, base).ok()
}

/// Ends a list: as one of values, and as one of octal numbers if it can be that.
fn close(run: &mut Vec<Token>, least: usize, lists: &mut Vec<List>) {
    if run.len() >= least {
        for reading in [|token: &Token| token.value, |token: &Token| token.octal] {
            if let Some(bytes) = run.iter().map(reading).collect::<Option<Vec<u8>>>() {
                lists.push(List { bytes, places: run.iter().map(|token| (token.start, token.end)).collect() });
            }
        }
    }
    run.clear();
}
