//! Names and sentences as words.

use super::lexicon::{Does, word};

/// The words of an identifier, in lower case: `mergePullRequest2`, `merge-pull-request` and `MERGE_PULL_REQUEST` are
/// one name.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::with_capacity(4);
    let mut current = String::new();
    let mut letters = name.chars().take(MAX_NAME).peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        let hump = letter.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && next.is_lowercase()));
        if !letter.is_alphanumeric() || hump {
            push(&mut words, &mut current);
        }
        if letter.is_alphanumeric() {
            current.extend(letter.to_lowercase());
        }
        before = letter;
    }
    push(&mut words, &mut current);
    joined(words)
}

fn push(words: &mut Vec<String>, current: &mut String) {
    if !current.is_empty() {
        let whole = std::mem::take(current);
        // `s3` and `2fa` are words; the `2` of `response2` is not.
        let bare = whole.trim_matches(|letter: char| letter.is_ascii_digit());
        let whole = if bare.is_empty() || word(&whole).is_some() { whole } else { bare.to_owned() };
        // `crawling` crawls; what is `opening` further on only describes.
        let whole =
            if words.is_empty() && word(&whole).is_none() && whole.ends_with("ing") { looking(&whole) } else { whole };
        match split(&whole) {
            Some((one, two)) => words.extend([one.to_owned(), two.to_owned()]),
            None => words.push(whole),
        }
    }
}

/// `readfile` and `filedelete` are two words without a hump between them.
fn split(whole: &str) -> Option<(&str, &str)> {
    if whole.len() < 6 || whole.len() > 24 || word(whole).is_some() {
        return None;
    }
    (3..=whole.len().saturating_sub(3)).find_map(|at| {
        let (one, two) = whole.split_at_checked(at)?;
        let (first, second) = (word(one)?, word(two)?);
        let verb = (first.sure && second.things != 0) || (second.sure && first.things != 0);
        verb.then_some((one, two))
    })
}

/// Two words that are one verb.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    for next in words {
        let one = out.last().and_then(|last| {
            PAIRS
                .iter()
                .find(|(first, second, _)| last == first && next == *second)
                .map(|(_, _, one)| (*one).to_owned())
        });
        match (one, out.last_mut()) {
            (Some(one), Some(last)) => *last = one,
            _ => out.push(next),
        }
    }
    out
}

const PAIRS: &[(&str, &str, &str)] = &[
    ("check", "out", "checkout"),
    ("log", "in", "login"),
    ("sign", "in", "signin"),
    ("sign", "up", "signup"),
    ("sign", "out", "logout"),
    ("log", "out", "logout"),
    ("shut", "down", "shutdown"),
    ("roll", "back", "rollback"),
    ("clean", "up", "cleanup"),
    ("tear", "down", "teardown"),
    ("set", "up", "setup"),
    ("look", "up", "lookup"),
    ("force", "push", "forcepush"),
    ("git", "hub", "github"),
    ("git", "lab", "gitlab"),
    ("factory", "reset", "factoryreset"),
    ("white", "list", "whitelist"),
    ("black", "list", "blacklist"),
    ("allow", "list", "allowlist"),
    ("deny", "list", "denylist"),
    ("block", "list", "blocklist"),
    ("security", "group", "securitygroup"),
    ("time", "line", "timeline"),
    ("pull", "request", "pullrequest"),
    ("pull", "requests", "pullrequest"),
    ("merge", "request", "pullrequest"),
    ("merge", "requests", "pullrequest"),
    ("smart", "home", "homeassistant"),
    ("home", "assistant", "homeassistant"),
    ("e", "mail", "email"),
    ("two", "factor", "2fa"),
    ("multi", "factor", "mfa"),
    ("api", "key", "apikey"),
    ("api", "keys", "apikeys"),
    ("ssh", "key", "sshkey"),
    ("web", "hook", "webhook"),
    ("web", "hooks", "webhooks"),
    ("fire", "wall", "firewall"),
    ("pass", "word", "password"),
    ("service", "account", "serviceaccount"),
    ("java", "script", "javascript"),
    ("type", "script", "typescript"),
    ("power", "shell", "powershell"),
    ("post", "gres", "postgres"),
    ("my", "sql", "mysql"),
    ("mongo", "db", "mongodb"),
    ("big", "query", "bigquery"),
    ("click", "house", "clickhouse"),
    ("hacker", "news", "hackernews"),
    ("you", "tube", "youtube"),
    ("duck", "duckgo", "duckduckgo"),
    ("duck", "db", "duckdb"),
    ("dry", "run", "dryrun"),
    ("double", "click", "doubleclick"),
    ("key", "down", "keydown"),
    ("key", "up", "keyup"),
    ("free", "busy", "freebusy"),
    ("web", "page", "webpage"),
    ("web", "site", "website"),
    ("top", "up", "topup"),
    ("pay", "out", "payout"),
    ("key", "chain", "keychain"),
    ("key", "pair", "keypair"),
    ("play", "list", "playlist"),
    ("link", "edin", "linkedin"),
    ("what", "is", "whatis"),
    ("no", "sql", "nosql"),
    ("whats", "app", "whatsapp"),
    ("i", "message", "imessage"),
    ("un", "archive", "unarchive"),
    ("un", "subscribe", "unsubscribe"),
    ("un", "install", "uninstall"),
    ("de", "activate", "deactivate"),
    ("re", "start", "restart"),
];

/// The words that a description opens with, as base forms: what the tool says of itself first.
pub(super) fn opening(description: &str) -> Vec<String> {
    let start: String = description.chars().take(MAX_OPENING).collect();
    let sentence = start
        .trim_start()
        .split_inclusive(['.', '\n', ';', ':', '!'])
        .find(|part| part.trim().chars().filter(|letter| letter.is_alphabetic()).count() > 3);
    let mut words: Vec<String> = sentence
        .unwrap_or_default()
        .split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let lead = words.iter().take_while(|word| among(FILLERS, word)).count();
    words.drain(..lead);
    words.truncate(OPENING_WORDS);
    // Only words that could be verbs: the first, and those that follow an `and` or an `or`.
    for at in 0..words.len() {
        let led = at == 0 || words.get(at - 1).is_some_and(|before| among(CONJUNCTIONS, before));
        if let (true, Some(word)) = (led, words.get_mut(at)) {
            *word = base(word);
        }
    }
    words
}

/// `crawling` as `crawl`, where it only looks: `onboarding` is a thing.
fn looking(given: &str) -> String {
    let stem = base(given);
    let looks = word(&stem).is_some_and(|found| found.does.is_some_and(|does| does <= Does::Visit));
    if looks { stem } else { given.to_owned() }
}

/// `deletes` and `deleting` as `delete`.
fn base(given: &str) -> String {
    // `Returns the weather` gives; as a tool's name, `return_order` sends back.
    if matches!(given, "returns" | "return" | "gives" | "outputs" | "displays" | "returning") {
        return "get".to_owned();
    }
    if word(given).is_some_and(|found| found.does.is_some()) {
        return given.to_owned();
    }
    let candidates = [
        given.strip_suffix("ies").map(|stem| format!("{stem}y")),
        given.strip_suffix('s').map(str::to_owned),
        given.strip_suffix("es").map(str::to_owned),
        given.strip_suffix("ing").map(|stem| format!("{stem}e")),
        given.strip_suffix("ing").map(str::to_owned),
        given.strip_suffix("ting").map(str::to_owned),
        given.strip_suffix("ning").map(str::to_owned),
    ];
    let known = |stem: &String| word(stem).is_some_and(|found| found.does.is_some());
    candidates.into_iter().flatten().find(known).unwrap_or_else(|| given.to_owned())
}

/// Whether a word stands in a list, which is written as words between spaces.
pub(super) fn among(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}

/// Whether the word joins two verbs.
pub(super) fn conjunction(word: &str) -> bool {
    among(CONJUNCTIONS, word)
}

/// Whether a word could only be a verb that does more than look.
pub(super) fn acts(token: &str) -> bool {
    word(token).is_some_and(|found| found.sure && found.does.is_some_and(|does| does > Does::Interact))
}

const CONJUNCTIONS: &str = "and or then and/or n nor";

const FILLERS: &str = "this tool function endpoint command method is used use for to a an the you can allows allow lets let enables \
    enable provides provide ability helps will it users user that which safely securely quickly simply please \
    your agent agents efficiently easily ai asynchronously optionally first tools utility simple by deprecated \
    beta experimental immediately instantly permanently irreversibly completely silently forcibly readonly only \
    read-only";

/// Names are at most 128 bytes; keys of arguments may be longer, and are not names then.
const MAX_NAME: usize = 128;
const MAX_OPENING: usize = 400;
const OPENING_WORDS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_every_spelling_has_the_same_words() {
        for name in
            ["mergePullRequest", "merge-pull-request", "MERGE_PULL_REQUEST", "merge.pull.request", "MergePullRequest"]
        {
            assert_eq!(words(name), ["merge", "pullrequest"], "{name}");
        }
        assert_eq!(words("getHTTPResponse2"), ["get", "http", "response"]);
        assert_eq!(words("readfile"), ["read", "file"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn a_description_opens_with_its_verb() {
        assert_eq!(opening("This tool permanently deletes a file. Returns nothing.").first().unwrap(), "delete");
        assert_eq!(opening("Used to fetch the weather").first().unwrap(), "fetch");
        assert_eq!(opening("Retrieving data").first().unwrap(), "retrieve");
        assert_eq!(opening("Lists and deletes items").iter().take(3).collect::<Vec<_>>(), ["list", "and", "delete"]);
        assert_eq!(opening(""), Vec::<String>::new());
    }
}
