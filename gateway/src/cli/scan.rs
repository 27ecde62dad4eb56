//! `portcullis scan`: credentials that lie in files.

mod files;

use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Personal, Redactor};
use clap::Args;
use serde::Serialize;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use super::redact::redactor;
use files::{Files, Skipped};

/// Find credentials in files.
#[derive(Args)]
#[command(
    about = "Find credentials in files, config and the settings of MCP clients",
    long_about = "Reads files and folders, and says where a credential stands: file, line, kind and fingerprint, never the value. Hidden \
        files are read too, since settings are hidden files; .git, and folders of dependencies and builds are not. A file that is no \
        text, or larger than --max-size, is counted and not read.",
    after_help = "Examples:\n  \
        portcullis scan .\n      \
        this folder, as in CI: exits with 1 if anything is found\n  \
        portcullis scan --clients\n      \
        the settings of this user's MCP clients, where tokens of tool servers often lie\n  \
        portcullis scan --json deploy.yaml | jq -r .kind\n\n\
        A fingerprint names the value: the same one in two places is the same credential. Put a credential that was found into the vault, \
        refer to it by its name, and replace it at its issuer: whoever could read the file has it.\n\n\
        Exits with 0 if nothing is found, 1 if something is, or if a path cannot be read."
)]
pub(crate) struct ScanCommand {
    /// Files and folders
    #[arg(value_name = "PATH", required_unless_present = "clients")]
    paths: Vec<PathBuf>,
    /// The settings of this user's MCP clients too
    #[arg(long)]
    clients: bool,
    #[arg(long, value_name = "MIB", default_value_t = 8, help = "Larger files are not read")]
    max_size: u64,
    #[arg(
        long,
        value_name = "KINDS",
        default_value = "none",
        help = "What of people is found too: email, phone, iban, card, national-id, ip-address, mac-address, all or none"
    )]
    personal: Personal,
}

/// One credential.
#[derive(Serialize)]
struct Found {
    file: PathBuf,
    line: usize,
    kind: &'static str,
    fingerprint: String,
}

/// Where MCP clients keep their settings, below the home folder.
const CLIENTS: &[&str] = &[
    ".claude.json",
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
    ".cursor/mcp.json",
    ".codeium/windsurf/mcp_config.json",
    ".config/Code/User/mcp.json",
    ".config/Code/User/settings.json",
    "Library/Application Support/Code/User/mcp.json",
    ".config/zed/settings.json",
    ".codex/config.toml",
    ".gemini/settings.json",
    ".config/goose/config.yaml",
    ".continue/config.yaml",
    ".continue/config.json",
    ".aws/amazonq/mcp.json",
    ".config/opencode/opencode.json",
    ".copilot/mcp-config.json",
];

impl ScanCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let redactor = redactor(global, Some(self.personal))?;
        let mut paths = self.paths.clone();
        if self.clients {
            paths.extend(clients()?);
        }
        let mut files = Files::of(paths, self.max_size << 20);
        let mut total = 0;
        while let Some((path, text)) = files.next_text() {
            for found in look(&redactor, &path, &text, files.skipped()) {
                total += 1;
                if global.json { print::json(&found)? } else { Out::stdout().line(&shown(&found))? }
            }
        }
        let skipped = files.into_skipped();
        if !global.json {
            summary(total, &skipped).iter().for_each(print::aside);
        }
        skipped.failed.iter().for_each(|failed| print::aside(format!("cannot read {failed}")));
        Ok(if total == 0 && skipped.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn clients() -> anyhow::Result<Vec<PathBuf>> {
    let home =
        std::env::var_os("HOME").ok_or_else(|| Trouble::new("there is no home folder to look for settings in"))?;
    Ok(CLIENTS.iter().map(|client| PathBuf::from(&home).join(client)).filter(|path| path.is_file()).collect())
}

/// What is in one file. One that cannot be searched within its bounds is a failure, not a clean file.
fn look(redactor: &Redactor, path: &std::path::Path, text: &str, skipped: &mut Skipped) -> Vec<Found> {
    let found = redactor.find(text).unwrap_or_else(|error| {
        skipped.failed.push(format!("{}: {error}", path.display()));
        Vec::new()
    });
    let (mut line, mut from) = (1, 0);
    let place = |finding: audit::Finding| {
        line += text.get(from..finding.start).map_or(0, |between| between.matches('\n').count());
        from = finding.start;
        Found { file: path.to_owned(), line, kind: finding.kind, fingerprint: finding.fingerprint }
    };
    found.into_iter().map(place).collect()
}

fn shown(found: &Found) -> Line {
    let place = format!("{}:{}: ", found.file.display(), found.line);
    Line::new().ours(place).inked(Ink::Danger, found.kind).inked(Ink::Faint, format!(" {}", found.fingerprint))
}

fn summary(total: usize, skipped: &Skipped) -> Vec<String> {
    let found = match total {
        0 => "no credential found".to_owned(),
        1 => "1 credential found".to_owned(),
        many => format!("{many} credentials found"),
    };
    let mut lines = vec![found];
    if skipped.large > 0 {
        lines.push(format!("{} not read: larger than --max-size", skipped.large));
    }
    if skipped.binary > 0 {
        lines.push(format!("{} not read: no text", skipped.binary));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_and_what_and_never_the_value() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let redactor = Redactor::new(&[7; 32]);
        let text = format!("one\ntwo {token}\n\nthree {token} {token}");
        let found = look(&redactor, "f.txt".as_ref(), &text, &mut Skipped::default());
        assert_eq!(found.iter().map(|found| found.line).collect::<Vec<_>>(), [2, 4, 4]);
        let line = shown(&found[0]).to_string();
        assert!(line.starts_with("f.txt:2: github-token ") && !line.contains("ghp_"), "{line}");
    }
}
