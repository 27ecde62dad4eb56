//! Statements that change what a database is, not what it holds.

use sqlparser::tokenizer::Token;

use super::{Effect, Statement, shown};

impl Statement<'_> {
    pub(super) fn alter(&self) -> (Effect, String) {
        match self.word(1) {
            "user" | "role" | "login" | "group" => {
                (Effect::ChangesIdentity, "changes who may log in to the database".to_owned())
            }
            "system" | "server" | "policy" => {
                (Effect::ChangesPolicy, "changes the database's settings or policies".to_owned())
            }
            _ if self.has("drop") => (Effect::Deletes, format!("drops a part of `{}`", self.named(&[self.word(1)]))),
            _ if self.has("disable") || (self.has("no") && self.has("force")) => {
                (Effect::ChangesPolicy, "turns a safeguard of the database off".to_owned())
            }
            _ if self.has("owner") => (Effect::ChangesIdentity, "changes who owns a part of the database".to_owned()),
            _ => (Effect::WritesOutsideScope, format!("changes the schema of `{}`", self.named(&[self.word(1)]))),
        }
    }

    pub(super) fn create(&self) -> (Effect, String) {
        let early = |wanted: &[&str]| self.words.iter().skip(1).take(4).any(|word| wanted.contains(&word.as_str()));
        if early(&["user", "role", "login"]) {
            (Effect::ChangesIdentity, "makes someone who may log in to the database".to_owned())
        } else if early(&["function", "procedure", "trigger", "extension", "event", "language", "macro", "alias"]) {
            (Effect::RunsCode, "puts code into the database".to_owned())
        } else if early(&["policy", "rule"]) {
            (Effect::ChangesPolicy, "changes the database's policies".to_owned())
        } else if early(&["server", "subscription", "publication", "link", "connection", "foreign", "external"]) {
            (Effect::NewDestination, "connects the database to another".to_owned())
        } else if self.word(1) == "or" && self.word(2) == "replace" && early(&["table", "database", "schema"]) {
            (Effect::Overwrites, "replaces a table".to_owned())
        } else {
            (Effect::WritesOutsideScope, format!("creates {} `{}`", self.word(1), self.named(&[self.word(1)])))
        }
    }

    pub(super) fn set(&self) -> Option<(Effect, String)> {
        let early = |wanted: &[&str]| self.words.iter().skip(1).take(3).any(|word| wanted.contains(&word.as_str()));
        if early(&["password", "role", "authorization"]) {
            Some((Effect::ChangesIdentity, "changes as whom the database is used".to_owned()))
        } else {
            early(&["global", "persist"])
                .then(|| (Effect::ChangesPolicy, "changes the database's settings for everyone".to_owned()))
        }
    }

    pub(super) fn copy(&self) -> Option<(Effect, String)> {
        if self.has("program") {
            Some((Effect::RunsCode, "runs a program on the database's server".to_owned()))
        } else if self.has("stdout") {
            None
        } else if self.has("to") {
            Some((Effect::Sends, "writes data out of the database".to_owned()))
        } else {
            Some((Effect::WritesOutsideScope, "loads data into the database".to_owned()))
        }
    }

    pub(super) fn pragma(&self) -> Option<(Effect, String)> {
        const LOOKS: [&str; 14] = [
            "table_info",
            "table_xinfo",
            "index_list",
            "index_info",
            "foreign_key_list",
            "database_list",
            "table_list",
            "integrity_check",
            "quick_check",
            "user_version",
            "page_count",
            "schema_version",
            "compile_options",
            "function_list",
        ];
        let sets = self.tokens.iter().any(|token| matches!(token, Token::Eq));
        let looks = self.has_any(&LOOKS) || self.tokens.len() <= 2;
        (sets || !looks)
            .then(|| (Effect::Operates, format!("changes the database's setting `{}`", shown(self.word(1)))))
    }
}
