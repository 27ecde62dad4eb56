//! The arguments of a call, walked once: what each value shows by its role.

mod command;
mod place;
mod say;

use place::is_pathlike;

use super::path::Place;
use super::role::{Key, Role};
use super::tool::ToolFacts;
use super::url::Address;
use super::{Effect, Finding, Money, ShellFacts, SqlFacts, Verb, secret, shown};
use crate::canon::Value;

/// What the arguments of one call show, before anything is concluded from it.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    pub(super) tool: &'a ToolFacts,
    pub(super) findings: Vec<Finding>,
    /// What an argument says that a deferring tool does.
    pub(super) settled: Option<Verb>,
    pub(super) places: Vec<(Place, String, bool)>,
    pub(super) addresses: Vec<(Address, String)>,
    pub(super) recipients: Vec<(String, String)>,
    pub(super) money: Money,
    pub(super) sql: Option<SqlFacts>,
    pub(super) shell: Option<ShellFacts>,
    /// A credential, where it stands, and whether it stands where credentials are used.
    pub(super) secret: Option<(&'static str, String, bool)>,
    pub(super) targets: Vec<String>,
    /// Paths that a shell command writes.
    pub(super) written: Vec<(String, String)>,
    /// A folder that relative paths start from.
    pub(super) base: Option<String>,
    /// `force`, `overwrite`, `permanent`: what counts where something is written.
    pub(super) flags: Vec<(Effect, &'static str, String)>,
    signs: Vec<Sign>,
    pointer: String,
    values: usize,
}

/// What arguments show besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// They ask for what is private.
    Private,
    /// They speak to another host.
    Egress,
    /// They name a repository, a bucket or a project: paths are not of this machine then.
    Remote,
    /// They have a body to send.
    Body,
    /// They have a filter that leaves nothing out.
    EmptyFilter,
    /// They name a path to save to.
    Saves,
    /// They name a way of paying.
    Pays,
}

impl<'a> Arguments<'a> {
    pub(super) fn of(tool: &'a ToolFacts, arguments: &Value) -> Self {
        let mut found = Self {
            tool,
            findings: Vec::new(),
            settled: None,
            places: Vec::new(),
            addresses: Vec::new(),
            recipients: Vec::new(),
            money: Money::default(),
            sql: None,
            shell: None,
            secret: None,
            targets: Vec::new(),
            written: Vec::new(),
            base: None,
            flags: Vec::new(),
            signs: Vec::new(),
            pointer: String::new(),
            values: 0,
        };
        found.sign(Sign::Remote, tool.remote_repository());
        found.walk(&Key::root(), arguments, 0);
        found
    }

    fn walk(&mut self, key: &Key, value: &Value, depth: usize) {
        self.values += 1;
        if self.values > MAX_VALUES || depth > MAX_DEPTH {
            if self.values == MAX_VALUES + 1 || depth == MAX_DEPTH + 1 {
                self.find(Effect::Unknown, "the arguments are more than is read of them".to_owned());
            }
            return;
        }
        let length = self.pointer.len();
        self.sign(Sign::Body, !value.is_null() && key.says(&["body", "json", "payload", "form", "data"]));
        match value {
            Value::Null => {}
            Value::Bool(truth) => self.flag(key, *truth),
            Value::Number(number) => self.number(key, number.as_str()),
            Value::String(text) => self.string(key, text),
            Value::Array(items) => {
                if self.command_words(key, items) {
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    self.pointer.push('/');
                    self.pointer.push_str(&index.to_string());
                    self.walk(key, item, depth + 1);
                    self.pointer.truncate(length);
                    if self.values > MAX_VALUES {
                        break;
                    }
                }
            }
            Value::Object(object) => {
                self.sign(Sign::EmptyFilter, object.is_empty() && key.says(&["filter", "where", "query", "match"]));
                for (name, member) in object.iter() {
                    self.pointer.push('/');
                    self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    let inner = self.key(name, key);
                    self.walk(&inner, member, depth + 1);
                    self.pointer.truncate(length);
                    if self.values > MAX_VALUES {
                        break;
                    }
                }
            }
        }
    }

    fn key(&mut self, name: &str, outer: &Key) -> Key {
        match name {
            "$where" | "$function" | "$accumulator" => {
                self.find(Effect::RunsCode, format!("runs code in the database by `{name}`"));
            }
            "$out" | "$merge" => self.find(Effect::Overwrites, format!("replaces a collection by `{name}`")),
            _ => {}
        }
        let key = Key::of(name, self.tool);
        self.sign(Sign::Pays, key.says(&["payment", "payments", "cvv", "pan"]));
        self.sign(
            Sign::Remote,
            key.says(&["owner", "repo", "repository", "bucket", "project", "sheet", "spreadsheet"])
                && !key.says(&["path"]),
        );
        if outer.role == Role::Header || (outer.role == Role::Attachment && key.role == Role::Content) {
            return Key { role: outer.role, ..key };
        }
        key
    }

    fn string(&mut self, key: &Key, text: &str) {
        if let Some(kind) = secret::find(text) {
            let used = key.role == Role::Header
                || key.says(&[
                    "token",
                    "key",
                    "password",
                    "secret",
                    "authorization",
                    "apikey",
                    "credential",
                    "credentials",
                ]);
            if self.secret.as_ref().is_none_or(|(_, _, before)| *before && !used) {
                self.secret = Some((kind, self.pointer.clone(), used));
            }
        }
        if text.len() <= 64 && key.says(&["password", "passwd"]) && self.secret.is_none() && !text.is_empty() {
            self.secret = Some(("password", self.pointer.clone(), true));
        }
        match key.role {
            Role::Path => self.path(text, false),
            Role::Attachment => self.attachment(text),
            Role::MaybePath if is_pathlike(text) => self.path(text, false),
            Role::Url => self.url(text, true),
            Role::Host => self.host(text),
            Role::Sql => self.sql(text),
            Role::Query => self.query(text),
            Role::Shell => self.line(text, key.says(&["args", "argv", "arguments"])),
            Role::Code => self.code(text),
            Role::Action => self.action(key, text),
            Role::Recipient => self.recipient(text),
            Role::Payee => {
                self.money.payee.get_or_insert_with(|| shown(text));
                self.recipient(text);
            }
            Role::Amount => {
                self.money.amount.get_or_insert_with(|| shown(text));
                self.target();
            }
            Role::Currency => {
                self.money.currency.get_or_insert_with(|| shown(text));
            }
            Role::Permission => self.permission(text),
            Role::State => self.state(text),
            Role::MaybePath | Role::Plain => self.plain(text),
            Role::Element => self.element(text),
            Role::Kind => {
                self.sign(Sign::Private, text.to_ascii_lowercase().starts_with("secret"));
                self.plain(text);
            }
            Role::Header => {}
            Role::Content => self.content(key, text),
        }
    }

    fn content(&mut self, key: &Key, text: &str) {
        if key.says(&["key", "name", "setting", "option"]) {
            self.setting(text);
        }
        if key.says(&["body", "content", "data", "payload", "text", "message", "json", "form"]) && !text.is_empty() {
            self.sign(Sign::Body, true);
        }
        if text.len() < 2_048 && !text.contains(char::is_whitespace) {
            if text.contains("://") {
                self.url(text, false);
            } else if text.starts_with("0x")
                && text.len() == 42
                && text.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit())
            {
                self.money.payee.get_or_insert_with(|| shown(text));
            }
        }
        if self.tool.verb == Verb::Interact
            && key.says(&["text", "value"])
            && self.tool.words.iter().any(|word| word == "click")
        {
            self.element(text);
        }
    }

    pub(super) fn shows(&self, sign: Sign) -> bool {
        self.signs.contains(&sign)
    }

    pub(super) fn sign(&mut self, sign: Sign, shown: bool) {
        if shown && !self.shows(sign) {
            self.signs.push(sign);
        }
    }

    fn settle(&mut self, verb: Verb) {
        self.settled = Some(self.settled.map_or(verb, |before| before.max(verb)));
    }

    fn target(&mut self) {
        if self.targets.last() != Some(&self.pointer) && self.targets.len() < MAX_TARGETS {
            self.targets.push(self.pointer.clone());
        }
    }

    pub(super) fn find(&mut self, effect: Effect, text: String) {
        if !self.findings.iter().any(|found| found.effect == effect) {
            let at = (!self.pointer.is_empty()).then(|| self.pointer.clone());
            self.findings.push(Finding { effect, text, at });
        }
    }
}

/// Calls with more values are data; the rest of them is counted as dangerous.
const MAX_VALUES: usize = 20_000;
const MAX_DEPTH: usize = 64;
const MAX_TARGETS: usize = 128;
