//! Values that are programs: SQL, GraphQL, command lines, code.

use super::{Arguments, Sign};
use crate::canon::Value;
use crate::facts::lexicon::{thing as t, word};
use crate::facts::role::{Key, Role};
use crate::facts::shell::Shell;
use crate::facts::sql::Sql;
use crate::facts::verb::read;
use crate::facts::words::words;
use crate::facts::{Effect, SqlFacts, Verb, effect_of, shown};

impl<'a> Arguments<'a> {
    /// `["rm", "-r", "x"]` under a command's key is one command.
    pub(super) fn command_words(&mut self, key: &Key, items: &[Value]) -> bool {
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        let Some(texts) = texts.filter(|texts| key.role == Role::Shell && !texts.is_empty()) else { return false };
        if key.says(&["args", "argv", "arguments"]) {
            self.line(&texts.join(" "), true);
            return true;
        }
        if texts.first().is_some_and(|first| first.contains(' ')) {
            return false;
        }
        let shell = Shell::of_words(texts.iter().copied());
        self.shell_found(shell);
        true
    }

    pub(super) fn sql(&mut self, text: &str) {
        self.target();
        if self.tool.words.iter().any(|word| word == "graphql") || text.trim_start().starts_with('{') {
            return self.graphql(text);
        }
        let sql = Sql::of(text);
        self.sign(Sign::Private, sql.private);
        let facts = self.sql.get_or_insert_with(|| SqlFacts { parsed: true, ..SqlFacts::default() });
        facts.parsed &= sql.facts.parsed;
        facts.statements.extend(sql.facts.statements);
        facts.tables.extend(sql.facts.tables);
        for (effect, text) in sql.found {
            self.find(effect, format!("the SQL {text}"));
        }
        self.settle(Verb::Read);
    }

    pub(super) fn query(&mut self, text: &str) {
        if self.tool.words.iter().any(|word| word == "graphql") {
            return self.graphql(text);
        }
        let database = self.tool.deferring || self.tool.words.iter().any(|word| word == "query");
        if database && self.tool.about & (t::WEB | t::MAIL | t::CHAT | t::TRACKER) == 0 && Sql::looks_like(text) {
            self.sql(text);
        } else if self.tool.deferring {
            self.settle(Verb::Read);
        }
    }

    /// `mutation { deleteIssue(…) }` changes what its fields' names say; a `query` reads.
    pub(super) fn graphql(&mut self, text: &str) {
        let bare = text.get(..text.floor_char_boundary(MAX_GRAPHQL)).unwrap_or_default();
        if text.len() > MAX_GRAPHQL {
            self.find(Effect::Unknown, "is GraphQL too long to be read whole".to_owned());
        }
        let mutates =
            bare.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == "mutation");
        if !mutates {
            return self.settle(Verb::Read);
        }
        let names = bare.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| word.len() > 2);
        let verb = names.filter_map(|name| {
            let tokens = words(name);
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            read(&tokens, 0).map(|reading| reading.verb).filter(|verb| *verb > Verb::Read)
        });
        let verb = verb.max().unwrap_or(Verb::Write);
        self.find(effect_of(verb), "the GraphQL changes what it names".to_owned());
        self.settle(verb);
    }

    pub(super) fn line(&mut self, text: &str, arguments: bool) {
        self.target();
        if self.tool.about & t::NOSQL != 0 {
            match Shell::of_redis(text) {
                Some(Verb::Read) => return self.settle(Verb::Read),
                Some(verb) => {
                    self.find(
                        effect_of(verb),
                        format!("the command is `{}`", shown(text.split_whitespace().next().unwrap_or_default())),
                    );
                    return self.settle(verb);
                }
                None => return,
            }
        }
        let program = self.program();
        let starts = |name: &str| {
            text.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
        };
        let line = match program {
            Some(program) if !starts(program) && !starts("sudo") => format!("{program} {text}"),
            _ if arguments => return,
            _ => text.to_owned(),
        };
        self.shell_found(Shell::of(&line));
    }

    /// The program whose command line a tool takes: `kubectl` of a tool `kubectl`, `aws` of `call_aws`, or of the server
    /// `aws` where the tool only runs.
    pub(super) fn program(&self) -> Option<&'a str> {
        let cli = |token: &&'a String| word(token).is_some_and(|found| found.things & t::CLI != 0);
        let runs = |token: &String| {
            matches!(
                token.as_str(),
                "run" | "execute" | "exec" | "command" | "cmd" | "cli" | "call" | "raw" | "generic"
            )
        };
        let tool = self.tool;
        let server = tool.words.iter().all(runs).then(|| tool.server_words.iter().find(cli)).flatten();
        tool.words.iter().find(cli).or(server).map(String::as_str)
    }

    pub(super) fn shell_found(&mut self, shell: Shell) {
        self.target();
        self.sign(Sign::Private, shell.private);
        self.sign(Sign::Egress, shell.egress);
        for (effect, text) in shell.found {
            self.find(effect, format!("the command {text}"));
        }
        for address in shell.hosts {
            self.addresses.push((address, self.pointer.clone()));
        }
        for path in shell.written {
            self.written.push((path, self.pointer.clone()));
        }
        if shell.facts.parsed && self.program().is_none() {
            self.find(Effect::RunsLooks, "the command runs programs that are known".to_owned());
        }
        self.settle(Verb::Read);
        match &mut self.shell {
            Some(before) => {
                before.parsed &= shell.facts.parsed;
                before.programs.extend(shell.facts.programs);
            }
            None => self.shell = Some(shell.facts),
        }
    }

    pub(super) fn code(&mut self, text: &str) {
        self.target();
        let formula = matches!(self.pointer.rsplit('/').next(), Some("expression" | "formula" | "expr" | "equation"));
        let sum = formula
            && text.len() < 256
            && text.chars().all(|letter| letter.is_ascii_digit() || " +-*/().,^%e".contains(letter));
        let math = self.tool.about & t::MATH != 0 || self.tool.verb == Verb::Read;
        if sum && self.tool.verb != Verb::Unknown
            || (math && self.tool.verb == Verb::Read && text.len() < 256 && is_formula(text))
        {
            return self.settle(Verb::Read);
        }
        let lower: String = text.chars().take(MAX_CODE).collect::<String>().to_ascii_lowercase();
        if [
            "169.254.169.254",
            "metadata.google.internal",
            "100.100.100.200",
            "2852039166",
            "0xa9fea9fe",
            "fd00:ec2::254",
        ]
        .iter()
        .any(|name| lower.contains(name))
        {
            self.find(Effect::CloudMetadata, "the code reaches a cloud's metadata service".to_owned());
        }
        if [".ssh/id_", ".aws/credentials", "/etc/shadow", "/proc/self/environ", ".kube/config", ".gnupg"]
            .iter()
            .any(|name| lower.contains(name))
        {
            self.find(Effect::CredentialFile, "the code names a file of credentials".to_owned());
        }
        if self.tool.things & (t::QUERY | t::MATH) == 0 && self.tool.verb > Verb::Read {
            let runs = matches!(self.tool.verb, Verb::Execute | Verb::Unknown | Verb::Interact | Verb::Operate);
            if runs {
                self.find(Effect::RunsCode, "an argument is code".to_owned());
            }
        }
    }
}

/// `sqrt(2) * pi`: names that stand before a bracket or alone, and nothing that reaches out.
fn is_formula(text: &str) -> bool {
    let plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || " +-*/().,^%=<>!".contains(letter));
    plain
        && !["import", "exec", "eval", "open", "system", "require", "os.", "fetch", "__"]
            .iter()
            .any(|word| text.contains(word))
}

const MAX_CODE: usize = 64 * 1024;
const MAX_GRAPHQL: usize = 16 * 1024;
