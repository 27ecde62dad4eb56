//! Values that say what is done: actions, flags, states, what stands on a button.

use super::Arguments;
use crate::facts::lexicon::{Does, thing as t, word};
use crate::facts::role::{Key, Role};
use crate::facts::verb::{Reading, read};
use crate::facts::words::words;
use crate::facts::{Effect, Verb, effect_of, shown};

impl Arguments<'_> {
    pub(super) fn flag(&mut self, key: &Key, truth: bool) {
        let at = || self.pointer.clone();
        let flag = if truth {
            if key.says(&["dangerous", "dangerously", "bypass", "unsafe", "privileged"]) {
                Some((Effect::ChangesPolicy, "turns a safeguard off"))
            } else if key.says(&["permanent", "permanently", "purge", "trashed", "deleted", "trash"])
                && !key.says(&["include", "show", "with", "skip", "exclude", "only"])
            {
                Some((Effect::Deletes, "removes for good"))
            } else if key.says(&["force", "forced", "overwrite", "clobber", "hard", "cascade", "mirror", "wipe"])
                && !key.says(&["refresh", "reload", "fetch"])
            {
                Some((Effect::Overwrites, "does so over what is there"))
            } else if key.says(&["auto"]) && key.says(&["approve", "approved", "confirm", "merge"]) {
                Some((Effect::Overwrites, "does so without asking anyone"))
            } else if key.says(&["public", "publicly", "anyone", "anonymous"]) {
                Some((Effect::Grants, "makes it public"))
            } else if key.says(&["admin", "superuser"]) {
                Some((Effect::Grants, "gives an administrator's permissions"))
            } else if key.says(&["send", "publish", "submit", "notify"]) && !key.says(&["read"]) {
                Some((Effect::Sends, "sends what it writes"))
            } else {
                None
            }
        } else if key.words.len() == 1 && key.says(&["private"]) {
            Some((Effect::Grants, "makes it public"))
        } else {
            None
        };
        if let Some((effect, text)) = flag {
            let at = at();
            self.flags.push((effect, text, at));
        }
    }

    pub(super) fn number(&mut self, key: &Key, token: &str) {
        if key.role == Role::Amount {
            self.money.amount.get_or_insert_with(|| shown(token));
            self.target();
        }
        if key.says(&["replicas"]) && token == "0" {
            self.flags.push((Effect::Overwrites, "scales to nothing", self.pointer.clone()));
        }
    }

    pub(super) fn action(&mut self, key: &Key, text: &str) {
        if text.len() > 96 || text.contains(' ') && !text.trim().contains('_') && text.split_whitespace().count() > 3 {
            return;
        }
        let http = match text.to_ascii_uppercase().as_str() {
            "GET" | "HEAD" | "OPTIONS" if text.chars().all(char::is_uppercase) || key.says(&["method"]) => {
                Some(Verb::Read)
            }
            "POST" | "PUT" | "PATCH" => Some(Verb::Send),
            "DELETE" => Some(Verb::Delete),
            _ => None,
        };
        let named = words(text);
        let mut tokens: Vec<&str> = named.iter().map(String::as_str).collect();
        let objects = self
            .tool
            .words
            .iter()
            .map(String::as_str)
            .filter(|token| word(token).is_none_or(|found| found.does.is_none() || !found.sure));
        tokens.extend(objects);
        let server = self.tool.about;
        let Some(verb) = http.or_else(|| {
            let first = named.first().and_then(|first| word(first)).is_some_and(|first| first.does.is_some());
            if first || self.tool.deferring { read(&tokens, server).map(|Reading { verb, .. }| verb) } else { None }
        }) else {
            return;
        };
        // `calculate(operation: add)` adds numbers.
        let sums = self.tool.about & t::MATH != 0
            || self.tool.words.iter().any(|word| matches!(word.as_str(), "calculate" | "calc" | "compute" | "convert"));
        if sums && self.tool.verb == Verb::Read && named.len() == 1 {
            return;
        }
        self.target();
        if verb > Verb::Read && (self.tool.deferring || verb > self.tool.verb) {
            self.find(effect_of(verb), format!("the argument says `{}`", shown(text)));
        }
        self.settle(verb);
    }

    pub(super) fn permission(&mut self, text: &str) {
        let lower = text.to_ascii_lowercase();
        let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
        let says = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
        if says(&["public", "anyone", "world", "everyone", "allusers"]) {
            self.flags.push((Effect::Grants, "makes it public", self.pointer.clone()));
        } else if says(&["admin", "owner", "write", "writer", "editor", "rw", "maintain", "root", "superuser", "full"])
        {
            self.flags.push((Effect::Grants, "gives a permission", self.pointer.clone()));
        }
    }

    pub(super) fn state(&mut self, text: &str) {
        let lower = text.to_ascii_lowercase();
        let flag = match lower.as_str() {
            "hard" | "overwrite" | "force" | "truncate" | "clobber" | "replace" | "wipe" => {
                Some((Effect::Overwrites, "does so over what is there"))
            }
            "deleted" | "trashed" | "delete" | "purge" => Some((Effect::Deletes, "removes for good")),
            "published" | "sent" | "publish" | "send" => Some((Effect::Sends, "sends what it writes")),
            "public" => Some((Effect::Grants, "makes it public")),
            _ => None,
        };
        if let Some((effect, what)) = flag {
            self.flags.push((effect, what, self.pointer.clone()));
        }
    }

    /// What stands on a button says what pressing it does.
    pub(super) fn element(&mut self, text: &str) {
        let named = words(&text.chars().take(128).collect::<String>());
        let says = |wanted: &[&str]| named.iter().any(|word| wanted.contains(&word.as_str()));
        let effect = if says(&["pay", "buy", "purchase", "checkout", "transfer", "donate", "withdraw", "bid"])
            || (says(&["order", "subscribe"]) && says(&["place", "now", "confirm", "submit", "button"]))
        {
            Effect::MovesMoney
        } else if says(&[
            "delete",
            "remove",
            "destroy",
            "erase",
            "wipe",
            "deactivate",
            "terminate",
            "unsubscribe",
            "discard",
        ]) {
            Effect::Deletes
        } else if says(&["password", "cvv", "card", "ssn", "otp", "pin"]) {
            Effect::SecretInArguments
        } else if says(&[
            "send",
            "submit",
            "post",
            "publish",
            "share",
            "invite",
            "confirm",
            "approve",
            "accept",
            "authorize",
            "allow",
            "grant",
            "sign",
            "reply",
            "comment",
            "save",
            "tweet",
            "merge",
            "register",
            "apply",
        ]) {
            Effect::Sends
        } else {
            return;
        };
        self.find(effect, format!("acts on `{}`", shown(text)));
    }

    /// `set_config(key: blockedCommands)` changes what the tool may do.
    pub(super) fn setting(&mut self, text: &str) {
        let sets = self.tool.words.iter().any(|word| {
            matches!(word.as_str(), "config" | "setting" | "settings" | "configuration" | "option" | "preferences")
        });
        if sets && text.len() < 128 && self.tool.verb > Verb::Read {
            let guards = [
                "blocked",
                "allowed",
                "allow",
                "deny",
                "policy",
                "policies",
                "sandbox",
                "permission",
                "permissions",
                "approval",
                "approvals",
                "security",
                "auth",
                "trusted",
                "guardrails",
                "allowlist",
            ];
            if words(text).iter().any(|word| guards.contains(&word.as_str())) {
                self.find(Effect::ChangesPolicy, format!("changes the safeguard `{}`", shown(text)));
            }
        }
    }

    /// Whether the tool asks for a page: `fetch`, `http_request`.
    pub(in crate::facts) fn requests(&self) -> bool {
        self.tool.words.iter().any(|token| {
            word(token).is_some_and(|found| {
                found.does == Some(Does::Any) || found.does == Some(Does::Visit) || found.things & t::WEB != 0
            })
        })
    }
}
