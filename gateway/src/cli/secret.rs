//! `portcullis secret`: what tools are lent.

mod shelf;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use vault::{Listed, Sealed};

use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use super::table::Table;
use super::when::long;
use super::{Global, hidden};
use crate::clock;
use crate::operator::secrets::Changed;
use shelf::Shelf;

/// Keep what tools are lent.
#[derive(Args)]
#[command(
    about = "Keep the secrets that tools are lent",
    long_about = "Sets, lists, rotates and removes the secrets of the encrypted file in the state folder, and shows those of other \
        backends. A value is typed at a hidden prompt or comes from standard input, never from the command line, which other \
        users can read.\n\n\
        With a gateway running this goes through its socket: calls from then on are lent the new value. Without one, straight to \
        the file. Every change is a record in the log."
)]
pub(crate) struct SecretCommand {
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The config, where no gateway runs [default: $XDG_CONFIG_HOME/portcullis/portcullis.toml, if there]"
    )]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Keep a value, in place of an older one if there is one
    #[command(
        after_help = "Examples:\n  portcullis secret set github-token\n  pass show github | portcullis secret set github-token"
    )]
    Set {
        /// The secret's name in the config
        #[arg(value_name = "NAME")]
        name: String,
        /// Also a value under 12 characters, which is found in ordinary text
        #[arg(long)]
        force: bool,
    },
    /// List the secrets, without their values
    List,
    /// Put a new value in place of an older one
    #[command(
        long_about = "Puts a new value in place of an older one. Calls from now on are lent the new one; those that run keep the \
            old one, which is redacted for as long as `[redact] grace` says.\n\n\
            With --emergency the calls that hold the old one are ended first. A secret of another backend is changed there; \
            --emergency takes it from the calls that hold it."
    )]
    Rotate {
        /// The secret's name in the config
        #[arg(value_name = "NAME")]
        name: String,
        /// End the calls that hold the old value
        #[arg(long)]
        emergency: bool,
        /// Also a value under 12 characters, which is found in ordinary text
        #[arg(long)]
        force: bool,
    },
    /// Forget a secret
    Rm {
        /// The secret's name in the config
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl SecretCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let shelf = Shelf::open(global, self.config.as_deref()).await?;
            let done = act(global, &out, &shelf, self.action).await;
            shelf.close().await;
            done
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn act(global: &Global, out: &Out, shelf: &Shelf, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List => tell_all(global, out, &shelf.list().await?),
        Action::Set { name, force } => {
            let sealed = value(shelf, &name).await?;
            tell(global, out, &shelf.set(&name, sealed, force, false).await?, "set")
        }
        Action::Rm { name } => tell(global, out, &shelf.remove(&name).await?, "forgotten"),
        Action::Rotate { name, emergency, force } => {
            let ours = shelf.list().await?.iter().any(|listed| listed.name == name && listed.version.is_some());
            if emergency {
                tell(global, out, &shelf.revoke(&name).await?, "revoked")?;
                if !ours {
                    return Ok(());
                }
            }
            let sealed = value(shelf, &name).await?;
            tell(global, out, &shelf.set(&name, sealed, force, true).await?, "rotated")?;
            if emergency {
                // What was lent between the two was the old value.
                shelf.revoke(&name).await?;
            }
            Ok(())
        }
    }
}

/// Typed at a hidden prompt or piped in, and sealed before anything else is done with it.
async fn value(shelf: &Shelf, name: &str) -> anyhow::Result<Sealed> {
    let recipient = shelf.recipient(name).await?;
    let sealed = if io::stdin().is_terminal() {
        let typed = hidden::ask(&format!("value of {name}"))?;
        vault::seal(typed.as_bytes(), &recipient)
    } else {
        vault::seal(io::stdin().lock(), &recipient)
    };
    sealed.map_err(|error| Trouble::new(error.to_string()).into())
}

fn tell(global: &Global, out: &Out, changed: &Changed, what: &str) -> anyhow::Result<()> {
    if global.json {
        return print::json(changed);
    }
    let version = changed.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let ended = changed.ended.map(|ended| format!("; calls ended: {ended}")).unwrap_or_default();
    Ok(out.say(format!("{} {what}{version}{ended}", changed.name))?)
}

fn tell_all(global: &Global, out: &Out, secrets: &[Listed]) -> anyhow::Result<()> {
    if global.json {
        return secrets.iter().try_for_each(print::json);
    }
    if secrets.is_empty() {
        return Ok(out.say("no secret is kept or configured; keep one: portcullis secret set NAME")?);
    }
    let (zone, now) = (TimeZone::system(), clock::now());
    let mut table = Table::new(&["SECRET", "BACKEND", "VERSION", "AGE", "LAST USE", ""]);
    for secret in secrets {
        let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| long(at, &zone));
        let version = secret.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let age = secret.created.map_or_else(|| "-".to_owned(), |created| age(created, now));
        let remark = if secret.configured {
            Line::new()
        } else {
            Line::new().inked(Ink::Faint, format!("no [secret.{}] lends it", secret.name))
        };
        let text = |text: String| Line::new().ours(text);
        table.row(vec![
            Line::new().theirs(&secret.name),
            text(secret.backend.clone()),
            text(version),
            text(age),
            text(when(secret.used)),
            remark,
        ]);
    }
    Ok(out.lines(&table.lines(out.width()))?)
}

/// In whole days, or in hours of the first one.
fn age(created: Timestamp, now: Timestamp) -> String {
    let hours = now.duration_since(created).as_hours().max(0);
    if hours < 48 { format!("{hours} h") } else { format!("{} d", hours / 24) }
}
