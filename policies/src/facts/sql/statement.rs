//! `Statement`: what one statement does, by its words.

mod reach;
mod schema;

use sqlparser::tokenizer::{Token, Word};

use crate::facts::{Effect, shown};

/// One statement's tokens, and its bare words in upper case where they are not quoted.
pub(super) struct Statement<'a> {
    pub(super) tokens: Vec<&'a Token>,
    words: Vec<String>,
}

impl<'a> Statement<'a> {
    pub(super) fn of(tokens: &[&'a Token]) -> Self {
        let start = tokens.iter().take_while(|token| matches!(token, Token::LParen)).count();
        let tokens: Vec<&Token> = tokens.iter().skip(start).copied().collect();
        let words = tokens
            .iter()
            .map(|token| bare(token).map_or_else(String::new, |word| word.value.to_ascii_lowercase()))
            .collect();
        Self { tokens, words }
    }

    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    fn has(&self, wanted: &str) -> bool {
        self.words.iter().any(|word| word == wanted)
    }

    fn has_any(&self, wanted: &[&str]) -> bool {
        self.words.iter().any(|word| wanted.contains(&word.as_str()))
    }

    /// The name after the first of these words.
    fn named(&self, after: &[&str]) -> String {
        let at = self.words.iter().position(|word| after.contains(&word.as_str())).map_or(0, |at| at + 1);
        let skip = ["if", "not", "exists", "only", "table", "into", "or", "ignore", "replace", "from"];
        let mut rest = self.tokens.iter().skip(at).filter_map(|token| name(token));
        let mut rest = rest.by_ref().filter(|name| !skip.contains(&name.to_ascii_lowercase().as_str()));
        rest.next().map(shown).unwrap_or_default()
    }

    /// What the statement does beyond reading, by its head.
    pub(super) fn effect(&self) -> Option<(Effect, String)> {
        let found = |effect, text: String| Some((effect, text));
        match self.word(0) {
            "select" | "with" | "values" | "table" | "from" | "summarize" | "pivot" | "unpivot" => self.select(),
            "explain" | "desc" | "describe" | "profile" => self.explain(),
            "show" | "help" | "list" | "ls" | "use" | "begin" | "start" | "commit" | "end" | "rollback"
            | "savepoint" | "release" | "abort" | "discard" | "declare" | "fetch" | "close" | "listen" | "unlisten"
            | "analyze" | "analyse" | "go" | "checkpoint" | "print" | "if" | "reset" => None,
            "match" | "optional" | "unwind" | "return" => self.cypher(),
            "pragma" => self.pragma(),
            "insert" if self.has("overwrite") => {
                found(Effect::Overwrites, format!("overwrites the rows of `{}`", self.named(&["overwrite"])))
            }
            "insert" | "upsert" | "replace" | "merge" | "import" | "put" => self.insert(),
            "update" => self.update(),
            "delete" => found(Effect::Deletes, format!("deletes rows of `{}`", self.named(&["from", "delete"]))),
            "truncate" => found(Effect::Deletes, format!("empties `{}`", self.named(&["truncate"]))),
            "drop" | "purge" | "remove" | "undrop" => {
                found(Effect::Deletes, format!("drops {} `{}`", self.word(1), self.named(&[self.word(1)])))
            }
            "detach" if self.has("delete") => found(Effect::Deletes, "deletes nodes of the graph".to_owned()),
            "alter" => Some(self.alter()),
            "create" => Some(self.create()),
            "grant" => found(Effect::Grants, "grants a permission in the database".to_owned()),
            "revoke" | "deny" => found(Effect::Grants, "changes permissions in the database".to_owned()),
            "set" => self.set(),
            "exec" | "execute" | "call" | "do" | "prepare" | "handler" => {
                found(Effect::RunsCode, format!("runs code in the database by `{}`", self.word(0)))
            }
            "load" | "install" => {
                let data = self.word(1) == "data" || self.word(1) == "csv";
                if data {
                    found(Effect::WritesOutsideScope, "loads a file into the database".to_owned())
                } else {
                    found(Effect::RunsCode, "loads an extension into the database".to_owned())
                }
            }
            "copy" => self.copy(),
            "unload" | "export" | "notify" => found(Effect::Sends, "sends data out of the database".to_owned()),
            "attach" => found(Effect::NewDestination, "attaches another database".to_owned()),
            "restore" => found(Effect::Overwrites, "restores a database over what is there".to_owned()),
            "comment" | "rename" => found(Effect::WritesOutsideScope, "changes the schema".to_owned()),
            "kill" | "lock" | "unlock" | "vacuum" | "reindex" | "optimize" | "cluster" | "refresh" | "backup"
            | "shutdown" | "flush" | "detach" => {
                found(Effect::Operates, format!("operates the database by `{}`", self.word(0)))
            }
            other => found(Effect::Unknown, format!("starts a statement with `{}`, which is not known", shown(other))),
        }
    }

    fn select(&self) -> Option<(Effect, String)> {
        let after = |at: usize| self.word(at + 1);
        let into = self.words.iter().position(|word| word == "into");
        if let Some(at) = into.filter(|at| matches!(after(*at), "outfile" | "dumpfile")) {
            return Some((
                Effect::RunsCode,
                format!("writes a file on the database's server (`INTO {}`)", after(at).to_ascii_uppercase()),
            ));
        }
        // `WITH x AS (...) DELETE …`: the statement proper comes last.
        let nested = self.nested();
        if nested.is_some() {
            return nested;
        }
        into.map(|_| (Effect::WritesOutsideScope, "makes a table from what it selects".to_owned()))
    }

    /// A change inside of a query: after a bracket, or after the bracket that ends a `WITH`.
    fn nested(&self) -> Option<(Effect, String)> {
        let opens = |token: Option<&&Token>| matches!(token, Some(Token::LParen | Token::RParen));
        self.words.iter().enumerate().skip(1).find_map(|(at, word)| {
            if !opens(self.tokens.get(at.wrapping_sub(1))) {
                return None;
            }
            let inner = Statement { tokens: self.tokens.get(at..)?.to_vec(), words: self.words.get(at..)?.to_vec() };
            match word.as_str() {
                "delete" | "truncate" | "drop" => inner.effect(),
                "update" if inner.has("set") => inner.update(),
                "insert" | "merge" if inner.has("into") => inner.insert(),
                _ => None,
            }
        })
    }

    fn explain(&self) -> Option<(Effect, String)> {
        let runs =
            self.words.iter().take(6).any(|word| word == "analyze" || word == "analyse") || self.word(0) == "profile";
        let at = self.words.iter().position(|word| {
            matches!(word.as_str(), "insert" | "update" | "delete" | "merge" | "create" | "select" | "with")
        })?;
        let inner = Statement { tokens: self.tokens.get(at..)?.to_vec(), words: self.words.get(at..)?.to_vec() };
        if runs { inner.effect() } else { None }
    }

    fn cypher(&self) -> Option<(Effect, String)> {
        if self.has_any(&["delete", "detach", "drop"]) {
            Some((Effect::Deletes, "deletes nodes of the graph".to_owned()))
        } else if self.has_any(&["create", "merge", "set", "remove", "foreach"]) {
            Some((Effect::WritesOutsideScope, "changes the graph".to_owned()))
        } else {
            self.has("load").then(|| (Effect::NewDestination, "loads a file into the graph".to_owned()))
        }
    }

    fn insert(&self) -> Option<(Effect, String)> {
        self.weighty()
            .or_else(|| Some((Effect::WritesOutsideScope, format!("writes rows of `{}`", self.named(&["into"])))))
    }

    fn update(&self) -> Option<(Effect, String)> {
        let table = self.named(&["update"]);
        let every = !self.has("where") || self.always_true();
        let weighty = self.weighty();
        if every && weighty.is_none() {
            Some((Effect::Overwrites, format!("changes every row of `{table}`")))
        } else {
            weighty.or_else(|| Some((Effect::WritesOutsideScope, format!("changes rows of `{table}`"))))
        }
    }

    /// `WHERE 1=1` and `WHERE true` choose nothing.
    fn always_true(&self) -> bool {
        let Some(at) = self.words.iter().position(|word| word == "where") else { return true };
        let rest = self.tokens.get(at + 1..).unwrap_or_default();
        if let [Token::Number(left, _), Token::Eq, Token::Number(right, _), ..]
        | [Token::SingleQuotedString(left), Token::Eq, Token::SingleQuotedString(right), ..] = rest
        {
            return left == right;
        }
        if let [Token::Number(number, _)] = rest {
            return number != "0";
        }
        rest.first().and_then(|token| name(token)).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// Columns that hold who someone is, or money.
    fn weighty(&self) -> Option<(Effect, String)> {
        let to = self
            .words
            .iter()
            .position(|word| word == "where" || word == "values" || word == "select")
            .unwrap_or(self.tokens.len());
        let mut columns =
            self.tokens.iter().take(to).skip(2).filter_map(|token| name(token)).map(str::to_ascii_lowercase);
        columns.find_map(|column| {
            let says = |list: &[&str]| column.split('_').any(|part| list.contains(&part));
            if says(&[
                "password",
                "passwd",
                "pwd",
                "role",
                "roles",
                "admin",
                "superuser",
                "permission",
                "permissions",
                "mfa",
                "otp",
                "apikey",
                "privilege",
            ]) {
                Some((Effect::ChangesIdentity, format!("changes identities or credentials (`{}`)", shown(&column))))
            } else if says(&["balance", "credit", "iban"]) && self.word(0) == "update" {
                Some((Effect::MovesMoney, format!("changes what is owned (`{}`)", shown(&column))))
            } else {
                None
            }
        })
    }
}

/// The word that a token is, quoted or not.
fn name(token: &Token) -> Option<&str> {
    if let Token::Word(word) = token { Some(&word.value) } else { None }
}

/// The word that a token is, if it could be a keyword.
fn bare(token: &Token) -> Option<&Word> {
    if let Token::Word(word) = token { Some(word).filter(|word| word.quote_style.is_none()) } else { None }
}
