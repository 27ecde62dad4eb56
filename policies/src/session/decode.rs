//! Encodings under which a value travels: base64, hexadecimal and percent, twice over at most, never more than was given.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Attackers wrap a value once or twice; deeper wraps would cost work on every honest value.
const ROUNDS: u8 = 2;

/// Shorter runs decode to noise too often.
const SHORTEST: usize = 8;

/// Of one text, the most encoded runs that are tried.
const RUNS: usize = 256;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Shows every plain text that stands encoded in this one.
pub(super) fn each(text: &str, found: &mut impl FnMut(&str)) {
    let mut layer = once(text);
    for _ in 1..ROUNDS {
        for plain in &layer {
            found(plain);
        }
        layer = layer.iter().flat_map(|plain| once(plain)).take(RUNS).collect();
    }
    for plain in &layer {
        found(plain);
    }
}

fn once(text: &str) -> Vec<String> {
    let runs = text.split(|c: char| !is_encoded(c));
    // `/` is a digit of base64 and the joint of paths: both readings are tried.
    let parts = runs.clone().filter(|run| run.contains('/')).flat_map(|run| run.split('/'));
    let runs = runs.chain(parts).filter(|run| run.len() >= SHORTEST).take(RUNS);
    percent(text).into_iter().chain(runs.flat_map(|run| [hex(run), base64(run)]).flatten()).collect()
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
