//! `Object`: what a verb does, by what it is done to.

use super::{Reading, Verb};
use crate::facts::lexicon::{Does, thing as t};

/// A verb with the words around it.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) tokens: &'a [&'a str],
    pub(super) head: usize,
    /// What the other words are about.
    pub(super) things: u64,
    pub(super) server: u64,
    pub(super) sure: bool,
}

impl Object<'_> {
    pub(super) fn says(&self, wanted: &[&str]) -> bool {
        self.tokens.iter().enumerate().any(|(at, token)| at != self.head && wanted.contains(token))
    }

    pub(super) fn is(&self, things: u64) -> bool {
        self.things & things != 0
    }

    pub(super) fn around(&self, things: u64) -> bool {
        (self.things | self.server) & things != 0
    }

    pub(super) fn head(&self) -> &str {
        self.tokens.get(self.head).copied().unwrap_or_default()
    }

    /// What the verb means here.
    pub(super) fn reading(&self, does: Does) -> Reading {
        let plain = |verb| Reading { verb, deferring: false };
        match does {
            Does::Any if self.head() == "handle" && self.says(&["dialog", "alert", "popup"]) => plain(Verb::Interact),
            Does::Any
                if self.head() == "request"
                    && self.head == 0
                    && self.tokens.len() > 1
                    && !self.is(t::GENERIC)
                    && !self.says(&["url", "web", "page"]) =>
            {
                plain(Verb::Send)
            }
            Does::Any => Reading { verb: Verb::Unknown, deferring: true },
            Does::Run => self.run(),
            Does::Execute => self.execute(),
            Does::Read => Reading { verb: self.look(), deferring: self.is(t::SQL) || self.head() == "query" },
            Does::Generate if self.is(t::MAIL | t::CHAT | t::DRAFT) => plain(Verb::Keep),
            Does::Generate if self.head() == "compose" && self.says(&["up", "down"]) => plain(Verb::Operate),
            Does::Ask | Does::Export | Does::Visit => plain(Verb::Read),
            Does::Generate => plain(if self.key() { Verb::Identity } else { Verb::Read }),
            Does::Interact => plain(self.interact()),
            Does::Log => plain(self.log()),
            Does::Turn => plain(self.turn()),
            Does::Switch => plain(self.switch()),
            Does::Write if self.head() == "make" && self.is(t::GENERIC) => {
                Reading { verb: Verb::Unknown, deferring: true }
            }
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
            Does::Operate => defers(self.operate()),
            Does::Send if self.is(t::GENERIC) && self.says(&["request", "http", "api"]) => {
                Reading { verb: Verb::Unknown, deferring: true }
            }
            // A tool named `mail` does what its `operation` says.
            Does::Send if !self.sure && self.tokens.len() == 1 => Reading { verb: self.send(), deferring: true },
            Does::Send => defers(self.send()),
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
            _ if self.tokens.last() == Some(&"scale") => Verb::Operate,
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
        // `run_configuration` starts something; `run` alone and a shell's `run` run what they are given.
        let given = self.tokens.len() == 1
            || self.around(t::CODE | t::SHELL)
            || self.is(t::CLI)
            || self.says(&["admin", "root", "sudo"]);
        Reading { verb: if given { Verb::Execute } else { Verb::Operate }, deferring: true }
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
        } else if self.says(&["project", "workspace", "solution"]) {
            Verb::Keep
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
            "activate" if self.says(&["project", "workspace", "context", "profile"]) => Verb::Keep,
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
        if self.head() == "place" && !self.is(t::PAYMENT) {
            return Verb::Read;
        }
        let handed = self.head() == "transfer"
            && self.says(&["human", "agent", "agents", "call", "support", "representative", "department", "operator"]);
        let call = handed
            || matches!(self.head(), "transfer") && self.is(t::FILE | t::TRACKER | t::CHAT) && !self.is(t::PAYMENT);
        let sorting =
            matches!(self.head(), "order" | "tip" | "swap" | "mint" | "bridge" | "burn" | "wire" | "spend" | "fund")
                && !self.around(t::FINANCE | t::LEDGER | t::CRYPTO | t::PAYMENT | t::TRIP)
                && self.tokens.len() > 1
                && self.head > 0;
        if call || sorting { Verb::Send } else { Verb::Pay }
    }

    fn identify(&self) -> Verb {
        if !self.sure && self.is(t::QUERY | t::REPORT) { Verb::Read } else { Verb::Identity }
    }
}

/// What runs a command line does what the line says.
fn defers(verb: Verb) -> Reading {
    Reading { verb, deferring: verb == Verb::Execute }
}
