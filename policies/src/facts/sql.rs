//! SQL: what each statement does, by its grammar where one reads it, by its first words where none does.

mod statement;

use sqlparser::dialect::{Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use statement::Statement;

use super::words::among;
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
    let link = |token: &&Token| {
        if let Token::Word(word) = token {
            return word.quote_style.is_none() && among(LINKS, &word.value.to_ascii_lowercase());
        }
        !matches!(
            token,
            Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::Comma
                | Token::Whitespace(_)
                | Token::Period
                | Token::SemiColon
        )
    };
    tokens.iter().filter(link).count()
}

const LINKS: &str = "and or not is like ilike in between union intersect except minus join case when else collate at over filter \
    within div mod xor with";

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
const MAX_NESTING: i32 = 16;
const MAX_DEPTH: usize = 40;
const MAX_LINKS: usize = 512;

#[cfg(test)]
mod tests;
