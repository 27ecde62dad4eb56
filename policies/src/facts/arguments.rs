//! The arguments of a call, walked once: what each value shows by its role.

use super::lexicon::{Does, thing as t, word};
use super::path::Place;
use super::role::{Key, Role};
use super::shell::Shell;
use super::sql::Sql;
use super::tool::ToolFacts;
use super::url::Address;
use super::verb::{Reading, read};
use super::words::words;
use super::{Effect, Finding, Money, ShellFacts, SqlFacts, Verb, effect_of, is_hidden, secret, shown};
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
    pub(super) private: bool,
    pub(super) egress: bool,
    /// Paths that a shell command writes.
    pub(super) written: Vec<(String, String)>,
    /// Whether the arguments name a repository, a bucket or a project: paths are not of this machine then.
    pub(super) remote: bool,
    /// A folder that relative paths start from.
    pub(super) base: Option<String>,
    /// `force`, `overwrite`, `permanent`: what counts where something is written.
    pub(super) flags: Vec<(Effect, &'static str, String)>,
    pub(super) has_body: bool,
    pub(super) empty_filter: bool,
    /// Whether what is read is saved to a path that the arguments name.
    pub(super) saves: bool,
    /// Whether a way of paying is named.
    pub(super) pays: bool,
    pointer: String,
    values: usize,
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
            private: false,
            egress: false,
            written: Vec::new(),
            remote: tool.remote_repository(),
            base: None,
            flags: Vec::new(),
            has_body: false,
            empty_filter: false,
            saves: false,
            pays: false,
            pointer: String::new(),
            values: 0,
        };
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
        self.has_body |= !value.is_null() && key.says(&["body", "json", "payload", "form", "data"]);
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
                self.empty_filter |= object.is_empty() && key.says(&["filter", "where", "query", "match"]);
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
                self.find(Effect::RunsCode, format!("runs code in the database by `{name}`"))
            }
            "$out" | "$merge" => self.find(Effect::Overwrites, format!("replaces a collection by `{name}`")),
            "$expr" => {}
            _ => {}
        }
        let key = Key::of(name, self.tool);
        self.pays |= key.says(&["payment", "payments", "cvv", "pan"]);
        self.remote |= key.says(&["owner", "repo", "repository", "bucket", "project", "sheet", "spreadsheet"])
            && !key.says(&["path"]);
        if outer.role == Role::Header || (outer.role == Role::Attachment && key.role == Role::Content) {
            return Key { role: outer.role, ..key };
        }
        key
    }

    fn flag(&mut self, key: &Key, truth: bool) {
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

    fn number(&mut self, key: &Key, token: &str) {
        if key.role == Role::Amount {
            self.money.amount.get_or_insert_with(|| shown(token));
            self.target();
        }
        if key.says(&["replicas"]) && token == "0" {
            self.flags.push((Effect::Overwrites, "scales to nothing", self.pointer.clone()));
        }
    }

    /// `["rm", "-r", "x"]` under a command's key is one command.
    fn command_words(&mut self, key: &Key, items: &[Value]) -> bool {
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
            Role::MaybePath => self.plain(text),
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
            Role::Plain => self.plain(text),
            Role::Element => self.element(text),
            Role::Kind => {
                self.private |= text.to_ascii_lowercase().starts_with("secret");
                self.plain(text);
            }
            Role::Header => {}
            Role::Content => self.content(key, text),
        }
    }

    fn path(&mut self, text: &str, sent: bool) {
        if text.starts_with("http://") || text.starts_with("https://") {
            return self.url(text, true);
        }
        self.hidden(text);
        self.injection(text, true);
        self.target();
        self.bounded(text, MAX_PATH);
        let place = Place::of(text);
        let output = self.pointer.rsplit('/').next().is_some_and(|name| {
            words(name).iter().any(|word| {
                matches!(word.as_str(), "output" | "dest" | "destination" | "save" | "out" | "to" | "download")
            })
        });
        let exports = self.tool.words.iter().any(|word| {
            matches!(
                word.as_str(),
                "download" | "export" | "save" | "screenshot" | "pdf" | "dump" | "backup" | "capture"
            )
        });
        self.saves |= self.tool.verb == Verb::Read && (output || exports) && text.contains(['/', '\\']);
        let root = self.pointer.rsplit('/').next().is_some_and(|name| {
            words(name)
                .iter()
                .any(|word| matches!(word.as_str(), "repo" | "cwd" | "root" | "workdir" | "workspace" | "base"))
        });
        if root && place.absolute && self.base.is_none() {
            self.base = Some(place.path.clone());
        }
        if self.places.len() < MAX_FACTS {
            self.places.push((place, self.pointer.clone(), sent));
        } else {
            self.find(Effect::Unknown, "names more paths than are read".to_owned());
        }
    }

    /// An attachment is named by its path, or is its content.
    fn attachment(&mut self, text: &str) {
        if text.len() < 512 && (is_pathlike(text) || text.contains('.')) {
            self.path(text, true);
        }
    }

    fn url(&mut self, text: &str, whole: bool) {
        if whole {
            self.target();
            self.hidden(text);
            self.bounded(text, MAX_URL);
            if text.starts_with('-') {
                self.injection(text, true);
            }
        }
        let trimmed = text.trim();
        if trimmed.to_ascii_lowercase().starts_with("file:") {
            return self.path_of_url(trimmed);
        }
        let lower: String = trimmed.chars().take(12).collect::<String>().to_ascii_lowercase();
        if lower.starts_with("javascript:") || lower.starts_with("vbscript:") || lower.starts_with("data:text/h") {
            return self.find(Effect::RunsCode, "runs a script that stands in an address".to_owned());
        }
        let parsed = Address::parse(trimmed).or_else(|| {
            if whole && !trimmed.contains(' ') && trimmed.contains(['.', ':', '[']) {
                Address::of_host(trimmed.split('/').next().unwrap_or_default())
            } else {
                None
            }
        });
        let Some(address) = parsed else {
            if whole && trimmed.starts_with(['/', '~', '.']) {
                self.path(trimmed, false);
            }
            return;
        };
        if self.addresses.len() < MAX_FACTS {
            self.addresses.push((address, self.pointer.clone()));
        } else {
            self.find(Effect::Unknown, "names more addresses than are read".to_owned());
        }
    }

    fn path_of_url(&mut self, text: &str) {
        let rest = text.get(5..).unwrap_or_default();
        let path = rest.strip_prefix("//").map_or(rest, |rest| rest.strip_prefix("localhost").unwrap_or(rest));
        self.places.push((Place::of(path), self.pointer.clone(), false));
        if self.tool.about & (t::WEB | t::BROWSER) != 0 {
            self.find(Effect::PrivateAddress, "opens a local file through a tool of the web".to_owned());
        }
    }

    fn host(&mut self, text: &str) {
        self.hidden(text);
        self.injection(text, true);
        self.target();
        if self.bounded(text, MAX_HOST) {
            return;
        }
        let parsed = if text.contains("://") {
            Address::parse(text)
        } else {
            Address::of_host(text.split('/').next().unwrap_or_default())
        };
        if let Some(address) = parsed.filter(|_| self.addresses.len() < MAX_FACTS) {
            self.addresses.push((address, self.pointer.clone()));
        }
    }

    fn sql(&mut self, text: &str) {
        self.target();
        if self.tool.words.iter().any(|word| word == "graphql") || text.trim_start().starts_with('{') {
            return self.graphql(text);
        }
        let sql = Sql::of(text);
        self.private |= sql.private;
        let facts = self.sql.get_or_insert_with(|| SqlFacts { parsed: true, ..SqlFacts::default() });
        facts.parsed &= sql.facts.parsed;
        facts.statements.extend(sql.facts.statements);
        facts.tables.extend(sql.facts.tables);
        facts.statements.truncate(MAX_FACTS);
        facts.tables.truncate(MAX_FACTS);
        for (effect, text) in sql.found {
            self.find(effect, format!("the SQL {text}"));
        }
        self.settle(Verb::Read);
    }

    fn query(&mut self, text: &str) {
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
    fn graphql(&mut self, text: &str) {
        let bare = text.get(..text.floor_char_boundary(MAX_GRAPHQL)).unwrap_or_default();
        let mutates =
            bare.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == "mutation");
        if !mutates {
            return self.settle(Verb::Read);
        }
        let names = bare
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .filter(|word| word.len() > 2)
            .take(64);
        let verb = names.filter_map(|name| {
            let tokens = words(name);
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            read(&tokens, 0).map(|reading| reading.verb).filter(|verb| *verb > Verb::Read)
        });
        let verb = verb.max().unwrap_or(Verb::Write);
        self.find(effect_of(verb), "the GraphQL changes what it names".to_owned());
        self.settle(verb);
    }

    fn line(&mut self, text: &str, arguments: bool) {
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
    fn program(&self) -> Option<&'a str> {
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

    fn shell_found(&mut self, shell: Shell) {
        self.target();
        self.private |= shell.private;
        self.egress |= shell.egress;
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
                before.programs.truncate(MAX_FACTS);
            }
            None => self.shell = Some(shell.facts),
        }
    }

    fn code(&mut self, text: &str) {
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

    fn action(&mut self, key: &Key, text: &str) {
        if text.len() > 96 || text.contains(' ') && !text.trim().contains('_') && text.split_whitespace().count() > 3 {
            return;
        }
        let http = match text.to_ascii_uppercase().as_str() {
            "GET" | "HEAD" | "OPTIONS" if text.chars().all(|letter| letter.is_uppercase()) || key.says(&["method"]) => {
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

    fn recipient(&mut self, text: &str) {
        self.hidden(text);
        self.target();
        for one in text.split([',', ';']).map(str::trim).filter(|one| !one.is_empty()).take(64) {
            if self.recipients.len() < MAX_FACTS {
                self.recipients.push((shown(one), self.pointer.clone()));
            }
        }
    }

    fn permission(&mut self, text: &str) {
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

    fn state(&mut self, text: &str) {
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

    fn plain(&mut self, text: &str) {
        if text.len() < 2_048 {
            self.hidden(text);
            self.injection(text, false);
            if text.contains("://") && !text.contains(' ') {
                self.url(text, false);
            }
        }
    }

    /// What stands on a button says what pressing it does.
    fn element(&mut self, text: &str) {
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
    fn setting(&mut self, text: &str) {
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

    fn content(&mut self, key: &Key, text: &str) {
        if key.says(&["key", "name", "setting", "option"]) {
            self.setting(text);
        }
        if key.says(&["body", "content", "data", "payload", "text", "message", "json", "form"]) && !text.is_empty() {
            self.has_body = true;
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

    /// Shell syntax or an option where a plain value belongs: a tool that builds a command line from it runs more.
    fn injection(&mut self, text: &str, option: bool) {
        let text = text.get(..text.floor_char_boundary(MAX_PATH)).unwrap_or_default();
        let shell = text.contains("$(") || text.contains('`') && text.matches('`').count() >= 2;
        let chained = [";", "&&", "||", "|", "\n"].iter().any(|sign| {
            text.split(sign).skip(1).any(|after| {
                let next = after
                    .trim_start_matches([' ', '&', '|'])
                    .split([' ', ';', '|', '\t', '<', '>'])
                    .next()
                    .unwrap_or_default();
                INJECTED.contains(&next.rsplit('/').next().unwrap_or_default())
            })
        });
        let quoted = text.contains('\'') && {
            let lower = text.to_ascii_lowercase();
            ["' or ", "' and ", "'; drop", "';drop", "' union ", "'--", "' --", "'; delete"]
                .iter()
                .any(|part| lower.contains(part))
        };
        let stacked = text.split(';').skip(1).any(Sql::looks_like);
        // Git runs what follows `ext::`.
        let transport = text.starts_with("ext::") || text.starts_with("fd::");
        let optional = text.starts_with('-')
            && text.len() > 2
            && text.bytes().nth(1).is_some_and(|byte| byte == b'-' || byte.is_ascii_alphabetic())
            && (option || text.contains('=') || self.tool.about & t::REPO != 0)
            && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if shell || chained || quoted || stacked || optional || transport {
            self.find(Effect::CommandInjection, format!("a plain value holds command syntax: `{}`", shown(text)));
        }
    }

    fn hidden(&mut self, text: &str) {
        if text
            .chars()
            .take(4_096)
            .any(|letter| is_hidden(letter) || (letter.is_control() && !matches!(letter, '\n' | '\t' | '\r' | '\0')))
        {
            self.find(Effect::HiddenCharacters, "a value holds characters that people do not see".to_owned());
        }
    }

    /// Whether a value is longer than is read of it; what is not read is not harmless.
    fn bounded(&mut self, text: &str, most: usize) -> bool {
        let over = text.len() > most;
        if over {
            self.find(Effect::Unknown, "a value is longer than is read of it".to_owned());
        }
        over
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

    /// Whether the tool asks for a page: `fetch`, `http_request`.
    pub(super) fn requests(&self) -> bool {
        self.tool.words.iter().any(|token| {
            word(token).is_some_and(|found| {
                found.does == Some(Does::Any) || found.does == Some(Does::Visit) || found.things & t::WEB != 0
            })
        })
    }
}

/// Whether a value is written as a place is.
fn is_pathlike(text: &str) -> bool {
    let mut bytes = text.bytes();
    let drive = matches!((bytes.next(), bytes.next(), bytes.next()), (Some(letter), Some(b':'), Some(b'\\' | b'/')) if letter.is_ascii_alphabetic());
    let start = text.starts_with(['/', '~', '\\'])
        || text.starts_with("./")
        || text.starts_with("../")
        || text.starts_with("..\\")
        || text == ".."
        || text.starts_with("file:");
    let encoded = text.to_ascii_lowercase().contains("%2e%2e");
    (start || drive || encoded || text.contains("/../") || text.contains("\\..\\")) && text.len() < 4_096
}

/// `sqrt(2) * pi`: names that stand before a bracket or alone, and nothing that reaches out.
fn is_formula(text: &str) -> bool {
    let plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || " +-*/().,^%=<>!".contains(letter));
    plain
        && !["import", "exec", "eval", "open", "system", "require", "os.", "fetch", "__"]
            .iter()
            .any(|word| text.contains(word))
}

/// Programs that injected commands start with.
const INJECTED: &[&str] = &[
    "rm",
    "curl",
    "wget",
    "sh",
    "bash",
    "zsh",
    "cat",
    "nc",
    "ncat",
    "python",
    "python3",
    "perl",
    "ruby",
    "node",
    "sudo",
    "id",
    "whoami",
    "touch",
    "echo",
    "ls",
    "powershell",
    "cmd",
    "ping",
    "nslookup",
    "env",
    "printenv",
    "dd",
    "chmod",
    "chown",
    "kill",
    "mkfs",
    "eval",
    "exec",
    "base64",
    "scp",
    "ssh",
    "tee",
    "del",
    "calc",
    "calc.exe",
    "open",
    "xdg-open",
    "sleep",
    "reboot",
    "shutdown",
    "uname",
    "php",
    "socat",
    "telnet",
    "cp",
    "mv",
    "git",
    "npm",
    "npx",
    "pip",
];

/// Calls with more values are data; the rest of them is counted as dangerous.
const MAX_VALUES: usize = 20_000;
const MAX_DEPTH: usize = 64;
const MAX_FACTS: usize = 32;
const MAX_PATH: usize = super::path::MAX_PATH;
const MAX_URL: usize = super::url::MAX_URL;
const MAX_HOST: usize = 2 * 1024;
const MAX_TARGETS: usize = 128;
const MAX_CODE: usize = 64 * 1024;
const MAX_GRAPHQL: usize = 16 * 1024;
