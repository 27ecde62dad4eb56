//! What making and changing means, by what is made or changed.

use super::Verb;
use super::object::Object;
use crate::facts::lexicon::thing as t;

impl Object<'_> {
    /// An API key, an access token, a key pair: not the key of a map.
    pub(super) fn key(&self) -> bool {
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

    pub(super) fn write(&self) -> Verb {
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

    pub(super) fn identity(&self) -> bool {
        let story = self.says(&["story", "stories", "group", "list", "flow", "journey", "persona", "guide", "manual"]);
        let address = self.things & !t::PRIVATE == t::MAIL
            && matches!(self.head(), "update" | "change" | "set")
            && self.server & t::MAIL == 0;
        (self.is(t::IDENTITY) && !self.is(t::OWN | t::TASK | t::EVENT) && !story) || address
    }

    /// Whether what is written is the agent's own or its user's, seen by nobody else, and easily changed back.
    pub(super) fn own(&self) -> bool {
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
            && (self.server & t::HOME != 0
                || self.says(&["light", "lights", "lamp", "thermostat", "brightness", "temperature"]));
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

    pub(super) fn add(&self) -> Verb {
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
}
