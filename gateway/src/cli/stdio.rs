//! `portcullis stdio`: for clients that start a command.

use std::process::ExitCode;

use clap::Args;

use super::Global;
use super::serve::{Options, runtime};

/// Speak MCP on stdin and stdout.
#[derive(Args)]
#[command(
    about = "Speak MCP on stdin and stdout, for clients that start a command",
    long_about = "Speaks MCP on stdin and stdout, for clients that start a command instead of opening a URL.\n\n\
        It joins the gateway that runs with this state folder, or runs one of its own where none does. The agent's token \
        comes from PORTCULLIS_TOKEN, never from the command line, where other users could read it. Logs go to stderr.",
    after_help = "Example, in a client's settings:\n  \
        { \"mcpServers\": { \"portcullis\": { \"command\": \"portcullis\", \"args\": [\"stdio\"],\n    \
        \"env\": { \"PORTCULLIS_TOKEN\": \"pcl_…\" } } } }"
)]
pub(crate) struct StdioCommand {
    #[command(flatten)]
    options: Options,
}

impl StdioCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = self.options.prepare(global, None)?;
        let runtime = runtime()?;
        let ended = runtime.block_on(crate::agent::stdio::run(config));
        // A read of stdin that nobody will ever answer must not keep the process.
        runtime.shutdown_background();
        ended.map(|()| ExitCode::SUCCESS)
    }
}
