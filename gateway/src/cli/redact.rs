//! `portcullis redact`: what an agent would be shown of a text.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use audit::{Finding, Personal, Redactor};
use clap::Args;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Global;
use super::print::Trouble;

/// Redact text from stdin.
#[derive(Args)]
#[command(
    about = "Redact text: what looks like a credential is replaced",
    long_about = "Reads text from stdin and writes it to stdout with every credential replaced by its kind and a fingerprint, such as \
        [secret:github-token:7f3a]. Two replacements with one fingerprint are one secret. The fingerprint's key is the gateway's \
        own if there is a state folder, so that they can be compared with records, and a fresh one if there is not.",
    after_help = "Examples:\n  \
        kubectl logs web | portcullis redact\n      \
        shows a log without its tokens\n  \
        echo '{\"text\": \"key c2VjcmV0LXZhbHVl\", \"secret\": \"secret-value\"}' | portcullis redact --jsonl\n      \
        treats `secret` as live: it is found in every encoding\n\n\
        Rows of --jsonl are {\"text\": …} or {\"chunks\": [… , …]}, both with or without \"secret\". Each is answered by \
        {\"redacted\": …, \"findings\": [{\"kind\", \"start\", \"end\"}]}; offsets are bytes of the text, or of the chunks joined. A row \
        that cannot be redacted is answered by {\"error\": …}, and the exit code is 1."
)]
pub(crate) struct RedactCommand {
    /// Read a JSON object a line, and answer each by one
    #[arg(long)]
    jsonl: bool,
    #[arg(
        long,
        value_name = "KINDS",
        help = "What of people is replaced too: email, phone, iban, card, national-id, ip-address, mac-address, all or none, with commas \
                between them [default: card,iban,national-id]"
    )]
    personal: Option<Personal>,
}

/// One row. It may have other members: whoever numbers rows does so for itself.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    chunks: Option<Vec<String>>,
    #[serde(default)]
    secret: Option<String>,
}

/// Its answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Told {
    Redacted { redacted: String, findings: Vec<Found> },
    Failed { error: String },
}

#[derive(Serialize)]
struct Found {
    kind: &'static str,
    start: usize,
    end: usize,
}

impl RedactCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let redactor = redactor(global, self.personal)?;
        let (stdin, mut stdout) = (io::stdin().lock(), io::BufWriter::new(io::stdout().lock()));
        let code = if self.jsonl { rows(&redactor, stdin, &mut stdout)? } else { text(&redactor, stdin, &mut stdout)? };
        stdout.flush()?;
        Ok(code)
    }
}

/// With the gateway's key for fingerprints, if there is one: looking at a text makes no state.
pub(super) fn redactor(global: &Global, personal: Option<Personal>) -> anyhow::Result<Redactor> {
    let state = global.state().ok().filter(|state| state.is_dir());
    let key = match state {
        Some(state) => audit::fingerprint_key(&state).context("the key for fingerprints cannot be used")?,
        None => fresh_key()?,
    };
    Ok(Redactor::new(&key).with_personal(personal.unwrap_or_default()))
}

fn fresh_key() -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let made = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), key.as_mut_slice());
    made.map_err(|_| Trouble::new("the system gives no random numbers"))?;
    Ok(key)
}

/// Bytes that are no text are shown as such: a credential among them is replaced all the same.
fn text(redactor: &Redactor, mut from: impl io::Read, to: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).context("cannot read stdin")?;
    let text = String::from_utf8_lossy(&bytes);
    let found = redactor.find(&text).context("the text is withheld")?;
    to.write_all(redactor.replaced(&text, &found).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn rows(redactor: &Redactor, from: impl BufRead, to: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for line in from.lines() {
        let line = line.context("cannot read stdin")?;
        if line.trim().is_empty() {
            continue;
        }
        let told = row(redactor, &line).unwrap_or_else(|error| {
            code = ExitCode::FAILURE;
            Told::Failed { error }
        });
        serde_json::to_writer(&mut *to, &told)?;
        to.write_all(b"\n")?;
        // Whoever sends rows one by one waits for each answer.
        to.flush()?;
    }
    Ok(code)
}

fn row(redactor: &Redactor, line: &str) -> Result<Told, String> {
    // The line is not repeated in the error: it holds what must not be shown.
    let row: Row = serde_json::from_str(line).map_err(|error| format!("not a row: column {}", error.column()))?;
    let text = match (row.text, row.chunks) {
        (Some(text), None) => text,
        (None, Some(chunks)) => chunks.concat(),
        (Some(_), Some(_)) | (None, None) => return Err("not a row: it has one of `text` and `chunks`".to_owned()),
    };
    let _learned = row.secret.map(|secret| redactor.learn(secret.as_bytes()));
    let found = redactor.find(&text).map_err(|error| error.to_string())?;
    let redacted = redactor.replaced(&text, &found);
    let findings = found.into_iter().map(|Finding { kind, start, end, .. }| Found { kind, start, end }).collect();
    Ok(Told::Redacted { redacted, findings })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(rows: &str) -> Vec<serde_json::Value> {
        let redactor = Redactor::new(&[7; 32]).with_grace(std::time::Duration::ZERO);
        let mut out = Vec::new();
        super::rows(&redactor, rows.as_bytes(), &mut out).unwrap();
        out.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn offsets_are_bytes_of_the_joined_text_and_a_rows_secret_is_live_for_that_row_alone() {
        let rows = answered(
            "{\"chunks\":[\"é live-va\",\"lue-1234 é\"],\"secret\":\"live-value-1234\"}\n\n{\"text\":\"live-value-1234\"}\nnonsense\n",
        );
        assert_eq!(rows[0]["findings"], serde_json::json!([{"kind": "live", "start": 3, "end": 18}]));
        assert!(rows[0]["redacted"].as_str().unwrap().starts_with("é [secret:live:"));
        assert_eq!(rows[1], serde_json::json!({"redacted": "live-value-1234", "findings": []}));
        assert!(rows[2]["error"].as_str().unwrap().starts_with("not a row"));
    }
}
