//! `[notify.NAME]`: the channels through which people are told of held calls. Files that hold credentials, never credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use url::Url;

use super::keys::{Keys, bare, is_local};
use super::section::{Section, Sheet};

/// One channel, as it was configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// Who is spoken to, and how.
    pub way: Way,
    /// How long one attempt may take.
    pub within: Duration,
    /// Certificates (PEM) that are trusted in place of the machine's.
    pub authority: Option<PathBuf>,
}

/// Who is spoken to, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// A POST, signed as Standard Webhooks has it.
    Webhook {
        /// Where to.
        url: Url,
        /// The file with the key.
        key: PathBuf,
    },
    /// A topic of an ntfy server.
    Ntfy {
        /// The server.
        url: Url,
        /// The topic.
        topic: String,
        /// The file with the access token, where the topic is guarded by one.
        token: Option<PathBuf>,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// The file with the webhook's URL: whoever has it can write to the workspace.
        url: PathBuf,
    },
    /// A chat that a Telegram bot writes to.
    Telegram {
        /// The Bot API.
        url: Url,
        /// The file with the bot's token.
        token: PathBuf,
        /// The chat's id, or the `@name` of a channel.
        chat: String,
    },
    /// A mail server.
    Smtp(Mail),
}

/// A mail server, and whom it is to write to.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
    /// Who writes.
    pub from: Mailbox,
    /// Who reads. One person or list a channel: a mailbox that is full keeps no other from being told.
    pub to: Mailbox,
    /// A user, and the file with the password.
    pub login: Option<(String, PathBuf)>,
}

/// How a connection to a mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS, which must be agreed on first.
    StartTls,
    /// Not at all: on this machine only.
    None,
}

impl Way {
    /// The word for it in the config.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Ntfy { .. } => "ntfy",
            Self::Slack { .. } => "slack",
            Self::Telegram { .. } => "telegram",
            Self::Smtp(_) => "smtp",
        }
    }
}

/// Long enough for a slow mail server, short against a hold.
const WITHIN: Duration = Duration::from_secs(10);

/// `[notify]`
pub(super) fn channels(sheet: &Sheet<'_>, all: &Section<'_>) -> BTreeMap<String, Notify> {
    let mut channels = BTreeMap::new();
    for name in all.rest() {
        let section = all.below(name);
        let keys = Keys::new(sheet, all, name, &section);
        let (kind, at) = section.string("kind").unwrap_or_else(|| (name.to_owned(), keys.at));
        let (own, way): (&[&str], _) = match kind.as_str() {
            "webhook" => (&["url", "key"], keys.webhook()),
            "ntfy" => (&["url", "topic", "token"], keys.ntfy()),
            "slack" => (&["url"], keys.slack()),
            "telegram" => (&["url", "token", "chat"], keys.telegram()),
            "smtp" => (&["server", "tls", "from", "to", "user", "password"], keys.smtp()),
            other => {
                let wanted = "webhook, ntfy, slack, telegram or smtp";
                sheet.problem(at, section.key("kind"), format!("\"{other}\""), wanted);
                continue;
            }
        };
        let (within, authority) = (keys.within(WITHIN), section.string("ca").map(|(text, _)| sheet.path(&text)));
        let known: Vec<&str> = ["kind", "timeout", "ca"].iter().chain(own).copied().collect();
        section.finish(&known);
        channels.extend(way.map(|way| (name.to_owned(), Notify { way, within, authority })));
    }
    channels
}

impl Keys<'_> {
    fn webhook(&self) -> Option<Way> {
        let (url, key) = (self.url("url", None), self.credential("key", true));
        Some(Way::Webhook { url: url?, key: key?? })
    }

    fn ntfy(&self) -> Option<Way> {
        let (url, topic) = (self.url("url", Some("https://ntfy.sh")), self.text("topic"));
        let token = self.credential("token", false);
        Some(Way::Ntfy { url: url?, topic: topic?, token: token? })
    }

    fn slack(&self) -> Option<Way> {
        Some(Way::Slack { url: self.credential("url", true)?? })
    }

    fn telegram(&self) -> Option<Way> {
        let (url, token) = (self.url("url", Some("https://api.telegram.org")), self.credential("token", true));
        Some(Way::Telegram { url: url?, token: token??, chat: self.text("chat")? })
    }

    fn smtp(&self) -> Option<Way> {
        let (security, server) = (self.security(), self.text("server"));
        let (from, to) = (self.mailbox("from"), self.mailbox("to"));
        let user = self.section.string("user").map(|(user, _)| user);
        let password = self.credential("password", user.is_some())?;
        if user.is_none() && password.is_some() {
            self.problem("user", "nothing", "the user that the password belongs to");
        }
        let security = security?;
        let (host, port) = self.server(&server?, security)?;
        Some(Way::Smtp(Mail { host, port, security, from: from?, to: to?, login: user.zip(password) }))
    }

    fn security(&self) -> Option<Security> {
        match self.section.string("tls").as_ref().map(|(text, _)| text.as_str()) {
            None if self.section.at("tls") == 0 => Some(Security::Tls),
            Some("implicit") => Some(Security::Tls),
            Some("starttls") => Some(Security::StartTls),
            Some("none") => Some(Security::None),
            None => None,
            Some(other) => {
                self.problem("tls", format!("\"{other}\""), "\"implicit\", \"starttls\" or \"none\"");
                None
            }
        }
    }

    /// A host, and its port where it is not the usual one.
    fn server(&self, text: &str, security: Security) -> Option<(String, u16)> {
        let usual = match security {
            Security::Tls => 465,
            Security::StartTls => 587,
            Security::None => 25,
        };
        let url = Url::parse(&format!("smtp://{text}")).ok().filter(|url| {
            url.username().is_empty() && url.password().is_none() && url.path().is_empty() && url.query().is_none()
        });
        let Some((host, url)) = url.as_ref().and_then(|url| Some((bare(url)?, url))) else {
            self.problem("server", format!("\"{text}\""), "a host, or a host and its port: \"smtp.example.com:465\"");
            return None;
        };
        if security == Security::None && !is_local(&host) {
            let wanted = "a server on this machine, or tls = \"implicit\" or \"starttls\"";
            self.problem("server", format!("\"{text}\" without TLS"), wanted);
        }
        Some((host, url.port().unwrap_or(usual)))
    }

    fn mailbox(&self, key: &str) -> Option<Mailbox> {
        let text = self.text(key)?;
        let mailbox = text.parse().ok();
        if mailbox.is_none() {
            self.problem(key, format!("\"{text}\""), "an address: \"ann@example.com\" or \"Ann <ann@example.com>\"");
        }
        mailbox
    }
}
