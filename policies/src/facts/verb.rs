//! What a name's words say together: the verb, by what it is done to.

mod object;
mod write;

use object::Object;

use super::Verb;
use super::lexicon::{Does, Word, thing as t, word};
use super::words::conjunction;

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) verb: Verb,
    /// The arguments say better: a command line, SQL, an action.
    pub(super) deferring: bool,
}

/// What the words of a name say, if they say anything; `server` is what its server is about.
pub(super) fn read(tokens: &[&str], server: u64) -> Option<Reading> {
    let found: Vec<Option<&'static Word>> = tokens.iter().map(|token| word(token)).collect();
    let does = |at: usize| found.get(at).copied().flatten().and_then(|word| word.does.map(|does| (does, word.sure)));
    let sure = (0..tokens.len()).find(|at| does(*at).is_some_and(|(_, sure)| sure));
    // `commit_message` and `welcome_email` are things; `message_user` sends.
    let noun = |at: usize| {
        at > 0
            && matches!(
                tokens.get(at).copied(),
                Some("message" | "mail" | "email" | "comment" | "text" | "file" | "form" | "label" | "tag" | "index")
            )
    };
    // `http_post` posts and `api_list` lists; what is requested is asked for by whoever gets the request.
    let means = |at: usize| matches!(tokens.get(at).copied(), Some("http" | "api" | "rest" | "rpc"));
    let unsure = |any: bool| (0..tokens.len()).find(|at| does(*at).is_some() && (any || !means(*at)) && !noun(*at));
    let unsure = unsure(false).or_else(|| unsure(true));
    let Some(head) = head(tokens, sure, unsure, &does) else { return named(tokens, &found) };
    let (first, first_sure) = does(head)?;
    let object = Object { tokens, head, things: things(&found, head), server, sure: first_sure };
    let mut reading = object.reading(first);
    // `find_and_modify`, `get_or_create`: the second verb counts as much as the first.
    for at in head + 1..tokens.len() {
        let Some((second, second_sure)) = does(at) else { continue };
        let led = tokens.get(at - 1).is_some_and(|before| conjunction(before));
        let paired = at == head + 1
            && PAIRED.contains(&(
                tokens.get(head).copied().unwrap_or_default(),
                tokens.get(at).copied().unwrap_or_default(),
            ));
        let last = at + 1 == tokens.len() && second_sure && first == Does::Read && tails(second);
        if led || last || paired {
            let other = Object { head: at, sure: second_sure, things: things(&found, at), ..object }.reading(second);
            if other.verb > reading.verb {
                reading = Reading { deferring: reading.deferring && other.deferring, ..other };
            }
        }
    }
    Some(reading)
}

/// A name without a verb: `network_requests` and `replies` list what they name, unless what they name is dangerous.
fn named(tokens: &[&str], found: &[Option<&'static Word>]) -> Option<Reading> {
    const WEIGHTY: u64 = t::PAYMENT
        | t::CODE
        | t::SHELL
        | t::POLICY
        | t::IDENTITY
        | t::GRANT
        | t::KEY
        | t::WORKFLOW
        | t::GENERIC
        | t::POLICY;
    let last = tokens.last()?;
    let plural = last.len() > 3 && last.ends_with('s') && !last.ends_with("ss");
    let request = *last == "requests" && tokens.len() > 1;
    let things = found.last().copied().flatten().map_or(0, |word| word.things);
    (plural && (request || (things != 0 && things & WEIGHTY == 0)))
        .then_some(Reading { verb: Verb::Read, deferring: true })
}

/// The verb that a name hangs on: the first that can be nothing else, or else the first that can be one. `issue_write`
/// writes, `post_message` posts, and `post_search` searches.
fn head(
    tokens: &[&str],
    sure: Option<usize>,
    unsure: Option<usize>,
    does: &impl Fn(usize) -> Option<(Does, bool)>,
) -> Option<usize> {
    let (Some(sure), Some(unsure)) = (sure, unsure) else { return sure.or(unsure) };
    // `list_add_item` adds to a list.
    if tokens.get(sure) == Some(&"list")
        && does(sure + 1).is_some_and(|(next, certain)| certain && next > Does::Interact)
    {
        return Some(sure + 1);
    }
    if unsure >= sure {
        return Some(sure);
    }
    let (early, late) = (does(unsure)?.0, does(sure)?.0);
    // `run`, `script`, `call` before a verb: `call_api_get` reads; but `transfer_get_started` must not hide a transfer
    // that stands first with its object.
    let verb_first = unsure == 0
        && matches!(early, Does::Pay | Does::Send | Does::Remove)
        && tokens.len() > sure + 1
        && late <= Does::Ask
        && !matches!(tokens.get(sure).copied(), Some("search" | "list" | "get" | "read" | "query" | "fetch"));
    Some(if verb_first { unsure } else { sure })
}

/// Verbs that count at the end of a name that starts with a look: `list_delete`, `read_write` do not only look.
fn tails(does: Does) -> bool {
    matches!(does, Does::Remove | Does::Overwrite | Does::Send | Does::Pay | Does::Execute | Does::Write)
}

/// Two verbs in one breath: a tool named so does both.
const PAIRED: &[(&str, &str)] = &[
    ("read", "write"),
    ("view", "edit"),
    ("get", "set"),
    ("find", "replace"),
    ("search", "replace"),
    ("find", "update"),
    ("find", "delete"),
    ("read", "edit"),
    ("list", "manage"),
];

fn things(found: &[Option<&'static Word>], head: usize) -> u64 {
    let others = found.iter().enumerate().filter(|(at, _)| *at != head);
    others.filter_map(|(_, word)| *word).fold(0, |all, word| all | word.things)
}
