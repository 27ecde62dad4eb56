//! Which values say nothing about where they came from: everybody writes `true`, `main` and `2026`.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether a normalised value is too common to point anywhere.
pub(super) fn is_trivial(text: &str) -> bool {
    let squashed: String = text.chars().filter(|c| c.is_alphanumeric()).take(64).collect();
    let length = squashed.chars().count();
    if length < 4 || is_common(text) || is_common(&squashed) {
        return true;
    }
    if squashed.bytes().all(|byte| byte.is_ascii_digit()) {
        return is_common_number(&squashed);
    }
    let one_word = squashed.chars().all(char::is_alphabetic) && !text.contains(char::is_whitespace);
    // Letters outside of ASCII carry more: four Chinese characters are a name.
    one_word && squashed.is_ascii() && length < 6 && !text.contains(['@', '.', '_'])
}

/// Round numbers, years and dates are in every text.
fn is_common_number(digits: &str) -> bool {
    let round = digits.trim_end_matches('0').len() <= 1;
    let year = digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"));
    let hundreds = digits.len() == 4 && digits.ends_with("00");
    let count_up = "0123456789012345".contains(digits);
    round || year || hundreds || count_up || is_date(digits)
}

/// A day, alone or with a time behind it, in one of the orders that people write.
fn is_date(digits: &str) -> bool {
    let part =
        |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok()).unwrap_or(u32::MAX);
    let day = |year: u32, one: u32, other: u32| {
        (1900..2100).contains(&year) && one.min(other) <= 12 && one.max(other) <= 31 && one.min(other) > 0
    };
    let begins = day(part(0, 4), part(4, 6), part(6, 8));
    match digits.len() {
        8 => begins || day(part(4, 8), part(0, 2), part(2, 4)),
        10 | 12 | 14 => begins && (8..digits.len()).step_by(2).all(|at| part(at, at + 2) < 60),
        _ => false,
    }
}

/// Words and names that users and results both contain without either having them from the other.
fn is_common(text: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| include_str!("trivial/words.txt").split_whitespace().collect());
    WORDS.contains(text)
}

/// Hosts that everyone shares: a link to one says nothing about another link to it.
pub(super) fn is_shared_host(host: &str) -> bool {
    static HOSTS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| include_str!("trivial/hosts.txt").split_whitespace().collect());
    HOSTS.contains(host)
}
