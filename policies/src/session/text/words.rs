//! Runs of words: prose is recognised by a few words in their order, whatever stands between them.

/// A run is this many letters at least, and this many words: `let me know` is no evidence, half a sentence is.
const LETTERS: usize = 24;
const WORDS: usize = 4;

/// Longer prose is sampled: one run in two, four, … by its own hash, so that both sides choose the same ones.
const DENSE: usize = 8192;

/// Every run of words of a normalised text, each joined by single spaces.
pub(in crate::session) fn shingles(normal: &str, visit: &mut impl FnMut(&str)) {
    let words = units(normal);
    let stride = (words.len() / DENSE).next_power_of_two();
    let mut run = String::new();
    for start in 0..words.len() {
        run.clear();
        let (mut letters, mut count) = (0, 0);
        for word in words.iter().skip(start) {
            run.push_str(word);
            run.push(' ');
            (letters, count) = (letters + weight(word), count + 1);
            if letters >= LETTERS && count >= WORDS {
                if sample(&run).is_multiple_of(stride) {
                    visit(&run);
                }
                break;
            }
        }
    }
}

/// A phrase is three words of this many letters together. It counts only where it is all of a value: `drop table customers`.
const PHRASE_LETTERS: usize = 12;
const LONGEST_PHRASE: usize = 10;

/// Every phrase of a normalised text that is not so long that runs of words will do.
pub(in crate::session) fn phrases(normal: &str, visit: &mut impl FnMut(&str)) {
    let words = units(normal);
    if words.len() <= DENSE {
        windows(&words).for_each(|phrase| visit(&phrase));
    }
}

/// The phrases that a short value is made of; none if it is no phrase.
pub(in crate::session) fn short(normal: &str) -> Vec<String> {
    let words = units(normal);
    if (3..=LONGEST_PHRASE).contains(&words.len()) { windows(&words).collect() } else { Vec::new() }
}

fn windows(words: &[&str]) -> impl Iterator<Item = String> {
    let telling = |three: &&[&str]| three.iter().map(|word| weight(word)).sum::<usize>() >= PHRASE_LETTERS;
    words.windows(3).filter(telling).map(|three| three.join(" "))
}

/// Words, and in scripts that are written without spaces single characters.
fn units(normal: &str) -> Vec<&str> {
    let mut units = Vec::new();
    for word in normal.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.is_ascii() || !word.chars().any(is_unspaced) {
            units.push(word);
        } else {
            units.extend(word.char_indices().filter_map(|(at, c)| word.get(at..at + c.len_utf8())));
        }
    }
    units
}

fn weight(unit: &str) -> usize {
    if unit.chars().any(is_unspaced) { 3 } else { unit.chars().count().min(12) }
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn sample(run: &str) -> usize {
    run.bytes().fold(0xcbf2_9ce4_usize, |hash, byte| (hash ^ usize::from(byte)).wrapping_mul(0x0100_0193)) >> 8
}
