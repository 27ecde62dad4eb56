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
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok()).unwrap_or(u32::MAX);
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

fn is_common(text: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| COMMON.iter().copied().collect());
    WORDS.contains(text)
}

/// Words, names and hosts that users and results both contain without either having it from the other.
const COMMON: &[&str] = &[
    "0.0.0.0", "127.0.0.1", "account", "action", "active", "address", "amount", "application", "archive", "article",
    "attachment", "author", "available", "backup", "before", "branch", "browser", "budget", "button", "calendar",
    "cancel", "cargo.toml", "category", "central", "change", "changelog", "changelog.md", "changes", "channel", "client",
    "closed", "comment", "comments", "commit", "company", "complete", "completed", "config", "config.json",
    "configuration", "contact", "contacts", "content", "contents", "context", "control", "count", "country", "create",
    "created", "critical", "current", "customer", "customers", "database", "default", "delete", "deleted", "delivery",
    "department", "description", "design", "desktop", "develop", "developer", "development", "directory", "disabled",
    "display", "document", "documentation", "documents", "domain", "download", "downloads", "draft", "editor", "email",
    "emails", "employee", "enabled", "engineering", "english", "entries", "error", "errors", "event", "events",
    "example", "examples", "export", "failed", "feature", "feedback", "fields", "filename", "files", "filter",
    "finance", "finished", "folder", "format", "forward", "friday", "general", "german", "github", "global", "google",
    "group", "header", "health", "hello world", "history", "holiday", "html5", "image", "images", "important", "inbox",
    "index.html", "info", "information", "input", "install", "integer", "internal", "invoice", "invoices", "issue",
    "issues", "january", "february", "march", "april", "june", "july", "august", "september", "october", "november",
    "december", "json", "kernel", "language", "latest", "length", "library", "license", "limit", "linux", "local",
    "localhost", "location", "machine", "main.py", "main.rs", "manager", "master", "medium", "meeting", "member",
    "members", "message", "messages", "method", "metrics", "minute", "minutes", "mobile", "module", "monday", "monitor",
    "monthly", "network", "normal", "number", "numbers", "object", "office", "online", "option", "options", "order",
    "orders", "output", "overview", "owner", "package", "package.json", "parent", "password", "patch", "payment",
    "pending", "people", "person", "phone", "picture", "plain", "planning", "platform", "please", "policy", "position",
    "preview", "primary", "print", "priority", "private", "problem", "process", "product", "production", "products",
    "profile", "program", "project", "projects", "property", "public", "python", "quarter", "query", "question",
    "random", "reader", "readme", "readme.md", "recent", "record", "records", "release", "remote", "remove", "report",
    "reports", "request", "requests", "research", "resource", "response", "restart", "result", "results", "return",
    "review", "running", "saturday", "sales", "sample", "schedule", "schema", "script", "search", "second", "secret",
    "section", "security", "select", "server", "service", "services", "session", "settings", "shared", "simple",
    "source", "staging", "standard", "started", "status", "stopped", "storage", "string", "subject", "success",
    "summary", "sunday", "support", "system", "target", "tasks", "team", "template", "testing", "thread", "thursday",
    "ticket", "tickets", "title", "today", "tomorrow", "topic", "total", "training", "transfer", "trash", "travel",
    "tuesday", "undefined", "unknown", "unread", "update", "updated", "updates", "upload", "urgent", "user", "users",
    "utf-8", "value", "values", "version", "video", "weather", "website", "wednesday", "weekly", "window", "windows",
    "workspace", "yesterday",
];

/// Hosts that everyone shares: a link to one says nothing about another link to it.
pub(super) fn is_shared_host(host: &str) -> bool {
    const SHARED: &[&str] = &[
        "amazonaws.com", "apple.com", "atlassian.net", "bitbucket.org", "crates.io", "discord.com", "docs.google.com",
        "docs.rs", "drive.google.com", "dropbox.com", "facebook.com", "gist.github.com", "github.com", "github.io",
        "gitlab.com", "gmail.com", "google.com", "googlemail.com", "hotmail.com", "icloud.com", "linkedin.com",
        "live.com", "localhost", "mail.google.com", "medium.com", "microsoft.com", "npmjs.com", "office.com",
        "onedrive.live.com", "outlook.com", "pastebin.com", "proton.me", "protonmail.com", "pypi.org", "reddit.com",
        "raw.githubusercontent.com", "sharepoint.com", "slack.com", "stackoverflow.com", "t.me", "twitter.com",
        "wikipedia.org", "en.wikipedia.org", "x.com", "yahoo.com", "youtube.com", "zoom.us",
    ];
    SHARED.contains(&host)
}
