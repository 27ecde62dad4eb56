//! Encodings under which a value travels: base64, hexadecimal, percent, HTML, and `name [at] host`; twice over at most.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Attackers wrap a value once or twice; deeper wraps would cost work on every honest value.
const ROUNDS: u8 = 2;

/// Shorter runs decode to noise too often.
const SHORTEST: usize = 8;

/// What is decoded is at most this many times the text, and this much more.
const TIMES: usize = 3;
const MORE: usize = 4096;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Shows every plain text that stands encoded in this one; false if there was more than may be decoded.
pub(super) fn each(text: &str, found: &mut impl FnMut(&str)) -> bool {
    let mut left = text.len() * TIMES + MORE;
    let mut layer = vec![text.to_owned()];
    for _ in 0..ROUNDS {
        let mut next = Vec::new();
        for plain in layer.iter().flat_map(|outer| once(outer)) {
            let Some(rest) = left.checked_sub(plain.len()) else { return false };
            left = rest;
            found(&plain);
            next.push(plain);
        }
        layer = next;
    }
    true
}

fn once(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !is_encoded(c));
    // `/` is a digit of base64 and the joint of paths: both readings are tried.
    let parts = runs.clone().filter(|run| run.contains('/')).flat_map(|run| run.split('/'));
    let runs = runs.chain(parts).filter(|run| run.len() >= SHORTEST);
    let whole = [percent(text), entities(text), spelt(text)].into_iter().flatten();
    whole.chain(runs.flat_map(|run| [hex(run), base64(run)]).flatten())
}

/// Not `=`: padding is not needed to decode, and stands between names and values too.
fn is_encoded(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

fn percent(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let decoded = pair(after.first_chunk().copied()).filter(|_| *byte == b'%');
        bytes.push(decoded.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        rest = after.get(if decoded.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8(bytes).ok().filter(|plain| plain != text)
}

/// `&#64;`, `&#x40;`, and the names that hide parts of an address.
fn entities(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let named = part.split_once(';').filter(|(name, _)| name.len() <= 8);
        if let Some((c, rest)) = named.and_then(|(name, rest)| Some((entity(name)?, rest))) {
            plain.push(c);
            plain.push_str(rest);
        } else {
            plain.push('&');
            plain.push_str(part);
        }
    }
    (plain != text).then_some(plain)
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
        return char::from_u32(hex.unwrap_or_else(|| number.parse()).ok()?);
    }
    let names = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("commat", '@'),
        ("period", '.'),
        ("sol", '/'),
        ("colon", ':'),
        ("nbsp", ' '),
    ];
    names.into_iter().find_map(|(known, c)| (known == name).then_some(c))
}

/// `name [at] host (dot) example`: what people write against harvesters, and attackers against filters.
fn spelt(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let mut plain = lower.clone();
    for (word, sign) in [("at", "@"), ("dot", ".")] {
        for (open, close) in [("[", "]"), ("(", ")"), ("{", "}")] {
            let written = format!("{open}{word}{close}");
            if plain.contains(&written) {
                plain = plain.replace(&format!(" {written} "), sign).replace(&written, sign);
            }
        }
    }
    (plain != lower).then_some(plain)
}

fn hex(run: &str) -> Option<String> {
    let run = run.strip_prefix("0x").unwrap_or(run);
    if run.len() < SHORTEST || !run.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> = run.as_bytes().chunks_exact(2).map(|two| pair(two.first_chunk().copied())).collect();
    readable(bytes?)
}

fn base64(run: &str) -> Option<String> {
    let engine = if run.contains(['-', '_']) { &BASE64_URL } else { &BASE64 };
    readable(engine.decode(run).ok()?)
}

fn pair(two: Option<[u8; 2]>) -> Option<u8> {
    let [high, low] = two?.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

/// Text, not noise that happens to decode.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let plain = text.chars().all(|c| !c.is_control() || c.is_whitespace());
    (plain && text.chars().count() >= 5).then_some(text)
}
