//! `Shape`: what a credential of one kind looks like; a table of our own.
//!
//! Token formats are facts: each row names the issuer's documentation that states it. A row has anchors, short texts
//! without which there can be no match, and a pattern that is tried only where an anchor stands. So the cost of a text
//! without credentials is one pass of one automaton, whatever the number of rows.

mod ai;
mod cloud;
mod code;
mod data;
mod money;
mod observe;
mod secret;
mod work;

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::{Regex, RegexBuilder};

use super::name;
use super::span::{Span, is_tag};

/// One kind of credential.
#[derive(Debug)]
pub(super) struct Shape {
    /// The kind's name in replacements.
    pub(super) kind: &'static str,
    /// Any of these, in any case, must stand where the pattern is tried.
    pub(super) anchors: &'static [&'static str],
    /// The pattern, from `back` bytes before the anchor. Its first group, if it has one, is what is replaced.
    pub(super) pattern: &'static str,
    /// How many bytes of the credential stand before the anchor.
    pub(super) back: usize,
    /// Whether the credential may begin in the middle of a word.
    pub(super) inside: bool,
    /// Whether the pattern is only the value, tied to the anchor as in `datadog_key = …`.
    pub(super) tied: bool,
    /// What the pattern cannot say.
    pub(super) check: Check,
}

/// What a pattern cannot say of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing more.
    None,
    /// A digit and a letter: not a word.
    Mixed,
    /// Base64 of `user:password`.
    Basic,
    /// Not a placeholder such as `<password>`.
    Real,
}

/// A credential that is known by its beginning, wherever that stands.
const fn prefix(kind: &'static str, anchors: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, anchors, pattern, back: 0, inside: true, tied: false, check: Check::None }
}

/// A credential whose beginning is short: it must begin a word.
const fn word(kind: &'static str, anchors: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, anchors, pattern, back: 0, inside: false, tied: false, check: Check::None }
}

/// A credential that is known by a mark in its middle.
const fn marked(kind: &'static str, back: usize, anchors: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, anchors, pattern, back, inside: false, tied: false, check: Check::None }
}

/// A value without a form of its own, known by its issuer's name before it.
const fn tied(kind: &'static str, anchors: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, anchors, pattern, back: 0, inside: true, tied: true, check: Check::Mixed }
}

impl Shape {
    const fn checked(self, check: Check) -> Self {
        Self { check, ..self }
    }
}

/// Every row.
pub(super) fn shapes() -> impl Iterator<Item = &'static Shape> {
    [ai::ROWS, cloud::ROWS, code::ROWS, data::ROWS, money::ROWS, observe::ROWS, secret::ROWS, work::ROWS]
        .into_iter()
        .flatten()
}

/// How long the beginning of a value is that its issuer gives to every credential of the kind.
pub(super) fn public_prefix(value: &[u8]) -> usize {
    let known =
        |prefix: &&str| value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()));
    let anchors = shapes().flat_map(|shape| shape.anchors.iter().copied());
    anchors.chain(LONGER_PREFIXES.iter().copied()).filter(known).map(str::len).max().unwrap_or(0)
}

/// Beginnings that go on after a row's anchor.
const LONGER_PREFIXES: &[&str] = &[
    "sk-ant-api03-",
    "sk-ant-admin01-",
    "sk-ant-oat01-",
    "sk-or-v1-",
    "github_pat_11",
    "Bearer ",
    "Basic ",
    "bedrock-api-key-",
];

/// What an anchor announces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// A row of the table.
    Shape(usize),
    /// A name that a value is assigned to.
    Name,
}

struct Table {
    automaton: Option<AhoCorasick>,
    anchors: Vec<Anchor>,
    rows: Vec<(&'static Shape, OnceLock<Option<Regex>>)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows: Vec<_> = shapes().map(|shape| (shape, OnceLock::new())).collect();
    let (mut texts, mut anchors): (Vec<&str>, Vec<Anchor>) =
        name::ANCHORS.iter().map(|anchor| (*anchor, Anchor::Name)).unzip();
    for (number, (shape, _)) in rows.iter().enumerate() {
        texts.extend(shape.anchors);
        anchors.extend(shape.anchors.iter().map(|_| Anchor::Shape(number)));
    }
    // A DFA over a few hundred short anchors is a megabyte and three times as fast as the alternatives.
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(texts);
    // INVARIANT: the anchors are constants, and a test builds this table. Without it nothing may pass: see `may_hold`.
    Table { automaton: automaton.ok(), anchors, rows }
});

/// Whether any anchor stands anywhere in the text; if not, there is nothing to redact in it. The JSON text of a value is as
/// good as its strings: anchors hold no character that JSON escapes.
pub(super) fn may_hold(text: &[u8]) -> bool {
    TABLE.automaton.as_ref().is_none_or(|automaton| automaton.is_match(text))
}

/// Visits every anchor in the text.
pub(super) fn each_anchor(text: &[u8], mut visit: impl FnMut(usize, Anchor)) {
    let Some(automaton) = &TABLE.automaton else { return };
    for found in automaton.find_overlapping_iter(text) {
        if let Some(anchor) = TABLE.anchors.get(found.pattern().as_usize()) {
            visit(found.start(), *anchor);
        }
    }
}

/// The longest credential but for keys in PEM: bounds what one anchor can cost on hostile text.
const WINDOW: usize = 4 << 10;

/// The longest private key in PEM.
const PEM_WINDOW: usize = 32 << 10;

/// The credential of this row whose anchor stands at `at`.
pub(super) fn at(row: usize, text: &str, at: usize) -> Option<Span> {
    let (shape, regex) = TABLE.rows.get(row)?;
    let start = at.checked_sub(shape.back)?;
    let bytes = text.as_bytes();
    if !shape.inside && !begins_word(bytes, start) {
        return None;
    }
    let window = if shape.kind == "private-key" { PEM_WINDOW } else { WINDOW };
    let window = bytes.get(start..bytes.len().min(start + window))?;
    // INVARIANT: every row compiles; a test compiles them all.
    let regex = regex.get_or_init(|| compile(shape)).as_ref()?;
    let groups = regex.captures(window)?;
    let found = groups.get(1).or_else(|| groups.get(0))?;
    // The pattern sees bytes and may stop inside a character.
    let (start, mut end) = (start + found.start(), start + found.end());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let secret = text.get(start..end)?;
    (!is_tag(secret) && holds(shape.check, secret)).then_some(Span {
        start,
        end,
        kind: shape.kind,
        certain: true,
        print: None,
    })
}

/// The whole pattern of a row.
pub(super) fn pattern(shape: &Shape) -> String {
    if !shape.tied {
        return shape.pattern.to_owned();
    }
    let anchors = shape.anchors.join("|");
    // The rest of the name, a quotation mark (in JSON inside a string with a backslash), the sign, and the mark again.
    format!(
        r#"(?i:{anchors})[A-Za-z0-9_.-]{{0,40}}\\{{0,3}}["']?\]?[ \t]{{0,4}}(?:=>|:=|=|:)[ \t]{{0,4}}\\{{0,3}}["']?({})"#,
        shape.pattern
    )
}

pub(super) fn compile(shape: &Shape) -> Option<Regex> {
    let pattern = format!("^(?:{})", pattern(shape));
    RegexBuilder::new(&pattern).unicode(false).size_limit(4 << 20).build().ok()
}

/// Whether no word goes on before `at`. A letter that belongs to an escape (`\n`, `\u000a`, `%20`) is no word: text in JSON
/// in a string, and text in addresses, have those before everything.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(at.saturating_sub(6)..at).unwrap_or_default();
    let Some(last) = before.last() else { return true };
    if !last.is_ascii_alphanumeric() && *last != b'_' {
        return true;
    }
    match before {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        [.., b'%', a, b] | [.., b'\\', b'x', a, b] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        [b'\\', b'u', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        // The end of a colour code of a terminal.
        [.., b'[' | b'0'..=b'9', b'm'] => before.contains(&b'['),
        _ => false,
    }
}

fn holds(check: Check, secret: &str) -> bool {
    let any = |class: fn(&u8) -> bool| secret.as_bytes().iter().any(class);
    match check {
        Check::None => true,
        Check::Mixed => any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic) && !name::is_placeholder(secret),
        Check::Real => !name::is_placeholder(secret),
        Check::Basic => STANDARD
            .decode(secret.trim_end_matches('=').to_owned() + padding(secret))
            .is_ok_and(|plain| plain.contains(&b':') && plain.iter().all(|byte| !byte.is_ascii_control())),
    }
}

fn padding(text: &str) -> &'static str {
    match text.trim_end_matches('=').len() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    }
}
