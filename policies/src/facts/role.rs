//! What an argument is for, by its key.

use super::lexicon::thing as t;
use super::tool::ToolFacts;
use super::words::words;

/// What an argument is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A place in a file system.
    Path,
    /// Perhaps a place: by its value.
    MaybePath,
    /// A file that is sent along.
    Attachment,
    Url,
    Host,
    Sql,
    /// SQL if it looks like it.
    Query,
    Shell,
    Code,
    /// What to do: `action`, `method`, `operation`.
    Action,
    Recipient,
    Payee,
    Amount,
    Currency,
    /// `visibility`, `role`, `permission`.
    Permission,
    /// `state`, `mode`: words that may say more than the name.
    State,
    Header,
    /// A branch, a table, a name: a plain word.
    Plain,
    /// What a page shows where it is acted on.
    Element,
    /// What kind of thing is meant.
    Kind,
    /// Text for people or models.
    Content,
}

/// A key with what it says.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) words: Vec<String>,
    pub(super) role: Role,
}

impl Key {
    pub(super) fn of(name: &str, tool: &ToolFacts) -> Self {
        let words = if name.len() > 128 { Vec::new() } else { words(name) };
        let role = role(&words, tool);
        Self { words, role }
    }

    pub(super) fn root() -> Self {
        Self { words: Vec::new(), role: Role::Content }
    }

    pub(super) fn says(&self, wanted: &[&str]) -> bool {
        self.words.iter().any(|word| wanted.contains(&word.as_str()))
    }
}

fn role(words: &[String], tool: &ToolFacts) -> Role {
    let says = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let last = words.last().map(String::as_str).unwrap_or_default();
    let one = words.len() == 1;
    let runs = tool.about & t::SHELL != 0 || tool.verb == super::Verb::Execute;
    if says(&["sql", "cypher"]) {
        return Role::Sql;
    }
    if says(&["url", "uri", "urls", "uris", "href", "endpoint", "webhook", "callback", "website", "hyperlink"])
        || matches!(last, "link" | "links" | "site" | "proxy")
    {
        return Role::Url;
    }
    if says(&["command", "commands", "cmd", "cli", "commandline", "bash", "shell"])
        || (runs
            && matches!(
                last,
                "script" | "input" | "args" | "argv" | "keys" | "line" | "text" | "program" | "executable" | "exec"
            ))
    {
        let names = one && last == "command" && !runs && tool.about & (t::CLI | t::NOSQL) == 0;
        return if names { Role::Action } else { Role::Shell };
    }
    if matches!(
        last,
        "code"
            | "javascript"
            | "js"
            | "python"
            | "script"
            | "function"
            | "expression"
            | "snippet"
            | "program"
            | "source_code"
            | "lambda"
    ) || says(&["javascript"])
    {
        return Role::Code;
    }
    if matches!(last, "header" | "headers" | "authorization" | "cookie" | "cookies") {
        return Role::Header;
    }
    if says(&["attachment", "attachments"]) {
        return Role::Attachment;
    }
    if matches!(
        last,
        "path"
            | "paths"
            | "filepath"
            | "file"
            | "files"
            | "dir"
            | "directory"
            | "directories"
            | "cwd"
            | "folder"
            | "filename"
            | "dirs"
            | "workdir"
    ) {
        return if matches!(last, "filename" | "folder") && tool.about & t::MAIL != 0 {
            Role::Plain
        } else {
            Role::Path
        };
    }
    if one
        && matches!(
            last,
            "action"
                | "operation"
                | "op"
                | "method"
                | "subcommand"
                | "verb"
                | "act"
                | "tool"
                | "actions"
                | "intent"
                | "task_type"
                | "cmd_type"
        )
        || (words.len() == 2
            && matches!(last, "action" | "operation" | "method" | "slug" | "name" | "type")
            && says(&["action", "operation", "http", "tool", "function", "request", "event"]))
    {
        return Role::Action;
    }
    if last == "name" && tool.deferring && tool.things & t::TOOLING != 0 {
        return Role::Action;
    }
    if matches!(last, "query" | "queries" | "q" | "querystring" | "statement" | "statements" | "migration") {
        return if tool.about & t::SQL != 0 { Role::Sql } else { Role::Query };
    }
    if matches!(last, "host" | "hostname" | "ip" | "domain" | "hosts" | "domains") {
        return Role::Host;
    }
    if matches!(last, "amount" | "amounts" | "total" | "lamports" | "wei" | "cents" | "sum")
        || (matches!(last, "value" | "quantity" | "qty" | "price") && tool.things & t::PAYMENT != 0)
    {
        return Role::Amount;
    }
    if last == "currency" || says(&["currency"]) {
        return Role::Currency;
    }
    if says(&["iban", "payee", "beneficiary", "wallet", "bic"])
        || (tool.verb == super::Verb::Pay
            && matches!(last, "to" | "recipient" | "destination" | "address" | "account" | "receiver" | "customer"))
    {
        return Role::Payee;
    }
    if matches!(
        last,
        "to" | "cc"
            | "bcc"
            | "recipient"
            | "recipients"
            | "attendee"
            | "attendees"
            | "participant"
            | "participants"
            | "invitee"
            | "invitees"
            | "email"
            | "emails"
            | "phone"
            | "channel"
            | "channels"
            | "handle"
            | "guests"
            | "chat"
            | "members"
            | "member"
            | "receiver"
            | "with"
            | "reviewers"
            | "mentions"
            | "jid"
            | "users"
    ) || (says(&["recipient", "channel", "chat", "email", "phone", "attendee", "participant"])
        && matches!(last, "id" | "ids" | "number" | "address" | "addresses" | "list" | "name"))
    {
        return Role::Recipient;
    }
    if says(&[
        "permission",
        "permissions",
        "role",
        "roles",
        "visibility",
        "acl",
        "privacy",
        "access",
        "sharing",
        "privilege",
        "privileges",
    ]) {
        return Role::Permission;
    }
    if matches!(last, "state" | "status" | "mode" | "flags" | "conflict" | "strategy" | "policy" | "behavior") {
        return Role::State;
    }
    if matches!(last, "element" | "selector" | "locator" | "button" | "xpath" | "target")
        && tool.verb == super::Verb::Interact
    {
        return Role::Element;
    }
    if matches!(last, "kind" | "type" | "resource" | "types" | "resources") {
        return Role::Kind;
    }
    if matches!(
        last,
        "source"
            | "destination"
            | "dest"
            | "src"
            | "target"
            | "output"
            | "input"
            | "location"
            | "root"
            | "image"
            | "document"
            | "notebook"
            | "workspace"
            | "from"
            | "pattern"
            | "out"
            | "dst"
            | "old"
            | "new"
    ) {
        return Role::MaybePath;
    }
    if matches!(
        last,
        "branch"
            | "ref"
            | "revision"
            | "commit"
            | "tag"
            | "remote"
            | "repo"
            | "repository"
            | "table"
            | "collection"
            | "database"
            | "bucket"
            | "namespace"
            | "name"
            | "id"
            | "owner"
            | "schema"
            | "column"
            | "base"
            | "head"
            | "sha"
            | "image_name"
            | "package"
            | "interface"
            | "device"
            | "container"
            | "pod"
    ) {
        return Role::Plain;
    }
    Role::Content
}
