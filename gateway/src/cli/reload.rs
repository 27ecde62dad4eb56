//! `portcullis reload`: new policies without a restart.

use std::process::ExitCode;

use clap::Args;

use super::Global;
use super::print::{self, Out};
use crate::operator::client::Client;

/// Put changed policies in force.
#[derive(Args)]
#[command(
    about = "Put changed policies in force",
    long_about = "Makes the running gateway read its policies again, as SIGHUP does.\n\n\
        They are read and checked as a whole first: a file with a problem changes nothing, and the problems are printed. Calls \
        that wait are decided again when they are about to run; what a policy change touches needs a new approval."
)]
pub(crate) struct ReloadCommand {}

impl ReloadCommand {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let now: String = global.ask(&client, "policies_reload", &[]).await?;
            if global.json {
                print::json(&serde_json::json!({ "reloaded": now }))?;
            } else {
                out.say(now)?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
