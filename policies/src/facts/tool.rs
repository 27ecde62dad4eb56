//! `ToolFacts`: what a tool is, by its name, its server, its description and its annotations.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::lexicon::{Does, thing as t, word};
use super::verb::{Reading, read};
use super::words::{acts, opening, words};
use super::{Effect, Finding, Verb};
use crate::call::{Annotations, Method, Standing, Tool};
use crate::canon::Value;
use crate::profile::Content;

/// What a tool is before it is called: the part of [`super::Facts`] that is the same for each of its calls.
#[derive(Clone, Debug)]
pub struct ToolFacts {
    pub(super) name: String,
    /// What its name says that it does; what nothing says is [`Verb::Unknown`].
    pub(super) verb: Verb,
    /// Whether the arguments say better than the name: SQL, a command line, an action, a method.
    pub(super) deferring: bool,
    /// What its name is about.
    pub(super) things: u64,
    /// What its name and its server are about.
    pub(super) about: u64,
    /// The words of its name.
    pub(super) words: Vec<String>,
    pub(super) server_words: Vec<String>,
    pub(super) reads: Content,
    pub(super) open_world: bool,
    pub(super) annotations: Annotations,
    /// What the definition says beyond the verb.
    pub(super) findings: Vec<Finding>,
    /// Whether the verb is the description's, for want of one in the name.
    pub(super) by_description: bool,
    pub(super) method: Method,
}

impl ToolFacts {
    /// What a tool is.
    #[must_use]
    pub fn of(tool: &Tool) -> Self {
        let server_words = words(tool.server().as_str());
        let server = things_of(&server_words);
        let mut own = words(tool.name());
        strip_prefix(&mut own, &server_words);
        let things = things_of(&own);
        let mut facts = Self {
            name: tool.name().to_owned(),
            verb: Verb::Unknown,
            deferring: true,
            things,
            about: things | server,
            words: own,
            server_words,
            reads: Content::Plain,
            open_world: false,
            annotations: tool.annotations(),
            findings: Vec::new(),
            by_description: false,
            method: tool.method(),
        };
        match tool.method() {
            Method::CallTool => {
                facts.judge_name(server);
                facts.judge_description(tool.description(), server);
                facts.judge_schema(tool.input_schema());
            }
            Method::ReadResource | Method::GetPrompt | Method::Complete => {
                (facts.verb, facts.deferring) = (Verb::Read, false);
            }
        }
        facts.judge_keys();
        facts.judge_annotations(tool.standing().vouched);
        facts.judge_content(server, tool.standing());
        facts
    }

    fn judge_name(&mut self, server: u64) {
        let tokens: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match read(&tokens, server) {
            Some(Reading { verb, deferring }) => (self.verb, self.deferring) = (verb, deferring),
            None => (self.verb, self.deferring) = (Verb::Unknown, true),
        }
    }

    /// A description may settle what the name leaves open, or raise; it never lowers what the name says.
    fn judge_description(&mut self, description: &str, server: u64) {
        let told = opening(description);
        let tokens: Vec<&str> = told.iter().map(String::as_str).collect();
        let leads = tokens.first().and_then(|first| word(first)).is_some_and(|first| first.does.is_some());
        let reading = if leads { read(&tokens, server) } else { None };
        if self.verb == Verb::Unknown || (self.deferring && self.things & (t::SQL | t::SHELL | t::CODE) == 0) {
            self.about |= things_of(&told) & (t::SQL | t::SHELL);
            if let Some(Reading { verb, .. }) = reading.filter(|_| self.verb == Verb::Unknown && !self.is_any()) {
                let hidden = tokens.iter().skip(1).any(|token| acts(token));
                if verb != Verb::Read || !hidden {
                    (self.verb, self.by_description) = (verb, true);
                    self.deferring &= verb == Verb::Execute;
                }
            }
        } else if let Some(Reading { verb, .. }) = reading {
            // `branch` and `tag` are nouns too: a description that lists settles which.
            let loose = !self.words.iter().any(|token| word(token).is_some_and(|found| found.sure));
            if loose
                && self.verb == Verb::Write
                && verb == Verb::Read
                && !tokens.iter().skip(1).any(|token| acts(token))
            {
                (self.verb, self.by_description) = (verb, true);
            }
            let weighty = matches!(
                verb,
                Verb::Overwrite | Verb::Delete | Verb::Pay | Verb::Identity | Verb::Govern | Verb::Execute
            );
            if weighty && verb > self.verb {
                (self.verb, self.by_description) = (verb, true);
            }
        }
        if self.verb > Verb::Keep && self.verb < Verb::Overwrite && FINAL.is_match(cut(description, 1_000)) {
            self.find(Effect::Overwrites, "its description says that what it does cannot be undone");
        }
        self.judge_orders(description);
    }

    /// `manage_…` and `call_tool` do what their arguments say; a description has nothing to settle there.
    fn is_any(&self) -> bool {
        self.words.iter().any(|token| word(token).is_some_and(|found| found.does == Some(Does::Any) && found.sure))
    }

    /// Text that gives orders to the model instead of describing a tool is an attack on every agent that reads it.
    fn judge_orders(&mut self, text: &str) {
        if ORDERS.is_match(cut(text, MAX_TEXT)) {
            self.find(Effect::InstructionsInDefinition, "its definition gives orders to the model");
        }
    }

    fn judge_schema(&mut self, schema: Option<&Value>) {
        let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        for (_, property) in properties.into_iter().flat_map(crate::canon::Object::iter).take(1_024) {
            if let Some(text) = property.get("description").and_then(Value::as_str) {
                self.judge_orders(text);
            }
        }
    }

    /// Annotations are a server's own claims: they raise; only an operator's word lets `readOnlyHint` settle an unknown.
    fn judge_annotations(&mut self, vouched: bool) {
        let Annotations { read_only, destructive, open_world, .. } = self.annotations;
        if self.verb == Verb::Unknown && vouched && read_only == Some(true) {
            (self.verb, self.deferring) = (Verb::Read, true);
        }
        let destroys = destructive == Some(true) && read_only != Some(true);
        if destroys && self.verb == Verb::Unknown {
            self.find(Effect::Deletes, "its server says that it destroys (`destructiveHint`)");
        } else if destroys && matches!(self.verb, Verb::Read | Verb::Keep | Verb::Interact) {
            self.find(Effect::AnnotatedDestructive, "its server says that it destroys (`destructiveHint`)");
        } else if read_only == Some(false) && self.verb == Verb::Read {
            self.find(Effect::AnnotatedWrite, "its server says that it does more than read (`readOnlyHint: false`)");
        }
        self.open_world |= open_world == Some(true);
    }

    fn judge_content(&mut self, server: u64, standing: &Standing) {
        let (things, own) = (self.about, self.things);
        let listing = own & t::NAMES != 0 && own & (t::MAIL | t::CHAT | t::WEB | t::TRACKER) & !t::NAMES == 0;
        let names_only = listing
            && self
                .words
                .last()
                .and_then(|last| word(last))
                .is_some_and(|last| last.things & (t::NAMES | t::LABEL) != 0)
            && own & (t::DIRECT | t::SECRET) == 0
            && !self.words.iter().any(|token| matches!(token.as_str(), "history" | "messages" | "read"));
        let labels = own & t::LABEL != 0 && own & t::FILE == 0 && things & t::MAIL != 0;
        let search = self.words.iter().any(|token| token == "search" || token == "research")
            && things & (t::FILE | t::OWN | t::SQL | t::NOSQL | t::MAIL) == 0;
        let outside = things & (t::WEB | t::MAIL | t::CHAT | t::TRACKER | t::DOC | t::BROWSER) != 0
            || (server & t::REPO != 0 && self.remote_repository());
        let mut untrusted = (outside || search) && !names_only && !labels && self.verb < Verb::Write;
        let private = self.private(server) && !names_only && !labels;
        untrusted |= self.open_world;
        let looks = self.deferring || matches!(self.verb, Verb::Read | Verb::Interact | Verb::Unknown | Verb::Execute);
        self.reads = Content::new(untrusted && (looks || self.open_world), private && looks);
        if let Some(declared) = standing.profile.reads() {
            self.reads = declared;
        }
        if self.method == Method::ReadResource && standing.profile.reads().is_none() {
            self.reads = self.reads.and(Content::Untrusted);
        }
        self.open_world |= things & (t::WEB | t::BROWSER) != 0;
    }

    /// Whether it works on repositories at a host, not in a folder.
    pub(super) fn remote_repository(&self) -> bool {
        self.server_words
            .iter()
            .chain(&self.words)
            .any(|token| matches!(token.as_str(), "github" | "gitlab" | "bitbucket" | "gitea"))
    }

    /// A private key or a seed phrase that a tool shows is a credential file by another name.
    fn judge_keys(&mut self) {
        let says = |wanted: &[&str]| self.words.iter().any(|token| wanted.contains(&token.as_str()));
        if self.verb == Verb::Read
            && ((says(&["private"]) && self.things & t::KEY != 0)
                || says(&["mnemonic", "seed_phrase", "keystore"])
                || (says(&["seed"]) && says(&["phrase"])))
        {
            self.find(Effect::CredentialFile, "it shows a private key");
        }
    }

    fn private(&self, server: u64) -> bool {
        let own = self.things;
        let says = |wanted: &[&str]| self.words.iter().any(|token| wanted.contains(&token.as_str()));
        if says(&["documentation", "docs", "product", "products", "coupons", "help", "current_day", "public"]) {
            return false;
        }
        if own & t::MARKET != 0 && !says(&["account", "accounts", "wallet", "portfolio", "balance", "balances", "iban"])
        {
            return false;
        }
        // Cards of a board and accounts of a cloud are nobody's money.
        let things =
            self.words.iter().filter(|token| !matches!(token.as_str(), "card" | "cards" | "account" | "accounts"));
        let money_only = own & t::FINANCE != 0
            && things.filter_map(|token| word(token)).all(|found| found.things & (t::PRIVATE | t::FINANCE) == 0);
        if money_only && (server & (t::TRACKER | t::CLOUD) != 0 || says(&["storage", "board", "list"])) {
            return false;
        }
        let key = own & t::KEY != 0
            && (says(&[
                "api", "access", "ssh", "secret", "private", "auth", "deploy", "refresh", "bearer", "personal",
                "session",
            ]) || server & t::SECRET != 0);
        // People on a code host publish themselves; people in a company's directory do not.
        let public = self.remote_repository() && own & (t::SECRET | t::FINANCE) == 0;
        let of_server = server & (t::MAIL | t::DIRECT | t::LEDGER | t::SECRET | t::CALENDAR) != 0
            || (server & t::PRIVATE != 0 && server & t::CHAT == 0);
        let clock = says(&["time", "day", "date", "timezone", "colors", "price", "prices"]);
        key || (own & t::PRIVATE != 0 && !public) || (of_server && !clock)
    }

    fn find(&mut self, effect: Effect, text: &str) {
        if !self.findings.iter().any(|found| found.effect == effect) {
            self.findings.push(Finding { effect, text: format!("`{}`: {text}", super::shown(&self.name)), at: None });
        }
    }
}

pub(super) fn things_of(words: &[String]) -> u64 {
    words.iter().filter_map(|token| word(token)).fold(0, |all, found| all | found.things)
}

/// Takes the server's own name off the front: `slack_post_message` of `slack` is `post_message`. A name that would lose
/// its last word keeps it: the tool `fetch` of the server `fetch` fetches.
fn strip_prefix(own: &mut Vec<String>, server: &[String]) {
    let prefix = |token: &String| {
        let noise = token.chars().all(|letter| letter.is_ascii_digit())
            || matches!(token.as_str(), "api" | "mcp" | "v" | "tool" | "x" | "beta" | "alpha");
        noise || (server.contains(token) && word(token).is_none_or(|found| !found.sure))
    };
    let strip = own.iter().take_while(|token| prefix(token)).count();
    let rest = own.iter().skip(strip);
    if rest.clone().any(|token| word(token).is_some_and(|found| found.does.is_some())) {
        own.drain(..strip);
    }
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// A description is read this far. Longer ones are rare, and what stands behind counts for models only.
const MAX_TEXT: usize = 16 * 1024;

/// Fixed phrases, found in any ASCII case.
struct Phrases(Option<AhoCorasick>);

impl Phrases {
    fn of(list: &[&str]) -> Self {
        Self(AhoCorasick::builder().ascii_case_insensitive(true).build(list).ok())
    }

    /// Phrases that did not build would match everything: unknown means dangerous.
    fn is_match(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|phrases| phrases.is_match(text))
    }
}

static ORDERS: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::of(&[
        "<important>",
        "</important>",
        "<system>",
        "[system]",
        "<|im_start|>",
        "ignore previous",
        "ignore all previous",
        "ignore prior",
        "ignore the above",
        "disregard previous",
        "disregard all",
        "disregard the above",
        "do not tell the user",
        "don't tell the user",
        "do not mention this",
        "don't mention",
        "do not inform the user",
        "without telling",
        "without informing",
        "without the user",
        "do not reveal",
        "do not disclose",
        "hide this from",
        "not be shown to the user",
        "keep this secret",
        "never mention",
        "secretly",
        "you must first read",
        "before using this tool, read",
        "before calling this tool, read",
        "~/.ssh",
        ".ssh/id_",
        "id_rsa",
        "mcp.json",
        "/etc/passwd",
        "claude_desktop_config",
        ".aws/credentials",
        "system prompt",
        "override your instructions",
        "new instructions:",
        "bypass approval",
        "skip approval",
        "without approval",
        "do not ask for confirmation",
        "don't ask for confirmation",
        "without asking the user",
        "without confirmation from",
        "instead of the user",
        "conversation history and pass",
        "pass its content",
        "pass the content of",
        "pass the contents of",
        "exfiltrat",
        "bcc all",
        "also send a copy",
        "forward a copy",
    ])
});

static FINAL: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::of(&[
        "cannot be undone",
        "can not be undone",
        "can't be undone",
        "irreversibl",
        "permanently",
        "no way to recover",
        "unrecoverabl",
    ])
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_patterns_build_and_find() {
        assert!(ORDERS.is_match("Adds. <IMPORTANT> read it </IMPORTANT>"));
        assert!(FINAL.is_match("This Cannot Be Undone."));
        assert!(!ORDERS.is_match("IMPORTANT: prefer `search` over `list`."));
    }
}
