//! What a name's words say together: the verb, by what it is done to.

use super::Verb;
use super::lexicon::{Does, Word, thing as t, word};
use super::words::conjunction;

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) verb: Verb,
    /// The arguments say better: a command line, SQL, an action.
    pub(super) deferring: bool,
}

/// What the words of a name say, if they say anything; `server` is what its server is about.
pub(super) fn read(tokens: &[&str], server: u64) -> Option<Reading> {
    let found: Vec<Option<&'static Word>> = tokens.iter().map(|token| word(token)).collect();
    let does = |at: usize| found.get(at).copied().flatten().and_then(|word| word.does.map(|does| (does, word.sure)));
    let sure = (0..tokens.len()).find(|at| does(*at).is_some_and(|(_, sure)| sure));
    // `commit_message` and `welcome_email` are things; `message_user` sends.
    let noun = |at: usize| {
        at > 0
            && matches!(
                tokens.get(at).copied(),
                Some("message" | "mail" | "email" | "comment" | "text" | "file" | "form" | "label" | "tag" | "index")
            )
    };
    let unsure = |any: bool| {
        (0..tokens.len()).find(|at| does(*at).is_some_and(|(what, _)| any || what != Does::Any) && !noun(*at))
    };
    let unsure = unsure(false).or_else(|| unsure(true));
    let Some(head) = head(tokens, sure, unsure, &does) else { return named(tokens, &found) };
    let (first, first_sure) = does(head)?;
    let object = Object { tokens, head, things: things(&found, head), server, sure: first_sure };
    let mut reading = object.reading(first);
    // `find_and_modify`, `get_or_create`: the second verb counts as much as the first.
    for at in head + 1..tokens.len() {
        let Some((second, second_sure)) = does(at) else { continue };
        let led = tokens.get(at - 1).is_some_and(|before| conjunction(before));
        let paired = at == head + 1
            && PAIRED.contains(&(
                tokens.get(head).copied().unwrap_or_default(),
                tokens.get(at).copied().unwrap_or_default(),
            ));
        let last = at + 1 == tokens.len() && second_sure && first == Does::Read && tails(second);
        if led || last || paired {
            let other = Object { head: at, sure: second_sure, things: things(&found, at), ..object }.reading(second);
            if other.verb > reading.verb {
                reading = Reading { deferring: reading.deferring && other.deferring, ..other };
            }
        }
    }
    Some(reading)
}

/// A name without a verb: `network_requests` and `replies` list what they name, unless what they name is dangerous.
fn named(tokens: &[&str], found: &[Option<&'static Word>]) -> Option<Reading> {
    const WEIGHTY: u64 = t::PAYMENT
        | t::CODE
        | t::SHELL
        | t::POLICY
        | t::IDENTITY
        | t::GRANT
        | t::KEY
        | t::WORKFLOW
        | t::GENERIC
        | t::POLICY;
    let last = tokens.last()?;
    let plural = last.len() > 3 && last.ends_with('s') && !last.ends_with("ss");
    let request = *last == "requests" && tokens.len() > 1;
    let things = found.last().copied().flatten().map_or(0, |word| word.things);
    (plural && (request || (things != 0 && things & WEIGHTY == 0)))
        .then_some(Reading { verb: Verb::Read, deferring: true })
}

/// The verb that a name hangs on: the first that can be nothing else, or else the first that can be one. `issue_write`
/// writes, `post_message` posts, and `post_search` searches.
fn head(
    tokens: &[&str],
    sure: Option<usize>,
    unsure: Option<usize>,
    does: &impl Fn(usize) -> Option<(Does, bool)>,
) -> Option<usize> {
    let (Some(sure), Some(unsure)) = (sure, unsure) else { return sure.or(unsure) };
    // `list_add_item` adds to a list.
    if tokens.get(sure) == Some(&"list")
        && does(sure + 1).is_some_and(|(next, certain)| certain && next > Does::Interact)
    {
        return Some(sure + 1);
    }
    if unsure >= sure {
        return Some(sure);
    }
    let (early, late) = (does(unsure)?.0, does(sure)?.0);
    // `run`, `script`, `call` before a verb: `call_api_get` reads; but `transfer_get_started` must not hide a transfer
    // that stands first with its object.
    let verb_first = unsure == 0
        && matches!(early, Does::Pay | Does::Send | Does::Remove)
        && tokens.len() > sure + 1
        && late <= Does::Ask
        && !matches!(tokens.get(sure).copied(), Some("search" | "list" | "get" | "read" | "query" | "fetch"));
    Some(if verb_first { unsure } else { sure })
}

/// Verbs that count at the end of a name that starts with a look: `list_delete`, `read_write` do not only look.
fn tails(does: Does) -> bool {
    matches!(does, Does::Remove | Does::Overwrite | Does::Send | Does::Pay | Does::Execute | Does::Write)
}

/// Two verbs in one breath: a tool named so does both.
const PAIRED: &[(&str, &str)] = &[
    ("read", "write"),
    ("view", "edit"),
    ("get", "set"),
    ("find", "replace"),
    ("search", "replace"),
    ("find", "update"),
    ("find", "delete"),
    ("read", "edit"),
    ("list", "manage"),
];

fn things(found: &[Option<&'static Word>], head: usize) -> u64 {
    let others = found.iter().enumerate().filter(|(at, _)| *at != head);
    others.filter_map(|(_, word)| *word).fold(0, |all, word| all | word.things)
}

struct Object<'a> {
    tokens: &'a [&'a str],
    head: usize,
    /// What the other words are about.
    things: u64,
    server: u64,
    sure: bool,
}

impl Object<'_> {
    fn says(&self, wanted: &[&str]) -> bool {
        self.tokens.iter().enumerate().any(|(at, token)| at != self.head && wanted.contains(token))
    }

    fn is(&self, things: u64) -> bool {
        self.things & things != 0
    }

    fn around(&self, things: u64) -> bool {
        (self.things | self.server) & things != 0
    }

    fn head(&self) -> &str {
        self.tokens.get(self.head).copied().unwrap_or_default()
    }

    fn reading(&self, does: Does) -> Reading {
        let plain = |verb| Reading { verb, deferring: false };
        match does {
            Does::Any if self.head() == "handle" && self.says(&["dialog", "alert", "popup"]) => plain(Verb::Interact),
            Does::Any
                if self.head() == "request"
                    && self.head == 0
                    && self.tokens.len() > 1
                    && !self.is(t::GENERIC | t::WEB) =>
            {
                plain(Verb::Send)
            }
            Does::Any => Reading { verb: Verb::Unknown, deferring: true },
            Does::Run => self.run(),
            Does::Execute => self.execute(),
            Does::Read => Reading { verb: self.look(), deferring: self.is(t::SQL) || self.head() == "query" },
            Does::Generate if self.is(t::MAIL | t::CHAT | t::DRAFT) => plain(Verb::Keep),
            Does::Generate if self.head() == "compose" && self.says(&["up", "down"]) => plain(Verb::Operate),
            Does::Ask | Does::Export => plain(Verb::Read),
            Does::Visit => plain(Verb::Read),
            Does::Generate => plain(if self.key() { Verb::Identity } else { Verb::Read }),
            Does::Interact => plain(self.interact()),
            Does::Log => plain(self.log()),
            Does::Turn => plain(self.turn()),
            Does::Switch => plain(self.switch()),
            Does::Write => plain(self.write()),
            Does::Add => plain(self.add()),
            Does::Archive if self.sure => plain(Verb::Keep),
            Does::Archive => {
                plain(if self.around(t::MAIL | t::OWN | t::TASK | t::DRAFT) { Verb::Keep } else { Verb::Write })
            }
            Does::Close => plain(self.close()),
            Does::Open => plain(self.open()),
            Does::Cancel => plain(self.cancel()),
            Does::Resolve => {
                plain(if self.is(t::TRACKER | t::CHAT | t::FINANCE | t::MACHINE) { Verb::Write } else { Verb::Read })
            }
            Does::Approve => plain(self.approve()),
            Does::Capture => plain(if self.is(t::PAYMENT) { Verb::Pay } else { Verb::Read }),
            Does::Clear => plain(if self.is(t::CACHE | t::VIEW) { Verb::Keep } else { Verb::Delete }),
            Does::Reset => plain(self.reset()),
            Does::Sign => plain(if self.around(t::CRYPTO | t::PAYMENT) { Verb::Pay } else { Verb::Identity }),
            Does::Schedule => plain(self.schedule()),
            Does::Book => plain(if self.sure || !self.is(t::TRIP) { Verb::Send } else { Verb::Pay }),
            Does::Operate => self.defers(self.operate()),
            Does::Send => self.defers(self.send()),
            Does::Invite => plain(Verb::Invite),
            Does::Grant => plain(if self.is(t::POLICY) { Verb::Govern } else { Verb::Grant }),
            Does::Remove => plain(self.remove()),
            Does::Overwrite => plain(Verb::Overwrite),
            Does::Pay => plain(self.pay()),
            Does::Identify => plain(self.identify()),
        }
    }

    fn look(&self) -> Verb {
        // `select_option` and `scroll` act on a page; so does a hover.
        match self.head() {
            "select" if self.is(t::VIEW) || self.says(&["option"]) => Verb::Interact,
            "test" if self.around(t::CODE) && self.says(&["run"]) => Verb::Execute,
            "format" if self.says(&["disk", "drive", "volume", "partition", "usb", "sd", "filesystem"]) => {
                Verb::Overwrite
            }
            "rate" if self.head == 0 && self.is(t::PERSON | t::TRIP | t::MEDIA) => Verb::Send,
            "rate" if self.head == 0 && self.says(&["driver", "seller", "order", "service", "app"]) => Verb::Send,
            "report"
                if self.head == 0
                    && (self.is(t::PERSON) || self.says(&["post", "content", "spam", "abuse", "bug", "issue"])) =>
            {
                Verb::Send
            }
            "check" if self.says(&["in"]) && self.is(t::TRIP | t::PERSON) => Verb::Operate,
            _ => Verb::Read,
        }
    }

    fn interact(&self) -> Verb {
        match self.head() {
            "type" if self.server & t::NOSQL != 0 => Verb::Read,
            "resize" if self.is(t::MACHINE) => Verb::Operate,
            "resize" if self.is(t::FILE) && !self.around(t::BROWSER) => Verb::Read,
            _ => Verb::Interact,
        }
    }

    /// Lights and players are switched back as easily; deployments and feature flags are not.
    fn turn(&self) -> Verb {
        let easy = self.around(t::HOME | t::MEDIA | t::OWN | t::MATH)
            || self.is(t::VIEW | t::TASK)
            || self.tokens.len() == 1
            || self.says(&["on", "off", "timer"]);
        if easy && !self.is(t::GUARD | t::POLICY) { Verb::Keep } else { Verb::Operate }
    }

    fn run(&self) -> Reading {
        let plain = |verb| Reading { verb, deferring: false };
        if self.says(&["payroll"]) {
            return plain(Verb::Pay);
        }
        if self.is(t::PAYMENT | t::CRYPTO) && !self.is(t::REPORT | t::QUERY) {
            return plain(Verb::Pay);
        }
        if self.is(t::SQL | t::NOSQL) || (self.is(t::QUERY) && self.around(t::SQL)) {
            return Reading { verb: Verb::Unknown, deferring: true };
        }
        if self.is(t::CODE | t::SHELL) {
            return Reading { verb: Verb::Execute, deferring: true };
        }
        if self.is(t::QUERY | t::REPORT | t::MATH) {
            return Reading { verb: Verb::Read, deferring: true };
        }
        if self.is(t::GENERIC) {
            return Reading { verb: Verb::Unknown, deferring: true };
        }
        if self.is(t::WORKFLOW | t::MACHINE | t::MEDIA | t::HOME) {
            return plain(Verb::Operate);
        }
        if self.server & (t::SQL | t::NOSQL) != 0 && self.server & t::SHELL == 0 {
            return Reading { verb: Verb::Unknown, deferring: true };
        }
        Reading { verb: Verb::Execute, deferring: true }
    }

    fn execute(&self) -> Reading {
        let noun = matches!(
            self.head(),
            "command" | "cmd" | "terminal" | "script" | "code" | "python" | "javascript" | "interact"
        );
        if self.around(t::MATH) && !self.is(t::CODE) {
            return Reading { verb: Verb::Read, deferring: true };
        }
        if self.is(t::SQL | t::NOSQL) && !noun {
            return Reading { verb: Verb::Unknown, deferring: true };
        }
        if self.is(t::REPORT) && !noun {
            return Reading { verb: Verb::Read, deferring: true };
        }
        Reading { verb: Verb::Execute, deferring: !self.around(t::BROWSER) && self.head() != "install" }
    }

    /// What runs a command line does what the line says.
    fn defers(&self, verb: Verb) -> Reading {
        Reading { verb, deferring: verb == Verb::Execute }
    }

    /// `git_log` and `track_package` look; `log_workout` writes down.
    fn log(&self) -> Verb {
        let looks = (self.head() == "log" && (self.around(t::REPO) || self.head > 0))
            || (self.head() == "track"
                && self.says(&["package", "shipment", "flight", "order", "parcel", "delivery", "status"]));
        if looks { Verb::Read } else { Verb::Keep }
    }

    fn switch(&self) -> Verb {
        if !self.sure && self.is(t::TOOLING) {
            return Verb::Unknown;
        }
        if self.is(t::GUARD | t::MACHINE | t::POLICY) { Verb::Operate } else { Verb::Keep }
    }

    /// An API key, an access token, a key pair: not the key of a map.
    fn key(&self) -> bool {
        self.says(&[
            "keypair",
            "keypairs",
            "certificate",
            "cert",
            "certificates",
            "pat",
            "apikey",
            "apikeys",
            "sshkey",
            "credential",
            "credentials",
            "passkey",
        ]) || (self.is(t::KEY)
            && (self.says(&[
                "api",
                "access",
                "ssh",
                "deploy",
                "signing",
                "encryption",
                "secret",
                "private",
                "public",
                "gpg",
                "service",
                "auth",
                "refresh",
                "personal",
                "bearer",
                "oauth",
                "serviceaccount",
                "account",
                "kms",
                "iam",
                "user",
                "admin",
                "session",
                "master",
                "bot",
                "recovery",
                "restricted",
            ]) || self.tokens.len() == 2 && self.server & (t::NOSQL | t::CRYPTO) == 0))
    }

    fn write(&self) -> Verb {
        let context = matches!(self.head(), "set" | "select" | "change")
            && self.says(&["active", "current"])
            && !self.says(&["password", "user", "role"]);
        if self.is(t::DRAFT) || context {
            return Verb::Keep;
        }
        match self.head() {
            "follow" | "unfollow" | "hide" | "unhide" | "subscribe" | "unsubscribe" | "pin" | "unpin" => {
                return Verb::Write;
            }
            "mark" if self.says(&["read", "unread", "seen", "notification", "notifications"]) => return Verb::Keep,
            "checkout" if !self.around(t::REPO) => return Verb::Pay,
            "new" if self.around(t::BROWSER) => return Verb::Interact,
            "restore" if self.says(&["database", "db", "backup", "snapshot"]) => return Verb::Overwrite,
            _ if self.says(&["crontab", "cron", "cronjob"]) => return Verb::Execute,
            _ => {}
        }
        if self.is(t::POLICY) && !self.is(t::OWN | t::QUERY) {
            return Verb::Govern;
        }
        if self.key() {
            return Verb::Identity;
        }
        if self.is(t::GRANT) {
            return if self.says(&["owner", "ownership"]) && !self.says(&["collaborator"]) {
                Verb::Identity
            } else {
                Verb::Grant
            };
        }
        if self.identity() {
            return Verb::Identity;
        }
        if self.is(t::PAYMENT)
            && !self.is(t::BILL)
            && !self.around(t::CLOUD | t::DOC | t::TRACKER)
            && !self.is(t::QUERY)
        {
            return Verb::Pay;
        }
        if self.own() {
            return Verb::Keep;
        }
        if self.is(t::WEBHOOK) && (self.around(t::MAIL) || self.says(&["webhook", "webhooks", "forwarding"])) {
            return Verb::Grant;
        }
        if self.is(t::MACHINE | t::WORKFLOW) && !self.is(t::FILE) && !self.is(t::TASK | t::TRACKER) {
            return Verb::Operate;
        }
        let makes = matches!(self.head(), "create" | "make" | "insert" | "put" | "register");
        let picture = self.says(&[
            "chart",
            "diagram",
            "plot",
            "qr",
            "qrcode",
            "thumbnail",
            "mermaid",
            "visualization",
            "uuid",
            "embedding",
            "embeddings",
        ]);
        if makes && picture && !self.around(t::DOC | t::TRACKER | t::FILE) {
            return Verb::Read;
        }
        if makes && (self.is(t::TRACKER | t::CHAT) || self.says(&["post", "posts", "tweet", "email", "mail"])) {
            return Verb::Send;
        }
        Verb::Write
    }

    fn identity(&self) -> bool {
        let story = self.says(&["story", "stories", "group", "list", "flow", "journey", "persona", "guide", "manual"]);
        let address = self.things & !t::PRIVATE == t::MAIL
            && matches!(self.head(), "update" | "change" | "set")
            && self.server & t::MAIL == 0;
        (self.is(t::IDENTITY) && !self.is(t::OWN | t::TASK | t::EVENT) && !story) || address
    }

    /// Whether what is written is the agent's own or its user's, seen by nobody else, and easily changed back.
    fn own(&self) -> bool {
        let shared = self.around(t::TRACKER | t::CHAT) || self.server & t::DOC != 0;
        let strong = t::PERSON | t::FILE | t::TRACKER | t::CHAT | t::WEB | t::SQL;
        let keeper = self.server & t::OWN != 0 && self.things & strong == 0;
        let mailbox = self.around(t::MAIL)
            && (self.is(t::LABEL)
                || matches!(self.head(), "modify" | "mark" | "move" | "snooze")
                || self.says(&["read", "unread", "starred"]));
        let state = self.is(t::STATE)
            && matches!(self.head(), "set" | "change" | "select" | "update")
            && self.says(&[
                "active",
                "current",
                "context",
                "default",
                "viewport",
                "mode",
                "verbosity",
                "cwd",
                "model",
                "device",
                "geolocation",
            ])
            && !self.is(t::GRANT | t::IDENTITY | t::FINANCE);
        let cart = self.says(&["cart", "basket"]);
        let home = self.around(t::HOME)
            && !self.is(t::GUARD)
            && (self.server & t::HOME != 0 || self.says(&["light", "lights", "lamp", "thermostat", "brightness"]));
        // A note at a code host is a comment that others read.
        let thing = self.is(t::OWN)
            && !(shared && !self.is(t::TASK) && self.is(t::CHAT | t::TRACKER))
            && self.server & (t::TRACKER | t::REPO) == 0;
        thing
            || cart
            || keeper
            || mailbox
            || state
            || home
            || self.is(t::MEDIA) && !self.is(t::FILE)
            || (self.is(t::TASK) && !shared)
            || (self.is(t::EVENT) || self.is(t::CALENDAR)) && !matches!(self.head(), "reschedule")
    }

    fn add(&self) -> Verb {
        let person = self.is(t::PERSON) && !self.is(t::OWN);
        if person
            && !self.says(&["collaborator", "collaborators", "admin", "admins", "role", "owner", "note", "comment"])
        {
            return Verb::Invite;
        }
        if self.is(t::MATH) || self.tokens.len() == 1 && self.server & !t::MATH == 0 {
            return Verb::Read;
        }
        if self.says(&["reaction", "reactions", "emoji"]) || (self.is(t::TRACKER | t::CHAT) && !self.is(t::LABEL)) {
            return Verb::Send;
        }
        self.write()
    }

    fn close(&self) -> Verb {
        if self.says(&["account", "accounts"]) {
            Verb::Delete
        } else if self.is(t::PAYMENT) || self.says(&["position", "positions"]) {
            Verb::Pay
        } else if self.is(t::CACHE | t::OWN | t::TASK) {
            Verb::Keep
        } else if self.is(t::VIEW) || self.server & t::BROWSER != 0 {
            Verb::Read
        } else if self.is(t::TRACKER) {
            Verb::Write
        } else {
            Verb::Operate
        }
    }

    fn open(&self) -> Verb {
        if self.is(t::GUARD) {
            Verb::Operate
        } else if self.says(&["account", "accounts"]) {
            Verb::Identity
        } else if self.is(t::PAYMENT) {
            Verb::Pay
        } else if self.is(t::TRACKER) {
            Verb::Send
        } else if self.says(&["position", "positions"]) {
            Verb::Pay
        } else if self.around(t::BROWSER | t::WEB | t::FILE | t::DOC | t::VIEW | t::OWN) {
            Verb::Read
        } else {
            Verb::Operate
        }
    }

    fn cancel(&self) -> Verb {
        let ends = t::FINANCE | t::PAYMENT | t::TRIP | t::POLICY | t::IDENTITY;
        let booking = self.says(&["booking", "reservation", "bookings", "reservations", "membership"]);
        if (self.is(ends) || booking) && self.head() == "cancel" { Verb::Delete } else { Verb::Operate }
    }

    fn approve(&self) -> Verb {
        if self.is(t::POLICY) || self.says(&["call", "request", "action"]) {
            Verb::Govern
        } else if self.around(t::PAYMENT | t::CRYPTO | t::FINANCE) {
            Verb::Pay
        } else if self.is(t::TRACKER) {
            Verb::Send
        } else {
            Verb::Grant
        }
    }

    fn reset(&self) -> Verb {
        if self.key() || self.is(t::IDENTITY) {
            Verb::Identity
        } else if self.is(t::CACHE | t::VIEW | t::OWN | t::MATH) {
            Verb::Keep
        } else if self.around(t::REPO) && !self.says(&["hard"]) {
            Verb::Write
        } else {
            Verb::Overwrite
        }
    }

    fn schedule(&self) -> Verb {
        if self.is(t::PAYMENT) {
            Verb::Pay
        } else if self.is(t::MAIL | t::CHAT) || self.says(&["post", "tweet", "sms"]) {
            Verb::Send
        } else if self.is(t::EVENT) || self.says(&["call", "interview"]) {
            Verb::Invite
        } else {
            Verb::Operate
        }
    }

    fn operate(&self) -> Verb {
        let off = matches!(self.head(), "disable" | "deactivate" | "stop" | "suspend" | "disarm" | "abort");
        let name = self.head();
        if off
            && (self.is(t::POLICY)
                || self.says(&[
                    "mfa",
                    "2fa",
                    "security",
                    "protection",
                    "logging",
                    "audit",
                    "monitoring",
                    "backups",
                    "encryption",
                ]))
        {
            return Verb::Govern;
        }
        if self.is(t::IDENTITY)
            && !self.is(t::MACHINE)
            && matches!(name, "enable" | "disable" | "activate" | "deactivate" | "suspend" | "lock" | "unlock")
        {
            return Verb::Identity;
        }
        match name {
            "printenv" => Verb::Read,
            "print" if self.says(&["env", "environment", "environ"]) => Verb::Read,
            "start" | "launch" if self.says(&["process", "command", "terminal", "shell", "program"]) => Verb::Execute,
            "start" | "stop" | "begin"
                if self.is(t::QUERY | t::REPORT) || self.says(&["research", "researcher", "crawl"]) =>
            {
                Verb::Read
            }
            "start" | "stop" | "activate" | "enable" | "disable"
                if self.server & t::HOME != 0 && !self.is(t::GUARD | t::POLICY) =>
            {
                Verb::Keep
            }
            "start" | "stop" if self.is(t::OWN) || self.says(&["timer", "recording", "tracing", "trace"]) => Verb::Keep,
            "launch" | "start" if self.is(t::BROWSER) => Verb::Read,
            "drain" => Verb::Delete,
            _ => Verb::Operate,
        }
    }

    fn send(&self) -> Verb {
        if self.is(t::PAYMENT)
            || (matches!(self.head(), "send" | "submit" | "transmit") && self.server & t::CRYPTO != 0)
        {
            return Verb::Pay;
        }
        match self.head() {
            "submit" | "send" if self.says(&["input", "keys", "keystrokes", "command", "stdin", "signal"]) => {
                Verb::Execute
            }
            "react" | "like" | "comment" | "message" | "text" | "chat" | "mail" | "email"
                if !self.sure && self.is(t::MATH) =>
            {
                Verb::Read
            }
            "push" if self.server & t::NOSQL != 0 => Verb::Write,
            "post" if !self.sure && self.says(&["query", "search"]) => Verb::Read,
            "chat" | "message" if self.says(&["completion", "completions"]) => Verb::Read,
            "text"
                if self.says(&[
                    "to",
                    "speech",
                    "image",
                    "search",
                    "analysis",
                    "generation",
                    "embedding",
                    "classification",
                    "stats",
                ]) =>
            {
                Verb::Read
            }
            "text" => Verb::Unknown,
            "chat" | "speak" | "say" | "answer" if self.server == 0 && self.tokens.len() == 1 => Verb::Send,
            _ => Verb::Send,
        }
    }

    fn remove(&self) -> Verb {
        // Taken off, and put back as easily.
        let light = self.says(&[
            "label",
            "labels",
            "reaction",
            "reactions",
            "star",
            "favorite",
            "favourite",
            "bookmark",
            "highlight",
            "cart",
            "basket",
        ]) && self.head() == "remove";
        if self.head() == "remove"
            && self.says(&[
                "background",
                "watermark",
                "noise",
                "silence",
                "whitespace",
                "duplicates",
                "accents",
                "stopwords",
            ])
        {
            return Verb::Read;
        }
        if self.says(&["cache"]) {
            return Verb::Operate;
        }
        if light || self.head() == "clean" && self.is(t::MATH) { Verb::Keep } else { Verb::Delete }
    }

    fn pay(&self) -> Verb {
        if self.says(&["ownership", "owner"]) {
            return Verb::Identity;
        }
        if self.head() == "transfer" && self.is(t::REPO) {
            return Verb::Identity;
        }
        let handed = self.head() == "transfer"
            && self.says(&["human", "agent", "agents", "call", "support", "representative", "department", "operator"]);
        let call = handed
            || matches!(self.head(), "transfer") && self.is(t::FILE | t::TRACKER | t::CHAT) && !self.is(t::PAYMENT);
        let sorting = matches!(
            self.head(),
            "order" | "short" | "long" | "tip" | "swap" | "mint" | "bridge" | "burn" | "wire" | "spend" | "fund"
        ) && !self.around(t::FINANCE | t::LEDGER | t::CRYPTO | t::PAYMENT | t::TRIP)
            && self.tokens.len() > 1
            && self.head > 0;
        if call || sorting { Verb::Send } else { Verb::Pay }
    }

    fn identify(&self) -> Verb {
        if !self.sure && self.is(t::QUERY | t::REPORT) { Verb::Read } else { Verb::Identity }
    }
}
