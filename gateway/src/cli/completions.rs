//! `portcullis completions`: what the shell proposes after Tab.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::print;

/// Print shell completions.
#[derive(Args)]
#[command(
    about = "Print shell completions",
    after_help = "Example:\n  portcullis completions bash > ~/.local/share/bash-completion/completions/portcullis"
)]
pub(crate) struct CompletionsCommand {
    /// The shell that is to read them
    shell: Shell,
}

impl CompletionsCommand {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "portcullis", &mut script);
        print::raw(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
