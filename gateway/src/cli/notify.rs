//! `portcullis notify`: tries out the channels through which people are told of held calls.

use std::process::ExitCode;
use std::sync::Arc;

use audit::Redactor;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Global;
use super::config::{ConfigFile, Table};
use super::print::{self, Out, Trouble};
use crate::clock;
use crate::config::Config;
use crate::notify::{Channel, Message};

/// Try out how people are told of held calls.
#[derive(Args)]
#[command(
    about = "Try out how people are told of held calls",
    long_about = "Tries out the channels of the config, `[notify.NAME]`, through which people are told that a call waits for \
        them: webhook, ntfy, Slack, Telegram or mail.\n\n\
        No gateway has to run; one that runs is not asked."
)]
pub(crate) struct NotifyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Send one test message, once, and say what became of it
    #[command(
        long_about = "Sends one test message through a channel, once, and says what became of it.\n\n\
            Exits with 1 if nobody says that it was taken.",
        after_help = "Examples:\n  portcullis notify test pager\n  portcullis notify test mail --config /etc/portcullis/portcullis.toml"
    )]
    Test {
        /// The channel's name in the config
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

#[derive(Serialize)]
struct Sent<'a> {
    channel: &'a str,
    kind: &'a str,
    id: &'a str,
}

impl NotifyCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let Action::Test { name, config } = self.action;
        super::block_on(test(global, &config.load(global)?, &name))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn test(global: &Global, config: &Config, name: &str) -> anyhow::Result<()> {
    let Some(settings) = config.notify.get(name) else {
        let channels = Table { what: "channel", name: "notify", guide: "notifications.md" };
        return Err(channels.lacks(name, config.notify.keys()));
    };
    let kind = settings.way.kind();
    // Of its own: what it learns here is known to nobody else.
    let redactor = Arc::new(Redactor::new(&clock::random()));
    let unusable = |error| Trouble::new(format!("the channel `{name}` cannot be used")).because(error);
    let channel = Channel::open(name, settings, &redactor).map_err(unusable)?;
    let unique = u64::from_be_bytes(clock::random());
    let message = Message::test(name, &format!("{unique:016x}"), clock::now());
    let untaken = |error| Trouble::new(format!("the channel `{name}` ({kind}) did not take a message")).because(error);
    channel.send(&message).await.map_err(untaken)?;
    if global.json {
        return print::json(&Sent { channel: name, kind, id: message.id() });
    }
    let said = format!("the channel `{name}` ({kind}) took the message {}; see that it arrived", message.id());
    Ok(Out::stdout().say(said)?)
}
