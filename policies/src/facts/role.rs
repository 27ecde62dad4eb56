//! What an argument is for, by its key.

use super::Verb;
use super::lexicon::thing as t;
use super::tool::ToolFacts;
use super::words::{among, words};

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

/// What a key says, the weightiest reading first: a program is one wherever it stands.
fn role(words: &[String], tool: &ToolFacts) -> Role {
    let name = Name { words, last: words.last().map(String::as_str).unwrap_or_default(), tool };
    let readings = [Name::program, Name::place, Name::action, Name::money, Name::person, Name::rest];
    readings.iter().find_map(|reading| reading(&name)).unwrap_or(Role::Content)
}

/// A key's words, with the tool that takes it.
struct Name<'a> {
    words: &'a [String],
    last: &'a str,
    tool: &'a ToolFacts,
}

impl Name<'_> {
    fn says(&self, wanted: &str) -> bool {
        self.words.iter().any(|word| among(wanted, word))
    }

    fn ends(&self, wanted: &str) -> bool {
        among(wanted, self.last)
    }

    fn program(&self) -> Option<Role> {
        let runs = self.tool.about & t::SHELL != 0 || self.tool.verb == Verb::Execute;
        if self.says("sql cypher") {
            Some(Role::Sql)
        } else if self.says(ADDRESS) || self.ends("link links site proxy") {
            Some(Role::Url)
        } else if self.says(COMMAND) || (runs && self.ends(COMMAND_OF_RUNNERS)) {
            // `command: view` of an editor is an action.
            let names =
                self.words.len() == 1 && self.last == "command" && !runs && self.tool.about & (t::CLI | t::NOSQL) == 0;
            Some(if names { Role::Action } else { Role::Shell })
        } else if self.ends(CODE) || self.says("javascript") {
            Some(Role::Code)
        } else {
            self.ends("header headers authorization cookie cookies").then_some(Role::Header)
        }
    }

    fn place(&self) -> Option<Role> {
        if self.says("attachment attachments") {
            Some(Role::Attachment)
        } else if self.ends(PATH) {
            // The folders of a mailbox are labels.
            let label = self.ends("filename folder") && self.tool.about & t::MAIL != 0;
            Some(if label { Role::Plain } else { Role::Path })
        } else {
            None
        }
    }

    fn action(&self) -> Option<Role> {
        let alone =
            self.words.len() == 1 && self.ends("action operation op method subcommand verb act tool actions intent");
        let paired = self.words.len() == 2
            && self.ends("action operation method slug name type")
            && self.says("action operation http tool function request event");
        let of_tool = self.last == "name" && self.tool.deferring && self.tool.things & t::TOOLING != 0;
        if alone || paired || of_tool {
            Some(Role::Action)
        } else if self.ends("query queries q statement statements migration")
            || (self.last == "string" && self.says("query"))
        {
            Some(if self.tool.about & t::SQL != 0 { Role::Sql } else { Role::Query })
        } else {
            self.ends("host hostname ip domain hosts domains").then_some(Role::Host)
        }
    }

    fn money(&self) -> Option<Role> {
        let worth = self.tool.things & t::PAYMENT != 0 && self.ends("value quantity qty price");
        if self.ends("amount amounts total lamports wei cents sum") || worth {
            Some(Role::Amount)
        } else if self.says("currency") {
            Some(Role::Currency)
        } else {
            let paid =
                self.tool.verb == Verb::Pay && self.ends("to recipient destination address account receiver customer");
            (self.says("iban payee beneficiary wallet bic") || paid).then_some(Role::Payee)
        }
    }

    fn person(&self) -> Option<Role> {
        let of = self.says("recipient channel chat email phone attendee participant")
            && self.ends("id ids number address addresses list name");
        if self.ends(PEOPLE) || of { Some(Role::Recipient) } else { self.says(PERMISSION).then_some(Role::Permission) }
    }

    fn rest(&self) -> Option<Role> {
        if self.ends("state status mode flags conflict strategy policy behavior") {
            Some(Role::State)
        } else if self.ends("element selector locator button xpath target") && self.tool.verb == Verb::Interact {
            Some(Role::Element)
        } else if self.ends("kind type resource types resources") {
            Some(Role::Kind)
        } else if self.ends(MAYBE_PATH) {
            Some(Role::MaybePath)
        } else {
            self.ends(PLAIN).then_some(Role::Plain)
        }
    }
}

const ADDRESS: &str = "url uri urls uris href endpoint webhook callback website hyperlink";
const COMMAND: &str = "command commands cmd cli commandline bash shell";
const COMMAND_OF_RUNNERS: &str = "script input args argv keys line text program executable exec";
const CODE: &str = "code javascript js python script function expression snippet program lambda";
const PATH: &str = "path paths filepath file files dir directory directories cwd folder filename dirs workdir";
const PEOPLE: &str = "to cc bcc recipient recipients attendee attendees participant participants invitee invitees email \
    emails phone channel channels handle guests chat members member receiver with reviewers mentions jid users";
const PERMISSION: &str = "permission permissions role roles visibility acl privacy access sharing privilege privileges";
const MAYBE_PATH: &str = "source destination dest src target output input location root image document notebook workspace \
    from pattern out dst old new";
const PLAIN: &str = "branch ref revision commit tag remote repo repository table collection database bucket namespace name id \
    owner schema column base head sha package interface device container pod";
