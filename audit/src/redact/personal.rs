//! `Personal`: what identifies people, each kind switched on or off: addresses, numbers of cards, accounts and persons.
//!
//! Only what carries its own proof is on by default: a card and an account have check digits, a person's number those or its
//! label. The others are what tools work with, and are for the operator to choose.

mod identity;
mod number;

use std::net::Ipv6Addr;
use std::ops::Range;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::{Match, Regex};

use super::span::Span;

/// Which kinds are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personal(u8);

/// No kind has this name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is none of email, phone, iban, card, national-id, ip-address, mac-address, all, none")]
pub struct UnknownPersonal(String);

/// A kind, in the order of its bit.
struct Kind {
    name: &'static str,
    pattern: &'static str,
    check: fn(&str, Match<'_>) -> bool,
    /// It has seven digits and more near each other, so that most of a text need not be searched.
    numbered: bool,
    default: bool,
}

const KINDS: &[Kind] = &[
    // RFC 5321 §4.1.2, as far as addresses are in use
    Kind {
        name: "email",
        pattern: r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}",
        // `git@host:path` names a repository, and `user@host/` stands in an address of another kind.
        check: |text, found| !follows(text, found.end(), &[':', '/']) && !precedes(text, found.start(), &['/', ':']),
        numbered: false,
        default: false,
    },
    // ITU-T E.164, with its sign; and the North American form, whose parts cannot begin with 0 or 1
    Kind {
        name: "phone",
        pattern: r"\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}|\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[.-][0-9]{4}",
        check: |text, found| alone(text, &found),
        numbered: true,
        default: false,
    },
    // ISO 13616
    Kind {
        name: "iban",
        pattern: r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
        check: |text, found| alone(text, &found) && number::is_iban(found.as_str()),
        numbered: true,
        default: true,
    },
    // ISO/IEC 7812
    Kind {
        name: "card",
        pattern: r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?:[0-9]{3})?|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5}",
        check: |text, found| alone(text, &found) && number::is_card(found.as_str()),
        numbered: true,
        default: true,
    },
    Kind { name: "national-id", pattern: "", check: |_, _| false, numbered: true, default: true },
    // RFC 791, RFC 5952
    Kind {
        name: "ip-address",
        pattern: r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}|[0-9A-Fa-f:]{2,39}",
        check: |text, found| {
            let ours = found.as_str();
            alone(text, &found)
                && !follows(text, found.end(), &['.'])
                && (ours.contains('.') || ours.len() > 4 && ours.parse::<Ipv6Addr>().is_ok())
        },
        numbered: false,
        default: false,
    },
    // IEEE 802
    Kind {
        name: "mac-address",
        pattern: r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}",
        check: |text, found| alone(text, &found) && !follows(text, found.end(), &[':', '-']),
        numbered: false,
        default: false,
    },
];

const NATIONAL: u8 = 1 << 4;

static PATTERNS: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| KINDS.iter().map(|kind| Regex::new(kind.pattern).ok()).collect());

impl Default for Personal {
    fn default() -> Self {
        Self::of(|kind| kind.default)
    }
}

impl FromStr for Personal {
    type Err = UnknownPersonal;

    /// Names with commas between them, or `all`, or `none`.
    fn from_str(names: &str) -> Result<Self, UnknownPersonal> {
        names.split(',').map(str::trim).try_fold(Self(0), |chosen, name| {
            let more = match name {
                "all" => Self::of(|_| true),
                "none" => Self(0),
                name if is_kind(name) => Self::of(|kind| kind.name == name),
                name => return Err(UnknownPersonal(name.to_owned())),
            };
            Ok(Self(chosen.0 | more.0))
        })
    }
}

impl Personal {
    fn of(chosen: impl Fn(&Kind) -> bool) -> Self {
        let bits = (0..).zip(KINDS).filter(|(_, kind)| chosen(kind));
        Self(bits.fold(0, |bits, (number, _)| bits | 1_u8 << number))
    }

    /// Whether JSON text can hold any of the chosen kinds; most text has too few digits.
    pub(super) fn may_stand_in(self, text: &[u8]) -> bool {
        self.chosen().any(|(kind, _)| !kind.numbered) || (self.0 != 0 && numbered(text).next().is_some())
    }

    fn chosen(self) -> impl Iterator<Item = (&'static Kind, &'static Regex)> {
        let kinds = KINDS.iter().zip(PATTERNS.iter()).enumerate();
        kinds.filter_map(move |(number, (kind, pattern))| {
            Some((kind, pattern.as_ref().filter(|_| self.0 >> number & 1 != 0)?))
        })
    }

    /// Adds what is found.
    pub(super) fn find(self, text: &str, spans: &mut Vec<Span>) {
        let span = |start: usize, found: Match<'_>, kind| Span {
            start: start + found.start(),
            end: start + found.end(),
            kind,
            certain: false,
            print: None,
        };
        for (kind, pattern) in self.chosen().filter(|(kind, _)| !kind.numbered) {
            let found = pattern.find_iter(text).filter(|found| (kind.check)(text, *found));
            spans.extend(found.map(|found| span(0, found, kind.name)));
        }
        for Range { start, end } in numbered(text.as_bytes()) {
            let start = (0..=start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let end = (end..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let part = text.get(start..end).unwrap_or_default();
            for (kind, pattern) in self.chosen().filter(|(kind, _)| kind.numbered && !kind.pattern.is_empty()) {
                let found = pattern.find_iter(part).filter(|found| (kind.check)(part, *found));
                spans.extend(found.map(|found| span(start, found, kind.name)));
            }
            if self.0 & NATIONAL != 0 {
                identity::find(part, |found| spans.push(span(start, found, "national-id")));
            }
        }
    }
}

pub(super) fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == name)
}

/// Where seven digits stand near each other, with what may be their label: nothing that is numbered has fewer.
fn numbered(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    const NEAR: usize = 6;
    const AROUND: usize = 48;
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text.get(at..)?.iter().position(u8::is_ascii_digit)?;
            let (mut digits, mut end) = (0, start);
            for (place, byte) in text.iter().enumerate().skip(start) {
                if byte.is_ascii_digit() {
                    (digits, end) = (digits + 1, place + 1);
                } else if place - end >= NEAR {
                    break;
                }
            }
            at = end;
            if digits >= 7 {
                return Some(start.saturating_sub(AROUND)..text.len().min(end + AROUND));
            }
        }
    })
}

/// Whether no letter or digit goes on at either end.
fn alone(text: &str, found: &Match<'_>) -> bool {
    let part = |char: char| char.is_alphanumeric() || char == '_';
    let before = text.get(..found.start()).and_then(|before| before.chars().next_back());
    let after = text.get(found.end()..).and_then(|after| after.chars().next());
    // A decimal fraction is no number of a card.
    let fraction = before == Some('.') && text.get(..found.start()).is_some_and(|before| before.ends_with('.'));
    !before.is_some_and(part) && !after.is_some_and(part) && !fraction
}

fn follows(text: &str, end: usize, any: &[char]) -> bool {
    text.get(end..).is_some_and(|after| after.starts_with(any))
}

fn precedes(text: &str, start: usize, any: &[char]) -> bool {
    text.get(..start).is_some_and(|before| before.ends_with(any))
}

#[cfg(test)]
mod tests;
