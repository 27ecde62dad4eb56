//! Numbers that carry check digits: cards and accounts.

/// Whether digits pass the Luhn check (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().zip([1, 2].into_iter().cycle()).fold(0_u32, |sum, (digit, weight)| {
        let worth = u32::from(*digit) * weight;
        sum + worth / 10 + worth % 10
    });
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

pub(super) fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect()
}

/// A number that a card scheme issues, by beginning and length, with its check digit.
pub(super) fn is_card(text: &str) -> bool {
    let digits = digits(text);
    let first = |count: usize| digits.iter().take(count).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let scheme = match digits.len() {
        14 => matches!(first(3), 300..=305) || matches!(first(2), 36 | 38 | 39),
        15 => matches!(first(2), 34 | 37),
        16 => {
            first(1) == 4
                || matches!(first(2), 51..=55 | 62 | 65)
                || matches!(first(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(first(3), 644..=649)
        }
        19 => first(2) == 62,
        _ => false,
    };
    scheme && luhn(&digits)
}

/// Lengths by country, from the IBAN registry.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
];

/// ISO 13616: the country's length, and 1 modulo 97 with its beginning moved to the end.
pub(super) fn is_iban(text: &str) -> bool {
    let plain: String = text.chars().filter(|char| *char != ' ').collect();
    let Some((country, rest)) = plain.split_at_checked(4) else { return false };
    let known = LENGTHS.iter().any(|(code, length)| country.starts_with(code) && plain.len() == *length);
    let value = |sum: u32, char: char| {
        let worth = char.to_digit(36)?;
        Some((sum * if worth > 9 { 100 } else { 10 } + worth) % 97)
    };
    known && rest.chars().chain(country.chars()).try_fold(0, value) == Some(1)
}
