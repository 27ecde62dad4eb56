//! Addresses, paths, ids and numbers: parts that say who, where and how much.

use super::numbers;
use crate::session::trivial::is_shared_host;

/// Every strong part of a normalised text.
pub(in crate::session) fn strong(normal: &str, visit: &mut impl FnMut(&str)) {
    for token in normal.split(is_edge) {
        let token = trim(token);
        classify(token, visit);
        if token.contains(is_query) {
            token.split(is_query).map(trim).for_each(|part| classify(part, visit));
        }
    }
    numbers::grouped(normal, visit);
    numbers::amounts(normal, visit);
}

fn classify(token: &str, visit: &mut impl FnMut(&str)) {
    if token.len() < 4 {
        return;
    }
    if let Some((scheme, rest)) = token.split_once("://") {
        // In `to=https://…` the address comes by itself when the query is taken apart.
        if !scheme.contains(is_query) {
            url(token, rest, visit);
        }
        return;
    }
    let token = token.strip_prefix("mailto:").unwrap_or(token);
    if let Some((local, host)) = token.rsplit_once('@') {
        if !local.is_empty() && is_domain(host) {
            visit(token);
        }
    } else if token.contains(['/', '\\']) {
        path(token, visit);
    } else if is_domain(token) {
        named_host(token, visit);
    } else if is_id(token) {
        visit(token);
        numbers::squash(token, visit);
    }
}

/// The address as it stands, without its query, and its host unless half the world shares that one.
fn url(whole: &str, rest: &str, visit: &mut impl FnMut(&str)) {
    visit(whole.trim_end_matches('/'));
    let bare = rest.split(['?', '#']).next().unwrap_or(rest);
    let place = bare.split_once('/').map_or(bare, |(authority, _)| authority);
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    if bare.trim_end_matches('/') != place {
        visit(bare.trim_end_matches('/'));
    }
    named_host(host.split(':').next().unwrap_or(host), visit);
}

fn named_host(host: &str, visit: &mut impl FnMut(&str)) {
    let host = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('.');
    if !is_shared_host(host) {
        visit(host);
    }
}

fn path(token: &str, visit: &mut impl FnMut(&str)) {
    let token = token.trim_end_matches(['/', '\\']);
    let segments = token.split(['/', '\\']).filter(|segment| !segment.is_empty()).count();
    let rooted = token.starts_with(['/', '~', '.', '\\']) || token.get(1..2) == Some(":");
    let first = token.split('/').next().unwrap_or(token);
    if is_domain(first) && segments > 1 {
        named_host(first, visit);
        visit(token);
    } else if segments >= 3 || rooted || token.contains(|c: char| c == '.' || c.is_ascii_digit()) {
        visit(token);
    }
    // A file keeps its name when it is moved; a name like `report.pdf` is anybody's.
    if let Some((_, name)) = token.rsplit_once(['/', '\\']).filter(|(_, name)| is_id(name)) {
        visit(name);
    }
}

/// The larger things that an argument may be inside of, or have been made longer from: the host of a mail address, the
/// folders above a path or an address, a path's last name.
pub(in crate::session) fn above(normal: &str, visit: &mut impl FnMut(&str)) {
    for token in normal.split(is_edge).map(trim).filter(|token| token.len() >= 4) {
        if let Some((_, host)) = token.rsplit_once('@').filter(|(_, host)| is_domain(host)) {
            named_host(host, visit);
        }
        let bare = token.split_once("://").map_or(token, |(_, rest)| rest);
        let bare = bare.split(['?', '#']).next().unwrap_or(bare);
        let ends = bare.match_indices(['/', '\\']).map(|(at, _)| at).filter(|at| *at > 3).take(16);
        for folder in ends.filter_map(|end| bare.get(..end)).filter(|folder| folder.contains(['/', '\\'])) {
            visit(folder);
        }
        if let Some((_, name)) = bare.trim_end_matches('/').rsplit_once(['/', '\\']) {
            visit(name);
        }
    }
}

/// `a.b`, ending in letters: a host, or a file's name.
fn is_domain(token: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    let host = token.split_once(':').map_or(token, |(host, _)| host);
    let Some((_, last)) = host.rsplit_once('.') else { return false };
    last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) && host.len() >= 5 && host.split('.').all(label)
}

/// Letters with digits, several parts, or a number: made for one thing.
fn is_id(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let letters = token.chars().filter(|c| c.is_alphabetic()).count();
    let joints = token.bytes().filter(|byte| matches!(byte, b'-' | b'_')).count();
    let mixed = digits >= 1 && letters >= 1 && digits + letters >= 6;
    mixed || digits >= 4 || (token.len() >= 8 && token.contains('_')) || (token.len() >= 10 && joints >= 2)
}

fn trim(token: &str) -> &str {
    token.trim_matches(|c: char| matches!(c, '.' | ',' | ':' | ';' | '!' | '?' | '*' | '…' | '。' | '、'))
}

fn is_edge(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '|')
        || matches!(c, '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '（' | '）' | '「' | '」')
}

fn is_query(c: char) -> bool {
    matches!(c, '=' | '&' | '?' | '#')
}
