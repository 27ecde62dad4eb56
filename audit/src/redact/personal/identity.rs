//! Numbers that states give to people. Where a check digit leaves one in ten, a label must stand before the number.

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::number::{digits, luhn};

/// One state's numbers.
struct Row {
    pattern: &'static str,
    check: fn(&str) -> bool,
    /// Any of these stands before it; none is needed where there are none.
    labels: &'static [&'static str],
}

const ROWS: &[Row] = &[
    // www.ssa.gov/employer/randomization.html: areas 000, 666 and 9xx are not issued; no check digit
    Row {
        pattern: r"\b[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}\b",
        check: |id| !id.starts_with("000") && !id.starts_with("666") && !id.contains("-00-") && !id.ends_with("-0000"),
        labels: &["ssn", "social security"],
    },
    // www.gov.uk/hmrc-internal-manuals: NIM39110; no check digit
    Row {
        pattern: r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
        check: |_| true,
        labels: &["nino", "national insurance", "ni number"],
    },
    // Decreto ministeriale 23/12/1976: codice fiscale
    Row { pattern: r"\b[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]\b", check: italian, labels: &[] },
    // INSEE: numéro d'inscription au répertoire, 97 less the rest of thirteen digits
    Row {
        pattern: r"\b[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
        check: |id| {
            let digits = digits(id);
            let number = |digits: &[u8]| digits.iter().fold(0_u64, |number, digit| number * 10 + u64::from(*digit));
            digits.split_at_checked(13).is_some_and(|(body, key)| 97 - number(body) % 97 == number(key))
        },
        labels: &[],
    },
    // Receita Federal: CPF, two digits modulo 11
    Row {
        pattern: r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
        check: |id| {
            let digits = digits(id);
            let check = |count: usize| {
                let weights = (2..=u32::try_from(count).unwrap_or(0) + 1).rev();
                let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
                sum * 10 % 11 % 10 == digits.get(count).copied().map_or(99, u32::from)
            };
            check(9) && check(10)
        },
        labels: &[],
    },
    // Ministerio del Interior: DNI and NIE, a letter modulo 23
    Row {
        pattern: r"\b[XYZ0-9][0-9]{7}-?[A-Z]\b",
        check: |id| {
            const LETTERS: &str = "TRWAGMYFPDXBNJZSQVHLCKE";
            let number =
                id.replacen('X', "0", 1).replacen('Y', "1", 1).replacen('Z', "2", usize::from(id.starts_with('Z')));
            let number = number.get(..8).and_then(|number| number.parse::<usize>().ok());
            number.and_then(|number| LETTERS.chars().nth(number % 23)) == id.chars().last()
        },
        labels: &["dni", "nie", "nif"],
    },
    // Ministerstwo Cyfryzacji: PESEL
    Row {
        pattern: r"\b[0-9]{11}\b",
        check: |id| weighted(id, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10),
        labels: &["pesel"],
    },
    // Rijksdienst voor Identiteitsgegevens: burgerservicenummer
    Row {
        pattern: r"\b[0-9]{9}\b",
        check: |id| weighted(id, &[9, 8, 7, 6, 5, 4, 3, 2, 10], 11),
        labels: &["bsn", "burgerservice"],
    },
    // Bundeszentralamt für Steuern: ISO 7064 modulo 11, 10
    Row {
        pattern: r"\b[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b",
        check: |id| {
            let digits = digits(id);
            let (Some(last), Some(body)) = (digits.last(), digits.get(..10)) else { return false };
            let rest = body.iter().fold(10_u32, |rest, digit| {
                let sum = (u32::from(*digit) + rest) % 10;
                (if sum == 0 { 10 } else { sum }) * 2 % 11
            });
            (11 - rest) % 10 == u32::from(*last)
        },
        labels: &["steuer", "idnr", "tin"],
    },
    // UIDAI: Aadhaar, Verhoeff
    Row {
        pattern: r"\b[2-9][0-9]{3} ?[0-9]{4} ?[0-9]{4}\b",
        check: |id| verhoeff(&digits(id)),
        labels: &["aadhaar", "uidai"],
    },
    // Skatteverket: personnummer
    Row {
        pattern: r"\b(?:19|20)?[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])[-+][0-9]{4}\b",
        check: |id| {
            let digits = digits(id);
            luhn(digits.get(digits.len().saturating_sub(10)..).unwrap_or_default())
        },
        labels: &["personnummer", "personal identity", "samordning"],
    },
    // dvv.fi: henkilötunnus
    Row {
        pattern: r"\b(?:[0-2][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]\b",
        check: |id| {
            const SIGNS: &str = "0123456789ABCDEFHJKLMNPRSTUVWXY";
            let number =
                id.get(..6).zip(id.get(7..10)).and_then(|(day, number)| format!("{day}{number}").parse::<usize>().ok());
            number.and_then(|number| SIGNS.chars().nth(number % 31)) == id.chars().last()
        },
        labels: &["hetu", "henkil", "personal identity"],
    },
    // GB 11643: resident identity number
    Row {
        pattern: r"\b[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])[0-9]{3}[0-9Xx]\b",
        check: |id| {
            let sum = id.bytes().zip([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
            let sum: u32 = sum.map(|(digit, weight)| u32::from(digit.saturating_sub(b'0')) * weight).sum();
            let last = id.chars().last().map(|last| last.to_ascii_uppercase());
            usize::try_from(sum % 11).ok().and_then(|rest| "10X98765432".chars().nth(rest)) == last
        },
        labels: &[],
    },
    // Central Compensation Office: AHV number, EAN-13
    Row {
        pattern: r"\b756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}\b",
        check: |id| weighted(id, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1], 10),
        labels: &[],
    },
    // Employment and Social Development Canada: social insurance number
    Row {
        pattern: r"\b[1-79][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}\b",
        check: |id| luhn(&digits(id)),
        labels: &["sin", "social insurance"],
    },
    // Australian Taxation Office: tax file number
    Row {
        pattern: r"\b[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b",
        check: |id| weighted(id, &[1, 4, 3, 7, 5, 8, 6, 9, 10], 11),
        labels: &["tfn", "tax file"],
    },
];

static PATTERNS: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| ROWS.iter().map(|row| Regex::new(row.pattern).ok()).collect());

/// How far before a number its label stands.
const LABEL: usize = 40;

/// Every number of a person.
pub(super) fn find<'t>(text: &'t str, mut report: impl FnMut(Match<'t>)) {
    let lower = text.to_ascii_lowercase();
    for (row, pattern) in ROWS.iter().zip(PATTERNS.iter()) {
        // A label that stands nowhere saves the search.
        if !row.labels.is_empty() && !row.labels.iter().any(|label| lower.contains(label)) {
            continue;
        }
        let found = pattern.iter().flat_map(|pattern| pattern.find_iter(text));
        found
            .filter(|found| (row.check)(found.as_str()) && labelled(&lower, found.start(), row.labels))
            .for_each(&mut report);
    }
}

fn labelled(lower: &str, start: usize, labels: &[&str]) -> bool {
    let from = (start.saturating_sub(LABEL)..=start).find(|from| lower.is_char_boundary(*from)).unwrap_or(start);
    let before = lower.get(from..start).unwrap_or_default();
    labels.is_empty() || labels.iter().any(|label| word(before, label))
}

/// Whether a word or its beginning stands in the text: `sin` in `using` does not count.
fn word(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric)))
}

fn weighted(id: &str, weights: &[u32], modulus: u32) -> bool {
    let digits = digits(id);
    let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    digits.len() == weights.len() && sum > 0 && sum.is_multiple_of(modulus)
}

fn italian(id: &str) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
        10, 22, 25, 24, 23,
    ];
    let worth = |place: usize, char: char| {
        let value = char.to_digit(36)?;
        let even = if value > 9 { value - 10 } else { value };
        if place.is_multiple_of(2) { ODD.get(usize::try_from(value).ok()?).copied() } else { Some(even) }
    };
    let sum = id.chars().take(15).enumerate().try_fold(0, |sum, (place, char)| Some(sum + worth(place, char)?));
    sum.and_then(|sum: u32| char::from_digit(sum % 26 + 10, 36)).map(|last| last.to_ascii_uppercase())
        == id.chars().last()
}

/// J. Verhoeff, Error detecting decimal codes (1969): the dihedral group of ten.
fn verhoeff(digits: &[u8]) -> bool {
    const TURNED: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let joined = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let turned = |place: usize, digit: u8| TURNED.get(place % 8).and_then(|row| row.get(usize::from(digit))).copied();
    digits.iter().rev().enumerate().try_fold(0, |sum, (place, digit)| Some(joined(sum, turned(place, *digit)?)))
        == Some(0)
}
