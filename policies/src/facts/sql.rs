//! SQL: what each statement does, by its grammar where one reads it, by its first words where none does.

use sqlparser::dialect::{Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::lexicon::{thing as t, word};
use super::words::words;
use super::{Effect, SqlFacts};

/// What SQL does.
#[derive(Debug, Default)]
pub(super) struct Sql {
    pub(super) facts: SqlFacts,
    /// What was found beyond reading, weightiest wherever.
    pub(super) found: Vec<(Effect, String)>,
    /// Whether it reads what is private.
    pub(super) private: bool,
}

impl Sql {
    /// What a text of SQL does, in whichever dialect that it does most.
    pub(super) fn of(text: &str) -> Self {
        let mut sql = Self { facts: SqlFacts { parsed: true, ..SqlFacts::default() }, ..Self::default() };
        if text.len() > MAX_SQL {
            sql.unknown("is SQL too long to be read whole");
        }
        let text = text.get(..text.floor_char_boundary(MAX_SQL)).unwrap_or_default();
        if text.contains("/*!") || text.contains("/*M!") {
            sql.find(Effect::CommandInjection, "hides SQL in a comment that MySQL executes".to_owned());
        }
        // Where these stand, dialects disagree on where a string or a comment ends: every reading counts.
        let dialects: &[&dyn Dialect] = if text.contains(['\\', '#', '$', '`', '[']) || text.contains("--") {
            &[&GenericDialect {}, &PostgreSqlDialect {}, &MySqlDialect {}, &MsSqlDialect {}]
        } else {
            &[&GenericDialect {}]
        };
        let mut read = None;
        for dialect in dialects {
            if let Ok(tokens) = Tokenizer::new(*dialect, text).tokenize() {
                sql.script(&tokens);
                read = read.max(Some(links(&tokens)));
            }
        }
        if let Some(links) = read {
            sql.check_grammar(text, links);
        } else {
            sql.unknown("is SQL that cannot be read");
        }
        sql
    }

    /// Whether a text is SQL by its shape, wherever it stands.
    pub(super) fn looks_like(text: &str) -> bool {
        let mut words =
            text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let any = |list: &[&str]| {
            list.iter().any(|word| {
                text.as_bytes()
                    .windows(word.len())
                    .take(MAX_LOOK)
                    .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
            })
        };
        match first.to_ascii_uppercase().as_str() {
            "SELECT" => any(&[" from ", "\nfrom ", "("]) || second.chars().all(|letter| letter.is_ascii_digit()),
            "WITH" => any(&[" as (", " as(", "select"]),
            "INSERT" | "REPLACE" => any(&["into"]),
            "UPDATE" => any(&[" set "]),
            "DELETE" => any(&["from "]),
            "DROP" | "ALTER" | "TRUNCATE" | "CREATE" => [
                "table",
                "database",
                "index",
                "view",
                "user",
                "role",
                "schema",
                "function",
                "trigger",
                "or",
                "unique",
                "temporary",
                "extension",
                "policy",
            ]
            .iter()
            .any(|kind| second.eq_ignore_ascii_case(kind)),
            "GRANT" | "REVOKE" => any(&[" to ", " from "]),
            "EXEC" | "PRAGMA" | "ATTACH" => true,
            _ => false,
        }
    }

    fn script(&mut self, tokens: &[Token]) {
        let visible: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
        for statement in visible.split(|token| **token == Token::SemiColon).take(MAX_STATEMENTS + 1).enumerate() {
            match statement {
                (MAX_STATEMENTS, _) => self.unknown("is more SQL than is read"),
                (_, []) => {}
                (_, statement) => self.statement(&Statement::of(statement)),
            }
        }
    }

    fn statement(&mut self, statement: &Statement<'_>) {
        let head = statement.word(0);
        let kind = KINDS.iter().find(|kind| **kind == head).copied().unwrap_or("other");
        if self.facts.statements.len() < MAX_STATEMENTS
            && !(self.facts.statements.last() == Some(&kind) && statement.tokens.is_empty())
        {
            self.facts.statements.push(kind);
        }
        self.private |= statement.private(&mut self.facts.tables);
        if let Some((effect, text)) = statement.effect() {
            self.find(effect, text);
        }
        for (effect, text) in statement.inside() {
            self.find(effect, text);
        }
    }

    /// A read counts as understood only where some grammar reads all of it.
    fn check_grammar(&mut self, text: &str, links: usize) {
        let reads =
            self.facts.statements.iter().any(|kind| matches!(*kind, "select" | "with" | "values" | "table" | "from"));
        if !reads {
            return;
        }
        // Parsers look ahead at each bracket: nesting is bounded before they see it.
        let deepest = text.bytes().fold((0i32, 0i32), |(now, most), byte| match byte {
            b'(' | b'[' | b'{' => (now + 1, most.max(now + 1)),
            b')' | b']' | b'}' => (now - 1, most),
            _ => (now, most),
        });
        let dialects: [&dyn Dialect; 5] =
            [&GenericDialect {}, &PostgreSqlDialect {}, &MySqlDialect {}, &SQLiteDialect {}, &MsSqlDialect {}];
        let parses = |dialect: &&dyn Dialect| {
            let parser = Parser::new(*dialect).with_recursion_limit(MAX_DEPTH).try_with_sql(text);
            parser.and_then(|mut parser| parser.parse_statements()).is_ok()
        };
        if deepest.1 > MAX_NESTING || links > MAX_LINKS || !dialects.iter().any(parses) {
            self.unknown("is SQL that no grammar here reads whole");
        }
    }

    fn unknown(&mut self, why: &str) {
        self.facts.parsed = false;
        self.find(Effect::Unknown, why.to_owned());
    }

    fn find(&mut self, effect: Effect, text: String) {
        if !self.found.iter().any(|(found, _)| *found == effect) {
            self.found.push((effect, text));
        }
    }
}

/// How many tokens could each make a parser's tree one level deeper. `1+1+1+…` becomes a tree as deep as it is long, and
/// dropping such a tree overflows the stack.
fn links(tokens: &[Token]) -> usize {
    let link = |token: &&Token| match token {
        Token::Word(word) => {
            word.quote_style.is_none() && LINKS.iter().any(|link| word.value.eq_ignore_ascii_case(link))
        }
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::Period
        | Token::SemiColon => false,
        _ => true,
    };
    tokens.iter().filter(link).count()
}

const LINKS: &[&str] = &[
    "and",
    "or",
    "not",
    "is",
    "like",
    "ilike",
    "in",
    "between",
    "union",
    "intersect",
    "except",
    "minus",
    "join",
    "case",
    "when",
    "else",
    "collate",
    "at",
    "over",
    "filter",
    "within",
    "div",
    "mod",
    "xor",
    "with",
];

/// One statement's tokens, and its bare words in upper case where they are not quoted.
struct Statement<'a> {
    tokens: Vec<&'a Token>,
    words: Vec<String>,
}

impl<'a> Statement<'a> {
    fn of(tokens: &[&'a Token]) -> Self {
        let start = tokens.iter().take_while(|token| matches!(token, Token::LParen)).count();
        let tokens: Vec<&Token> = tokens.iter().skip(start).copied().collect();
        let words = tokens
            .iter()
            .map(|token| match token {
                Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
                _ => String::new(),
            })
            .collect();
        Self { tokens, words }
    }

    fn word(&self, at: usize) -> &str {
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
        let mut rest = self.tokens.iter().skip(at).filter_map(|token| match token {
            Token::Word(word) if !skip.contains(&word.value.to_ascii_lowercase().as_str()) => Some(word.value.as_str()),
            _ => None,
        });
        rest.next().map(super::shown).unwrap_or_default()
    }

    /// What the statement does beyond reading, by its head.
    fn effect(&self) -> Option<(Effect, String)> {
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
            "alter" => self.alter(),
            "create" => self.create(),
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
            other => {
                found(Effect::Unknown, format!("starts a statement with `{}`, which is not known", super::shown(other)))
            }
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

    fn pragma(&self) -> Option<(Effect, String)> {
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
            .then(|| (Effect::Operates, format!("changes the database's setting `{}`", super::shown(self.word(1)))))
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
        match self.tokens.get(at + 1..).unwrap_or_default() {
            [Token::Word(word), ..] if word.value.eq_ignore_ascii_case("true") => true,
            [Token::Number(left, _), Token::Eq, Token::Number(right, _), ..] => left == right,
            [Token::SingleQuotedString(left), Token::Eq, Token::SingleQuotedString(right), ..] => left == right,
            [Token::Number(number, _)] => number != "0",
            _ => false,
        }
    }

    /// Columns that hold who someone is, or money.
    fn weighty(&self) -> Option<(Effect, String)> {
        let to = self
            .words
            .iter()
            .position(|word| word == "where" || word == "values" || word == "select")
            .unwrap_or(self.tokens.len());
        let mut columns = self.tokens.iter().take(to).skip(2).filter_map(|token| match token {
            Token::Word(word) => Some(word.value.to_ascii_lowercase()),
            _ => None,
        });
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
                Some((
                    Effect::ChangesIdentity,
                    format!("changes identities or credentials (`{}`)", super::shown(&column)),
                ))
            } else if says(&["balance", "credit", "iban"]) && self.word(0) == "update" {
                Some((Effect::MovesMoney, format!("changes what is owned (`{}`)", super::shown(&column))))
            } else {
                None
            }
        })
    }

    fn alter(&self) -> Option<(Effect, String)> {
        Some(match self.word(1) {
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
        })
    }

    fn create(&self) -> Option<(Effect, String)> {
        let early = |wanted: &[&str]| self.words.iter().skip(1).take(4).any(|word| wanted.contains(&word.as_str()));
        Some(if early(&["user", "role", "login"]) {
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
        })
    }

    fn set(&self) -> Option<(Effect, String)> {
        let early = |wanted: &[&str]| self.words.iter().skip(1).take(3).any(|word| wanted.contains(&word.as_str()));
        if early(&["password", "role", "authorization"]) {
            Some((Effect::ChangesIdentity, "changes as whom the database is used".to_owned()))
        } else {
            early(&["global", "persist"])
                .then(|| (Effect::ChangesPolicy, "changes the database's settings for everyone".to_owned()))
        }
    }

    fn copy(&self) -> Option<(Effect, String)> {
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

    /// Functions that reach out of the database.
    fn inside(&self) -> Vec<(Effect, String)> {
        let called = |at: usize| matches!(self.tokens.get(at + 1), Some(Token::LParen));
        let names = self.tokens.iter().enumerate().filter_map(|(at, token)| match token {
            Token::Word(word) => Some((at, word.value.to_ascii_lowercase())),
            _ => None,
        });
        names
            .filter_map(|(at, name)| {
                let (effect, what) = OUTWARD
                    .iter()
                    .find(|(_, _, list)| list.contains(&name.as_str()))
                    .map(|(effect, what, _)| (*effect, *what))?;
                (called(at) || name == "xp_cmdshell").then(|| (effect, format!("{what} by `{}`", super::shown(&name))))
            })
            .collect()
    }

    /// Whether a name says that private data is read; collects the tables' names.
    fn private(&self, tables: &mut Vec<String>) -> bool {
        let mut private = false;
        let mut table_next = false;
        for (at, token) in self.tokens.iter().enumerate() {
            let Token::Word(name) = token else {
                table_next = false;
                continue;
            };
            let bare = self.word(at);
            if table_next && !matches!(bare, "select" | "only" | "if" | "exists" | "lateral" | "not") {
                let table = super::shown(&name.value);
                if tables.len() < MAX_TABLES && !tables.contains(&table) {
                    tables.push(table);
                }
            }
            let sorts = matches!(bare, "order" | "group") && self.word(at + 1) == "by";
            private |= at > 0
                && !sorts
                && (says_private(&name.value) || matches!(bare, "pg_shadow" | "pg_authid" | "pg_user_mapping"));
            table_next = matches!(bare, "from" | "join" | "into" | "update" | "table")
                || (table_next && matches!(bare, "only" | "if" | "not" | "exists"));
        }
        private && !self.has("information_schema") && !self.has("pg_catalog")
    }
}

fn says_private(name: &str) -> bool {
    let parts = words(name);
    let private = parts.iter().any(|part| {
        word(part).is_some_and(|found| found.things & (t::PRIVATE | t::SECRET) != 0 && found.things & t::CALENDAR == 0)
    });
    private && !parts.iter().any(|part| matches!(part.as_str(), "id" | "ids" | "count" | "type" | "price" | "name"))
        || parts
            .iter()
            .any(|part| matches!(part.as_str(), "phone" | "dob" | "birthdate" | "token" | "hash" | "surname"))
        || (parts.iter().any(|part| part == "name")
            && parts.iter().any(|part| matches!(part.as_str(), "first" | "last" | "full")))
}

const OUTWARD: &[(Effect, &str, &[&str])] = &[
    (
        Effect::CredentialFile,
        "reads files of the database's server",
        &[
            "pg_read_file",
            "pg_read_binary_file",
            "pg_ls_dir",
            "lo_import",
            "load_file",
            "readfile",
            "openrowset",
            "bulk_insert",
            "read_text",
            "read_blob",
            "pg_stat_file",
            "utl_file",
        ],
    ),
    (
        Effect::RunsCode,
        "runs code outside of the database's grammar",
        &[
            "xp_cmdshell",
            "sp_oacreate",
            "sys_exec",
            "sys_eval",
            "load_extension",
            "lo_export",
            "writefile",
            "dbms_scheduler",
            "sp_executesql",
            "dblink_exec",
            "query_to_xml",
            "pg_execute_server_program",
            "edit",
            "eval",
            "system",
            "shell",
        ],
    ),
    (
        Effect::NewDestination,
        "reaches another server",
        &[
            "dblink",
            "dblink_connect",
            "opendatasource",
            "openquery",
            "http_get",
            "http_post",
            "http",
            "utl_http",
            "url",
            "s3",
            "remote",
            "postgres_scan",
            "mysql",
            "net_http_post",
            "extracturl",
            "xp_dirtree",
        ],
    ),
    (
        Effect::Operates,
        "ends other sessions",
        &["pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal"],
    ),
    (Effect::ChangesPolicy, "changes settings", &["set_config"]),
    (Effect::Deletes, "removes a stored object", &["lo_unlink", "pg_drop_replication_slot"]),
];

const KINDS: &[&str] = &[
    "select", "with", "values", "table", "from", "insert", "update", "delete", "merge", "replace", "truncate", "drop",
    "alter", "create", "grant", "revoke", "copy", "call", "exec", "execute", "do", "explain", "show", "describe",
    "pragma", "set", "use", "begin", "commit", "rollback", "attach", "match", "vacuum", "load", "install", "kill",
    "analyze", "desc", "upsert",
];

/// Longer SQL is data rather than a question; what stands behind is not read.
const MAX_SQL: usize = 64 * 1024;
const MAX_LOOK: usize = 4 * 1024;
const MAX_STATEMENTS: usize = 64;
const MAX_TABLES: usize = 16;
const MAX_NESTING: i32 = 16;
const MAX_DEPTH: usize = 40;
const MAX_LINKS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(sql: &str) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Sql::of(sql).found.into_iter().map(|(effect, _)| effect).collect();
        effects.sort();
        effects
    }

    #[test]
    fn reads_are_only_reads() {
        for sql in [
            "SELECT 1",
            "select * from t where a = 'x; drop table t'",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "SHOW TABLES",
            "DESCRIBE t",
            "EXPLAIN SELECT 1",
            "PRAGMA table_info(t)",
            "-- note\nSELECT 1",
            "SELECT \"delete\" FROM t",
            "SELECT * FROM t FOR UPDATE",
            "SELECT a FROM t; SELECT b FROM t;",
            "SELECT x::int FROM t WHERE y ILIKE 'a%'",
            "EXPLAIN DELETE FROM t",
            "SELECT `a` FROM `t`",
            "SELECT replace(a, 'b', 'c') FROM t",
            "SELECT deleted, updated_at FROM t",
            "MATCH (n) RETURN n",
            "SELECT TOP 5 * FROM [t]",
        ] {
            assert_eq!(effects(sql), [], "{sql}");
        }
    }

    #[test]
    fn what_a_statement_does_is_found_wherever_it_hides() {
        for (sql, effect) in [
            ("DELETE FROM t WHERE id = 1", Effect::Deletes),
            ("SELECT 1; DROP TABLE t", Effect::Deletes),
            ("COMMIT; DROP SCHEMA public CASCADE", Effect::Deletes),
            ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Effect::Deletes),
            ("WITH x AS (SELECT 1) DELETE FROM t", Effect::Deletes),
            ("EXPLAIN ANALYZE DELETE FROM t", Effect::Deletes),
            ("SELECT '\\'; DROP TABLE t; -- '", Effect::Deletes),
            ("SELECT 1 /*! ; DROP TABLE t */", Effect::CommandInjection),
            ("UPDATE t SET a = 1", Effect::Overwrites),
            ("UPDATE t SET a = 1 WHERE 1=1", Effect::Overwrites),
            ("UPDATE t SET a = 1 WHERE id = 2", Effect::WritesOutsideScope),
            ("UPDATE users SET password = 'x' WHERE id = 2", Effect::ChangesIdentity),
            ("INSERT INTO t VALUES (1)", Effect::WritesOutsideScope),
            ("ALTER TABLE t DROP COLUMN a", Effect::Deletes),
            ("ALTER TABLE t ADD COLUMN a int", Effect::WritesOutsideScope),
            ("GRANT ALL ON t TO eve", Effect::Grants),
            ("CREATE USER eve", Effect::ChangesIdentity),
            ("COPY t FROM PROGRAM 'id'", Effect::RunsCode),
            ("SELECT * INTO OUTFILE '/var/www/x.php' FROM t", Effect::RunsCode),
            ("SELECT pg_read_file('/etc/passwd')", Effect::CredentialFile),
            ("EXEC xp_cmdshell 'dir'", Effect::RunsCode),
            ("MATCH (n) DETACH DELETE n", Effect::Deletes),
            ("FROBNICATE ALL", Effect::Unknown),
            ("SELECT FROM WHERE (", Effect::Unknown),
            ("DO $$ BEGIN DELETE FROM t; END $$", Effect::RunsCode),
            ("TRUNCATE t", Effect::Deletes),
            ("(DELETE FROM t)", Effect::Deletes),
        ] {
            assert!(effects(sql).contains(&effect), "{sql}: {:?}", effects(sql));
        }
    }

    #[test]
    fn private_tables_and_columns_are_known_by_name() {
        assert!(Sql::of("SELECT email FROM people").private);
        assert!(Sql::of("SELECT * FROM users").private);
        assert!(!Sql::of("SELECT title FROM albums").private);
        assert!(!Sql::of("SELECT table_name FROM information_schema.tables").private);
    }

    #[test]
    fn hostile_sql_is_bounded() {
        let deep = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(effects(&deep).contains(&Effect::Unknown));
        assert!(effects(&"SELECT 1;".repeat(50_000)).contains(&Effect::Unknown));
        let started = std::time::Instant::now();
        for text in [
            "(".repeat(60_000),
            "SELECT ".repeat(9_000),
            "a,".repeat(30_000),
            format!("SELECT {}", "(SELECT ".repeat(15)),
            "'".repeat(60_000),
            format!("SELECT {}1{}", "(".repeat(16), ")".repeat(16)),
            format!("SELECT {}1", "CASE WHEN ".repeat(5000)),
            format!("SELECT {}1", "NOT ".repeat(15000)),
            format!("SELECT {}", "1+".repeat(30000)),
        ] {
            drop(Sql::of(&text));
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
