//! The command line: what a person types, and what they are told.

mod agent;
mod backup;
mod card;
mod check;
mod completions;
mod config;
mod console;
mod diff;
mod doctor;
mod explain;
mod export;
mod guard;
mod hidden;
mod holds;
mod images;
mod line;
mod log;
mod man;
mod notify;
mod now;
mod operator;
mod packages;
mod passes;
mod person;
mod policy;
mod print;
mod redact;
mod reference;
mod reload;
mod restore;
mod reviews;
mod run;
mod scan;
mod secret;
mod serve;
mod servers;
mod stdio;
mod table;
mod terminal;
pub(crate) mod text;
mod tools;
mod tree;
mod when;
mod whoami;
mod why;
mod witness;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::config::default_state;
use crate::operator::client::{AskError, ConnectError};
pub(crate) use hidden::passphrase;
use print::Trouble;

/// A security gateway between AI agents and their tools.
#[derive(Parser)]
#[command(
    name = "portcullis",
    version,
    propagate_version = true,
    about = "A security gateway between AI agents and their tools",
    long_about = "A security gateway between AI agents and their tools.\n\n\
        Agents speak the Model Context Protocol to it. Every tool call is classified by risk, decided by policy, held for a \
        person where it must be, recorded before and after, redacted, and answered.",
    after_help = "Start here:\n  \
        portcullis serve --server notes='node /srv/tools/notes/index.js /srv/notes'\n      \
        puts the gateway in front of a tool server and prints what to paste into the agent's settings\n  \
        portcullis holds watch\n      \
        asks you about each call that waits for a person\n  \
        portcullis log list --since 1h\n      \
        shows what was called, by whom, and what was decided\n\n\
        Exit codes: 0 done; 1 it failed, was refused, or found problems; 2 the command line is wrong."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args)]
pub(crate) struct Global {
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Everywhere",
        help = "Where log, keys and sockets live [default: $XDG_STATE_HOME/portcullis, or ~/.local/state/portcullis]"
    )]
    state: Option<PathBuf>,
    /// Print JSON, one value a line, instead of text for people
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// The operator that you are, where your uid does not say; takes their PIN
    #[arg(long = "as", global = true, value_name = "NAME", help_heading = "Everywhere")]
    acting: Option<String>,
    /// Read the PIN from stdin, a line, where one is needed, instead of asking for it
    #[arg(long, global = true, help_heading = "Everywhere")]
    pin_stdin: bool,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::ServeCommand),
    Stdio(stdio::StdioCommand),
    Guard(guard::GuardCommand),
    Secret(secret::SecretCommand),
    Images(images::ImagesCommand),
    Agent(agent::AgentCommand),
    Operator(operator::OperatorCommand),
    Whoami(whoami::WhoamiCommand),
    Console(console::ConsoleCommand),
    Holds(holds::HoldsCommand),
    Passes(passes::PassesCommand),
    Reviews(reviews::ReviewsCommand),
    Notify(notify::NotifyCommand),
    Export(export::ExportCommand),
    Policy(policy::PolicyCommand),
    Tools(tools::ToolsCommand),
    Servers(servers::ServersCommand),
    Run(run::RunCommand),
    Now(now::NowCommand),
    Log(log::LogCommand),
    Why(why::WhyCommand),
    Backup(backup::BackupCommand),
    Restore(restore::RestoreCommand),
    Doctor(doctor::DoctorCommand),
    Witness(witness::WitnessCommand),
    Check(check::CheckCommand),
    Explain(explain::ExplainCommand),
    Reload(reload::ReloadCommand),
    Redact(redact::RedactCommand),
    Scan(scan::ScanCommand),
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
    Reference(reference::ReferenceCommand),
}

/// Runs the command that was typed.
#[must_use]
pub fn main() -> ExitCode {
    // A jail's helper, which must be alone in its process: before anything else, and without the command line's own care.
    let mut words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    if words.next().is_some_and(|word| word == "jail") {
        return sandbox::jail::main(&words.collect::<Vec<_>>());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version come this way too. A reader that went away wants no more.
        Err(asked) => {
            let _unread = asked.print();
            return ExitCode::from(u8::try_from(asked.exit_code()).unwrap_or(2));
        }
    };
    match cli.command.run(&cli.global) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            print::trouble(&advised(error));
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(command) => command.run(global),
            Self::Stdio(command) => command.run(global),
            Self::Guard(command) => command.run(global),
            Self::Secret(command) => command.run(global),
            Self::Images(command) => command.run(global),
            Self::Agent(command) => command.run(global),
            Self::Operator(command) => command.run(global),
            Self::Whoami(command) => command.run(global),
            Self::Console(command) => command.run(global),
            Self::Holds(command) => command.run(global),
            Self::Passes(command) => command.run(global),
            Self::Reviews(command) => command.run(global),
            Self::Notify(command) => command.run(global),
            Self::Export(command) => command.run(global),
            Self::Policy(command) => command.run(global),
            Self::Tools(command) => command.run(global),
            Self::Servers(command) => command.run(global),
            Self::Run(command) => command.run(global),
            Self::Now(command) => command.run(global),
            Self::Log(command) => command.run(global),
            Self::Why(command) => command.run(global),
            Self::Backup(command) => command.run(global),
            Self::Restore(command) => command.run(global),
            Self::Doctor(command) => command.run(global),
            Self::Witness(command) => command.run(global),
            Self::Check(command) => command.run(global),
            Self::Explain(command) => command.run(global),
            Self::Reload(command) => command.run(global),
            Self::Redact(command) => command.run(global),
            Self::Scan(command) => command.run(global),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(global),
            Self::Reference(command) => command.run(),
        }
    }
}

impl Global {
    /// The state folder that was named, or the default one.
    fn state(&self) -> anyhow::Result<PathBuf> {
        let none = || Trouble::new("there is no home folder to keep state in").next("name one: --state DIR");
        Ok(self.state.clone().or_else(default_state).ok_or_else(none)?)
    }
}

/// Runs on this thread: a command asks one question and is done.
fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(command)
}

/// `portcullis log list | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.into_iter().any(|kind| kind == io::ErrorKind::BrokenPipe)
        && !error.chain().any(|cause| cause.is::<ConnectError>() || cause.is::<AskError>())
}

/// Errors of the operators' socket know what to do next; what they know is said.
fn advised(error: anyhow::Error) -> anyhow::Error {
    if let Some(AskError::Refused { message, next: Some(next), .. }) = error.downcast_ref() {
        return Trouble::new(message).next(next).into();
    }
    let next = match error.downcast_ref() {
        Some(ConnectError::NotRunning { .. }) => {
            "start it: portcullis serve; or name the state folder of the one that runs: --state DIR"
        }
        Some(ConnectError::Forbidden { .. }) => {
            "be the gateway's user, or be listed in `[operator] uids` of its portcullis.toml"
        }
        Some(ConnectError::Socket { .. } | ConnectError::Handshake(_)) | None => return error,
    };
    let what = error.to_string();
    Trouble::new(what).next(next).into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn usage_errors_exit_with_two() {
        for wrong in [&["portcullis", "nonsense"][..], &["portcullis", "holds", "deny", "x"], &["portcullis"]] {
            assert_eq!(Cli::try_parse_from(wrong).err().unwrap().exit_code(), 2, "{wrong:?}");
        }
        assert_eq!(Cli::try_parse_from(["portcullis", "--help"]).err().unwrap().exit_code(), 0);
    }

    #[test]
    fn a_gateway_that_is_not_there_comes_with_advice() {
        let error = advised(ConnectError::NotRunning { folder: "/srv/state".into() }.into());
        assert_eq!(error.to_string(), "no gateway runs with the state folder /srv/state");
        assert!(error.downcast_ref::<Trouble>().is_some());
    }
}
