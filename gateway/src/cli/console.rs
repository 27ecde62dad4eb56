//! `portcullis console`: a link that signs in to the console.

use std::process::ExitCode;

use clap::Args;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out};
use crate::operator::client::Client;
use crate::operator::rows::Link;

/// Sign in to the console.
#[derive(Args)]
#[command(
    about = "Print a link that signs in to the console, once",
    long_about = "Prints a link to the running gateway's console that signs you in, once, within two minutes.\n\n\
        You are who the gateway takes you for on its socket: the operator whose uid is yours, or, with --as NAME and their PIN, \
        another one. The session lasts until you sign out, for an hour without use, and for twelve hours at most. Approving asks \
        for the PIN again.",
    after_help = "Examples:\n  portcullis console --open\n  portcullis console --as ann"
)]
pub(crate) struct ConsoleCommand {
    /// Open the link in the browser instead of printing it
    #[arg(long)]
    open: bool,
}

impl ConsoleCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let link: Link = global.ask(&client, "console_link", &[]).await?;
            if self.open && opened(&link.url) {
                print::aside(format!("opened the console for {} ({})", link.name, link.role));
            } else if global.json {
                print::json(&link)?;
            } else {
                out.line(&Line::new().inked(Ink::Strong, &link.url))?;
                print::aside(format!("signs in {} ({}), once, within two minutes", link.name, link.role));
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Whether the desktop's own way to open a link was found. The link is handed over as one argument, to no shell.
#[expect(
    clippy::disallowed_methods,
    reason = "a person's browser, started by the person's command and not by the gateway"
)]
fn opened(url: &str) -> bool {
    let quiet = std::process::Stdio::null;
    let browser =
        std::process::Command::new("xdg-open").arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
    browser.is_ok_and(|status| status.success())
}
