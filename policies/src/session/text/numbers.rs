//! Numbers that people write in groups: account, card and telephone numbers, amounts.

use super::squashed;

/// A grouped number in one token, without its marks.
pub(super) fn squash(token: &str, visit: &mut impl FnMut(&str)) {
    let plain = squashed(token);
    if plain.len() != token.len() && plain.bytes().filter(u8::is_ascii_digit).count() * 2 >= plain.len() {
        visit(&plain);
    }
}

/// Grouped numbers over several tokens: `DE89 3704 0044 0532 0130 00`, `+1 (555) 010-9999`, `12,345.67`.
pub(super) fn grouped(normal: &str, visit: &mut impl FnMut(&str)) {
    let mut run = Run::default();
    let mut rest = normal;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (gap, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(from.len());
        let (group, after) = from.split_at(end);
        if !run.takes(gap, group) {
            run.end(visit);
        }
        run.push(group);
        rest = after;
    }
    run.end(visit);
}

/// Amounts in one spelling: `4,812.50`, `4.812,50` and `4812.5` are one amount.
pub(super) fn amounts(normal: &str, visit: &mut impl FnMut(&str)) {
    for token in normal.split(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '\'')) {
        let token = token.trim_matches(['.', ',', '\'']);
        if let Some(amount) = amount(token).filter(|amount| amount.len() >= 4) {
            visit(&amount);
        }
    }
}

/// The last mark is the decimal one unless three digits follow it; the others only group.
fn amount(token: &str) -> Option<String> {
    let (whole, fraction) = token.rsplit_once(['.', ','])?;
    if token.len() > 24 || fraction.len() > 6 {
        return None;
    }
    let mut plain = squashed(whole);
    if fraction.len() == 3 {
        plain.push_str(fraction);
        return Some(plain);
    }
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        plain.push('.');
        plain.push_str(fraction);
    }
    Some(plain)
}

#[derive(Default)]
struct Run {
    text: String,
    groups: usize,
    closed: bool,
}

impl Run {
    fn takes(&self, gap: &str, group: &str) -> bool {
        let near = gap.len() <= 2 && gap.chars().all(|c| matches!(c, ' ' | '-' | '.' | ',' | '(' | ')' | '/' | '+'));
        let fits = group.len() <= 6 && (has_digit(group) || (self.is_account() && group.len() == 4));
        near && fits && !self.closed
    }

    fn push(&mut self, group: &str) {
        if self.groups == 0 && !(has_digit(group) && group.len() <= 6) {
            return;
        }
        // An account number's groups have four characters but for the last: what follows is another number.
        self.closed = self.groups > 0 && self.is_account() && group.len() < 4;
        self.text.push_str(group);
        self.groups += 1;
    }

    fn end(&mut self, visit: &mut impl FnMut(&str)) {
        if self.groups >= 2 && self.text.len() >= 5 {
            visit(&self.text);
        }
        *self = Self::default();
    }

    /// Begins as an IBAN does: two letters, two digits.
    fn is_account(&self) -> bool {
        match self.text.as_bytes() {
            [a, b, c, d, ..] => {
                a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_digit() && d.is_ascii_digit()
            }
            _ => false,
        }
    }
}

fn has_digit(group: &str) -> bool {
    group.bytes().any(|byte| byte.is_ascii_digit())
}
