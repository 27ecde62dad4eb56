//! `portcullis guard`: the one small process that needs root.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use sandbox::{GuardConfig, GuardConfigError};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::print::{self, Trouble};
use super::serve::runtime;
use super::{Global, print::Out};
use crate::cli::line::Line;
use crate::telemetry;

/// Run the guard: make containers for gateways that have no privileges.
#[derive(Args)]
#[command(
    about = "Run the guard: make containers for gateways that have no privileges",
    long_about = "Runs the guard until it is told to stop (Ctrl-C or SIGTERM: its sandboxes and its rules are removed).\n\n\
        Container tools need someone with root to talk to the container engine and to the firewall. The guard is that, and nothing \
        else: it takes orders from gateways over a Unix socket, and an order cannot ask for privileges, for host namespaces, or for \
        images and folders that the guard's config does not hold. The gateway itself needs no privileges at all.\n\n\
        The config must belong to root and be writable by nobody else, and so must every folder above it.",
    after_help = "A config:\n  \
        uids = [1000]                        # whose gateways are served\n  \
        images = [\"/var/lib/portcullis\"]     # below these lie the images of tool packages\n  \
        runtimes = [\"gvisor\"]                # add \"runc\" to allow containers on the host's own kernel\n\n  \
        [[folder_grant]]                     # what containers may be given of the host\n  \
        path = \"/srv/notes\"\n  \
        writable = true\n\n\
        Examples:\n  \
        portcullis guard --config /etc/portcullis/guard.toml\n  \
        portcullis guard --config /etc/portcullis/guard.toml --check\n\n\
        Then name the socket in the gateway's portcullis.toml:\n  \
        [sandbox]\n  \
        guard = \"/run/portcullis.sock\""
)]
pub(crate) struct GuardCommand {
    /// The guard's own config
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where gateways connect
    #[arg(long, value_name = "PATH", default_value = "/run/portcullis.sock")]
    socket: PathBuf,
    /// Read the config, say what is wrong with it, and end
    #[arg(long)]
    check: bool,
    /// How logs are written to stderr
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: telemetry::Format,
}

impl GuardCommand {
    pub(crate) fn run(self, _global: &Global) -> anyhow::Result<ExitCode> {
        telemetry::start(self.log_format);
        let config = GuardConfig::load(&self.config).map_err(|error| advised(&error))?;
        if self.check {
            Out::stdout().lines(&[Line::new().ours("the guard's config is in order")])?;
            return Ok(ExitCode::SUCCESS);
        }
        runtime()?.block_on(guard(config, self.socket))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn guard(config: GuardConfig, socket: PathBuf) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shown = socket.display().to_string();
    let ready = move |summary: &str| {
        print::aside(format!("guarding at {shown} ({summary})"));
    };
    let guarding = sandbox::guard(config, &socket, ready, stop.clone());
    let told = async {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        stop.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        guarded = guarding => guarded.context("the guard ended"),
        () = told => Ok(()),
    }
}

fn advised(error: &GuardConfigError) -> anyhow::Error {
    let next = match error {
        GuardConfigError::NotRoots(path) => format!("chown root {0}; chmod go-w {0}", path.display()),
        GuardConfigError::Read { .. } => "write one: portcullis guard --help shows what it holds".to_owned(),
        GuardConfigError::Invalid(_) => "docs/guide/containers.md lists every key".to_owned(),
    };
    Trouble::new(error.to_string()).next(next).into()
}
