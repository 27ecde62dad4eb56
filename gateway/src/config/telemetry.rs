//! `[telemetry]`: who is sent traces and figures. Files and variables that hold credentials, never credentials. And where
//! metrics and health are asked, in `[listen]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use serde_json::Value;
use url::Url;

use super::keys::usable;
use super::section::{Section, Sheet};
use crate::telemetry::ALL;

/// Who is sent traces and figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// The collector, without the paths of the signals.
    pub endpoint: Url,
    /// What each message bears beside.
    pub headers: Vec<(HeaderName, Word)>,
    /// Certificates (PEM) that are trusted in place of the machine's.
    pub authority: Option<PathBuf>,
    /// The name of this gateway among what is watched.
    pub service: String,
    /// How many of a million requests are traced.
    pub sample: u32,
    /// How often figures are sent.
    pub every: Duration,
}

/// Where a word is kept that must not stand in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A file for its owner alone.
    File(PathBuf),
    /// A variable of the gateway's environment.
    Env(String),
}

/// Where metrics and health are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsAt {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Values of `Host` that are accepted beside the loopback names and the address.
    pub hosts: Vec<String>,
}

const KEYS: [&str; 6] = ["endpoint", "headers", "ca", "service", "sample", "every"];

const ENDPOINT: &str = "an https URL without user, password and fragment, like \"https://otel.example.com:4318\"; http to this machine only";

/// Headers that belong to the message itself.
const OURS: [&str; 6] = ["host", "content-type", "content-length", "transfer-encoding", "connection", "user-agent"];

/// `[telemetry]`
pub(super) fn telemetry(sheet: &Sheet<'_>, section: Section<'_>) -> Option<Telemetry> {
    let endpoint = section.string("endpoint").and_then(|(text, at)| {
        let url = usable(&text);
        if url.is_none() {
            // Its value may hold a token: it is not repeated.
            sheet.problem(at, "telemetry.endpoint", "another text", ENDPOINT);
        }
        url
    });
    let headers = headers(sheet, &section.below("headers"));
    let authority = section.string("ca").map(|(text, _)| sheet.path(&text));
    let service = section.string("service").map(|(text, _)| text);
    let sample = section.json("sample").and_then(|(value, at)| {
        let sample = value.as_f64().and_then(of_all);
        if sample.is_none() {
            sheet.problem(at, "telemetry.sample", value.to_string(), "a part from 0 to 1");
        }
        sample
    });
    let every = section.duration("every").and_then(|every| Duration::try_from(every).ok());
    if every.is_some_and(|every| !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&every)) {
        sheet.problem(section.at("every"), "telemetry.every", "another time", "a time from \"1s\" to \"1h\"");
    }
    let written = KEYS.iter().map(|key| section.at(key)).find(|at| *at > 0);
    if let (Some(at), 0) = (written, section.at("endpoint")) {
        sheet.problem(at, "telemetry.endpoint", "nothing", ENDPOINT);
    }
    section.finish(&KEYS);
    Some(Telemetry {
        endpoint: endpoint?,
        headers,
        authority,
        service: service.unwrap_or_else(|| "portcullis".to_owned()),
        sample: sample.unwrap_or(ALL),
        every: every.unwrap_or(Duration::from_mins(1)),
    })
}

fn headers(sheet: &Sheet<'_>, all: &Section<'_>) -> Vec<(HeaderName, Word)> {
    let mut headers = Vec::new();
    for name in all.rest() {
        let Some((value, at)) = all.json(name) else { continue };
        let header = HeaderName::try_from(name).ok().filter(|header| !OURS.contains(&header.as_str()));
        if header.is_none() {
            sheet.problem(
                at,
                all.key(name),
                "a name that cannot be used",
                "the name of a header that is not ours to set",
            );
        }
        let word = word(sheet, &value);
        if word.is_none() {
            let wanted = "`{ file = \"…\" }`, a file for its owner alone, or `{ env = \"NAME\" }`";
            sheet.problem(at, all.key(name), "something else", wanted);
        }
        headers.extend(header.zip(word));
    }
    headers
}

fn word(sheet: &Sheet<'_>, value: &Value) -> Option<Word> {
    let table = value.as_object().filter(|table| table.len() == 1)?;
    let text = |key: &str| table.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("file"), text("env")) {
        (Some(file), None) => Some(Word::File(sheet.path(file))),
        (None, Some(name)) => Some(Word::Env(name.to_owned())),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and a million")]
fn of_all(part: f64) -> Option<u32> {
    (0.0..=1.0).contains(&part).then(|| (part * f64::from(ALL)).round() as u32)
}

/// `listen.metrics`: off unless it is written; a port is one of loopback.
pub(super) fn metrics(sheet: &Sheet<'_>, listen: &Section<'_>) -> Option<MetricsAt> {
    let hosts = listen.strings("metrics_hosts").unwrap_or_default();
    let (value, at) = listen.json("metrics")?;
    let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
    let address = match (port, value.as_str()) {
        (Some(port), _) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        (None, Some(text)) => text.parse().ok(),
        (None, None) if value == Value::Bool(false) => return None,
        (None, None) => None,
    };
    let Some(address) = address else {
        let wanted = "a port of loopback, an address and port like \"127.0.0.1:9464\", or false";
        sheet.problem(at, "listen.metrics", value.to_string(), wanted);
        return None;
    };
    if address.ip().is_unspecified() && hosts.is_empty() {
        let wanted = "`metrics_hosts` beside it: the names that scrapers ask for, like [\"gw.internal:9464\"]";
        sheet.problem(at, "listen.metrics", address.to_string(), wanted);
    }
    Some(MetricsAt { address, hosts })
}
