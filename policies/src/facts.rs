//! `Facts`: what a call does, as far as its tool's name and its arguments show.

mod arguments;
mod conclude;
mod lexicon;
mod path;
mod role;
mod secret;
mod shell;
mod sql;
mod tool;
mod url;
mod verb;
mod words;

use serde::Serialize;

use crate::call::Tool;
use crate::canon::Value;
use crate::profile::{Content, Profile};

pub use tool::ToolFacts;

/// What a call does. Plain data: small, serialisable, without argument values that nobody needs for a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The weightiest thing that the call does.
    pub verb: Verb,
    /// Everything found that bears on its risk, each once.
    pub findings: Vec<Finding>,
    /// What the answer will hold.
    pub reads: Content,
    /// Whether it reaches beyond its server's own world: the web, other people.
    pub open_world: bool,
    /// Whether argument values leave for somebody or something else.
    pub egress: bool,
    /// Hosts that the arguments name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Destination>,
    /// Paths that the arguments name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<NamedPath>,
    /// People, channels and accounts that the arguments name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Recipient>,
    /// What SQL in the arguments does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<SqlFacts>,
    /// What a shell command in the arguments does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<ShellFacts>,
    /// Money that the call moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// Whether an argument holds what looks like a credential.
    pub secret_in_arguments: bool,
    /// JSON pointers of the arguments that decide where the effect goes: a path, a host, a recipient, a command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// What a call does, the weightier the later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Looks, computes, converts.
    Read,
    /// Acts on a page or a window: clicks, types.
    Interact,
    /// Changes what is the agent's own: notes, drafts, reminders, labels.
    Keep,
    /// Makes or changes something.
    Write,
    /// Starts, stops, deploys, switches.
    Operate,
    /// Cannot be told: treated as a write outside the scope.
    #[default]
    Unknown,
    /// Sends or publishes to others.
    Send,
    /// Asks others in.
    Invite,
    /// Gives a permission.
    Grant,
    /// Replaces what is there, beyond taking back.
    Overwrite,
    /// Removes for good.
    Delete,
    /// Moves money or commits to pay.
    Pay,
    /// Changes identities or credentials.
    Identity,
    /// Changes policy, safeguards, or the gateway.
    Govern,
    /// Runs code.
    Execute,
}

/// One thing found in a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it is; `risk` has a row for each.
    pub effect: Effect,
    /// One sentence for people.
    pub text: String,
    /// JSON pointer of the argument that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What a finding is: one row of the risk table each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Reads in a closed world.
    Reads,
    /// Reads what others wrote.
    ReadsUntrusted,
    /// Asks something by an address: the place where data can leave by a read.
    AsksAddress,
    /// Reads what is private.
    ReadsSensitive,
    /// Runs commands that are all known to look only.
    RunsLooks,
    /// Acts on a page.
    Interacts,
    /// Changes what is the agent's own.
    Keeps,
    /// Writes inside the declared scope.
    WritesInScope,
    /// Sends to those only whom the operator declared.
    SendsToDeclared,
    /// Its server says that it is more than a read.
    AnnotatedWrite,
    /// Writes outside the declared scope, or where none is declared.
    WritesOutsideScope,
    /// Reads outside the declared scope.
    ReadsOutsideScope,
    /// Starts, stops, deploys, switches.
    Operates,
    /// Cannot be told.
    Unknown,
    /// Sends or publishes to others.
    Sends,
    /// Asks others in.
    Invites,
    /// Gives a permission or makes something public.
    Grants,
    /// Reaches a host that was not declared.
    NewDestination,
    /// Reaches into the machine or the network around it.
    PrivateAddress,
    /// Carries data out in an address.
    DataInUrl,
    /// Opens a file of credentials.
    CredentialFile,
    /// Holds what looks like a credential, without a way out.
    SecretInArguments,
    /// Holds characters that people do not see, where a plain value belongs.
    HiddenCharacters,
    /// The definition gives orders to the model.
    InstructionsInDefinition,
    /// Its server says that it destroys.
    AnnotatedDestructive,
    /// Replaces what is there.
    Overwrites,
    /// Removes for good.
    Deletes,
    /// Moves money.
    MovesMoney,
    /// Changes identities or credentials.
    ChangesIdentity,
    /// Changes policy, safeguards, or the gateway.
    ChangesPolicy,
    /// Runs code.
    RunsCode,
    /// Carries shell syntax or options where a plain value belongs.
    CommandInjection,
    /// A credential would leave.
    SecretExfiltration,
    /// Reaches a cloud's metadata service.
    CloudMetadata,
    /// Climbs out of where it starts, or hides that it does.
    PathTraversal,
}

/// A host that a call names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Destination {
    /// The host as the URL parser writes it.
    pub host: String,
    /// Where it lies.
    pub zone: Zone,
    /// Whether the operator declared it.
    pub declared: bool,
    /// JSON pointer of the argument.
    pub at: String,
}

/// Where a host lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// On the public net, as far as its name shows.
    Public,
    /// This machine.
    Loopback,
    /// The network around this machine.
    Private,
    /// A cloud's metadata service.
    Metadata,
}

/// A path that a call names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedPath {
    /// The path, normalised by its text alone.
    pub path: String,
    /// Whether it lies in a declared folder.
    pub in_scope: bool,
    /// JSON pointer of the argument.
    pub at: String,
}

/// Someone or something that a call writes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// The address, handle, number or channel as it was given.
    pub who: String,
    /// Whether the operator declared them.
    pub declared: bool,
    /// JSON pointer of the argument.
    pub at: String,
}

/// What SQL does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SqlFacts {
    /// Whether every statement was understood.
    pub parsed: bool,
    /// The kinds of statements in order, such as `select` or `drop`.
    pub statements: Vec<&'static str>,
    /// The tables named, each once.
    pub tables: Vec<String>,
}

/// What a shell command does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShellFacts {
    /// Whether every word of it was understood.
    pub parsed: bool,
    /// The programs that it starts, each once.
    pub programs: Vec<String>,
}

/// Money that a call moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Money {
    /// The amount as it was given.
    pub amount: Option<String>,
    /// The currency as it was given.
    pub currency: Option<String>,
    /// To whom.
    pub payee: Option<String>,
}

impl Facts {
    /// What a call of this tool with these arguments does.
    #[must_use]
    pub fn of(tool: &Tool, arguments: &Value) -> Self {
        Self::of_call(&ToolFacts::of(tool), &tool.standing().profile, arguments)
    }

    /// An argument holds a secret that the gateway keeps. Whoever has it should not: where anything leaves, it is refused;
    /// where nothing seems to, people are asked.
    pub(crate) fn hold_live_secret(&mut self) {
        let effect = if self.egress { Effect::SecretExfiltration } else { Effect::SecretInArguments };
        let hosts: Vec<&str> = self.destinations.iter().map(|destination| destination.host.as_str()).take(3).collect();
        let to = if hosts.is_empty() { String::new() } else { format!(", and would go to {}", hosts.join(", ")) };
        let text = format!("an argument holds a secret that this gateway keeps, as it is or encoded{to}");
        self.secret_in_arguments = true;
        self.findings.push(Finding { effect, text, at: None });
    }

    /// The same, for a caller that keeps what is known of the tool.
    #[must_use]
    pub fn of_call(tool: &ToolFacts, profile: &Profile, arguments: &Value) -> Self {
        conclude::facts(tool, profile, arguments)
    }

    /// Whether something was found.
    #[must_use]
    pub fn shows(&self, effect: Effect) -> bool {
        self.findings.iter().any(|found| found.effect == effect)
    }
}

/// What a verb is in the risk table.
fn effect_of(verb: Verb) -> Effect {
    match verb {
        Verb::Read => Effect::Reads,
        Verb::Interact => Effect::Interacts,
        Verb::Keep => Effect::Keeps,
        Verb::Write => Effect::WritesOutsideScope,
        Verb::Operate => Effect::Operates,
        Verb::Unknown => Effect::Unknown,
        Verb::Send => Effect::Sends,
        Verb::Invite => Effect::Invites,
        Verb::Grant => Effect::Grants,
        Verb::Overwrite => Effect::Overwrites,
        Verb::Delete => Effect::Deletes,
        Verb::Pay => Effect::MovesMoney,
        Verb::Identity => Effect::ChangesIdentity,
        Verb::Govern => Effect::ChangesPolicy,
        Verb::Execute => Effect::RunsCode,
    }
}

/// What was found, for people: one line, short, with nothing that a terminal would obey.
fn shown(text: &str) -> String {
    let mut letters = text.chars();
    let mut out: String =
        letters.by_ref().take(MAX_SHOWN).map(|letter| if is_plain(letter) { letter } else { '\u{fffd}' }).collect();
    if letters.next().is_some() {
        out.push('…');
    }
    out
}

/// The same for values that policies compare: longer, so that two that differ stay two.
fn listed(text: &str) -> String {
    if text.chars().count() <= MAX_LISTED_CHARS && text.chars().all(|letter| !letter.is_control()) {
        return text.to_owned();
    }
    let mut out: String = text
        .chars()
        .take(MAX_LISTED_CHARS)
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect();
    out.push('…');
    out
}

fn is_plain(letter: char) -> bool {
    !(letter.is_control() || is_hidden(letter) || letter == '`')
}

/// Characters that change what people see without being seen.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

const MAX_SHOWN: usize = 80;
const MAX_LISTED_CHARS: usize = 512;

#[cfg(test)]
mod tests;
