//! `[export.NAME]`: where records of the log are passed on to. Files that hold credentials, never credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::keys::{Keys, bare, is_local};
use super::section::{Section, Sheet};

/// One exporter, as it was configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Where records go.
    pub sink: Sink,
    /// What each of them looks like there.
    pub format: Format,
    /// How long one batch may take.
    pub within: Duration,
    /// Certificates (PEM) that are trusted in place of the machine's.
    pub authority: Option<PathBuf>,
}

/// What a record looks like where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The record as `portcullis log list --json` shows it, with its leaf.
    Json,
    /// OCSF 1.8: API Activity.
    Ocsf,
    /// The Elastic Common Schema.
    Ecs,
    /// `ArcSight`'s Common Event Format: one line, without arguments and results.
    Cef,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq)]
pub enum Sink {
    /// A file, a line a record.
    File {
        /// Which.
        path: PathBuf,
    },
    /// A collector that speaks RFC 5424.
    Syslog {
        /// Where it listens.
        to: Collector,
        /// From 0 to 23.
        facility: u8,
    },
    /// Splunk's HTTP Event Collector.
    Splunk {
        /// Its base.
        url: Url,
        /// The file with the token.
        token: PathBuf,
        /// The index, where it is not the token's own.
        index: Option<String>,
        /// The source type.
        source_type: String,
    },
    /// Elasticsearch or `OpenSearch`.
    Elasticsearch {
        /// Its base.
        url: Url,
        /// The index or data stream.
        index: String,
        /// Who writes.
        login: Option<Login>,
    },
    /// Datadog's log intake.
    Datadog {
        /// Its base.
        url: Url,
        /// The file with the API key.
        key: PathBuf,
    },
}

/// Where a syslog collector listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collector {
    /// A datagram a record; nobody says whether it arrived.
    Udp(String, u16),
    /// A connection a batch, with octet counting (RFC 6587).
    Tcp(String, u16),
    /// The same over TLS (RFC 5425).
    Tls(String, u16),
    /// A Unix datagram socket on this machine.
    Unix(PathBuf),
}

/// Who writes to Elasticsearch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The file with an API key, in base64 as it is handed out.
    ApiKey(PathBuf),
    /// A user, and the file with the password.
    Password(String, PathBuf),
}

impl Sink {
    /// The word for it in the config.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Syslog { .. } => "syslog",
            Self::Splunk { .. } => "splunk",
            Self::Elasticsearch { .. } => "elasticsearch",
            Self::Datadog { .. } => "datadog",
        }
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Json, Self::Ocsf, Self::Ecs, Self::Cef];

    /// The word for it in the config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Cef => "cef",
        }
    }
}

/// A batch is hundreds of records, and a collector may index them before it answers.
const WITHIN: Duration = Duration::from_secs(30);

/// `log audit`, as RFC 5424 numbers it.
const FACILITY: u8 = 13;

/// `[export]`
pub(super) fn exporters(sheet: &Sheet<'_>, all: &Section<'_>) -> BTreeMap<String, Export> {
    let mut exporters = BTreeMap::new();
    for name in all.rest() {
        let section = all.below(name);
        let keys = Keys::new(sheet, all, name, &section);
        let (kind, at) = section.string("kind").unwrap_or_else(|| (name.to_owned(), keys.at));
        let (own, sink): (&[&str], _) = match kind.as_str() {
            "file" => (&["path"], keys.file()),
            "syslog" => (&["address", "facility", "insecure", "ca"], keys.syslog()),
            "splunk" => (&["url", "token", "index", "source_type", "ca"], keys.splunk()),
            "elasticsearch" => (&["url", "index", "api_key", "user", "password", "ca"], keys.elasticsearch()),
            "datadog" => (&["url", "key", "ca"], keys.datadog()),
            other => {
                let wanted = "file, syslog, splunk, elasticsearch or datadog";
                sheet.problem(at, section.key("kind"), format!("\"{other}\""), wanted);
                continue;
            }
        };
        let format = keys.format(&kind);
        let (within, known) = (keys.within(WITHIN), ["kind", "format", "timeout"]);
        let ca = own.contains(&"ca").then(|| section.string("ca")).flatten();
        let authority = ca.map(|(text, _)| sheet.path(&text));
        let known: Vec<&str> = known.iter().chain(own).copied().collect();
        section.finish(&known);
        let made = sink.zip(format).map(|(sink, format)| Export { sink, format, within, authority });
        exporters.extend(made.map(|export| (name.to_owned(), export)));
    }
    exporters
}

impl Keys<'_> {
    fn format(&self, kind: &str) -> Option<Format> {
        let Some((text, _)) = self.section.string("format") else {
            let nothing = self.section.at("format") == 0;
            return nothing.then_some(if kind == "elasticsearch" { Format::Ecs } else { Format::Json });
        };
        let format = Format::ALL.into_iter().find(|format| format.as_str() == text);
        // An index gives each member a type: a record whose arguments have another type there would be refused. CEF is no object.
        let typed = |format: &Format| matches!(format, Format::Ecs | Format::Ocsf);
        let format = format.filter(|format| kind != "elasticsearch" || typed(format));
        if format.is_none() {
            let wanted = if kind == "elasticsearch" { "ecs or ocsf" } else { "json, ocsf, ecs or cef" };
            self.problem("format", format!("\"{text}\""), wanted);
        }
        format
    }

    fn file(&self) -> Option<Sink> {
        Some(Sink::File { path: self.sheet.path(&self.text("path")?) })
    }

    fn syslog(&self) -> Option<Sink> {
        let facility = match self.section.at("facility") {
            0 => Some(FACILITY),
            _ => self.section.count("facility", 0, 23),
        };
        let insecure = self.section.boolean("insecure").unwrap_or(false);
        let address = self.text("address")?;
        let Some(to) = self.collector(&address) else {
            self.problem("address", "another text", ADDRESS);
            return None;
        };
        if let Collector::Udp(host, _) | Collector::Tcp(host, _) = &to
            && !is_local(host)
            && !insecure
        {
            let wanted =
                "tls://, a collector on this machine, or insecure = true: records name agents, tools and arguments";
            self.problem("address", format!("\"{address}\" without TLS"), wanted);
        }
        Some(Sink::Syslog { to, facility: facility? })
    }

    fn collector(&self, text: &str) -> Option<Collector> {
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Collector::Unix(self.sheet.path(path)));
        }
        let url = Url::parse(text).ok()?;
        let bared = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
        let host = bare(&url).filter(|host| bared && !host.is_empty() && url.query().is_none())?;
        // The ports that RFC 5426, RFC 6587's practice and RFC 5425 name.
        match url.scheme() {
            "udp" => Some(Collector::Udp(host, url.port().unwrap_or(514))),
            "tcp" => Some(Collector::Tcp(host, url.port().unwrap_or(601))),
            "tls" => Some(Collector::Tls(host, url.port().unwrap_or(6514))),
            _ => None,
        }
    }

    fn splunk(&self) -> Option<Sink> {
        let (url, token) = (self.url("url", None), self.credential("token", true));
        let index = self.section.string("index").map(|(index, _)| index);
        let source_type = self.section.string("source_type").map(|(source_type, _)| source_type);
        let source_type = source_type.unwrap_or_else(|| "portcullis:audit".to_owned());
        Some(Sink::Splunk { url: url?, token: token??, index, source_type })
    }

    fn elasticsearch(&self) -> Option<Sink> {
        let url = self.url("url", None);
        let index = match self.section.at("index") {
            0 => Some("logs-portcullis.audit-default".to_owned()),
            _ => self.index(),
        };
        let user = self.section.string("user").map(|(user, _)| user);
        let (api_key, password) = (self.credential("api_key", false), self.credential("password", user.is_some()));
        let login = match (api_key?, user, password?) {
            (None, None, None) => None,
            (Some(key), None, None) => Some(Login::ApiKey(key)),
            (None, Some(user), Some(password)) => Some(Login::Password(user, password)),
            (None, None, Some(_)) => {
                self.problem("user", "nothing", "the user that the password belongs to");
                None
            }
            (_, _, _) => {
                self.problem("api_key", "an API key and a user", "one of them");
                None
            }
        };
        Some(Sink::Elasticsearch { url: url?, index: index?, login })
    }

    /// It stands in a path: what Elasticsearch forbids in names cannot lead anywhere else.
    fn index(&self) -> Option<String> {
        let text = self.text("index")?;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let known = text.bytes().all(letter) && !text.starts_with(['-', '_', '.']) && text.len() <= 255;
        if !known {
            let wanted = "lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit";
            self.problem("index", format!("\"{text}\""), wanted);
        }
        known.then_some(text)
    }

    fn datadog(&self) -> Option<Sink> {
        let url = self.url("url", Some("https://http-intake.logs.datadoghq.com"));
        let key = self.credential("key", true);
        Some(Sink::Datadog { url: url?, key: key?? })
    }
}

const ADDRESS: &str = "\"udp://HOST:PORT\", \"tcp://HOST:PORT\", \"tls://HOST:PORT\" or \"unix:/dev/log\"";
