//! `portcullis reference`: docs/reference/cli.md, made from the command line itself so that it cannot be out of date.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory as _};

use super::Cli;
use super::print::Out;

/// Print the reference of the command line as Markdown.
#[derive(Args)]
#[command(about = "Print the reference of the command line as Markdown", hide = true)]
pub(crate) struct ReferenceCommand {}

impl ReferenceCommand {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        for line in reference().lines() {
            out.say(line)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The whole reference.
fn reference() -> String {
    let mut text = "# The command line\n\nMade by `portcullis reference`; do not edit.\n".to_owned();
    let mut command = Cli::command().term_width(100).disable_help_subcommand(true);
    command.build();
    describe(&command, &mut text);
    text
}

fn describe(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let depth = "#".repeat(name.split(' ').count() + 1);
    let help = command.clone().render_long_help().to_string();
    // Trailing blanks differ between terminals' widths and say nothing.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to a string cannot fail.
    let _infallible = write!(text, "\n{depth} {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        describe(below, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_GOLDEN=1 cargo test -p gateway` rewrites it.
    #[test]
    fn the_reference_in_docs_is_what_the_program_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/cli.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(file, reference()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(file).unwrap(),
            reference(),
            "run with UPDATE_GOLDEN=1 after a change on purpose"
        );
    }
}
