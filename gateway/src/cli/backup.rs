//! `portcullis backup`: a copy of the log, beside a running gateway or without one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use audit::{BackupError, Listing, Progress};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use super::line::Line;
use super::print::{self, Out, Trouble};
use crate::clock;

/// Copy the log
#[derive(Args)]
#[command(
    about = "Copy the log and the packages that were added, beside a running gateway or without one",
    long_about = "Copies the database as it is at one moment, and the packages that were added, to a folder that is not there yet. \
        A running gateway goes on writing. The copy is verified before the folder gets its name: a backup that was \
        interrupted has no name and no listing, and is no backup.\n\n\
        Keys and secrets are left out, unless `--with-keys` is given. Config, policies, and the folders that tools write are not \
        part of it. No gateway starts with a backup: `portcullis restore` makes a log of it.",
    after_help = "Examples:\n  portcullis backup /mnt/backup/portcullis-monday\n  \
        portcullis backup --with-keys /media/safe/portcullis"
)]
pub(crate) struct BackupCommand {
    /// The folder to make
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// With `log.key`, `seal.key`, `secrets.age` and `secrets.key`: whoever has the backup can sign as this log and use the secrets
    #[arg(long)]
    with_keys: bool,
}

impl BackupCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<std::process::ExitCode> {
        let out = Out::stdout();
        let (state, to, keys) = (global.state()?, self.folder.clone(), self.with_keys);
        let made = watched(move |watch| audit::backup(&state, &to, keys, clock::now(), watch))?;
        let listing = made.map_err(|error| self.advised(error))?;
        say(global, &out, &self.folder, &listing)?;
        if listing.keys {
            print::aside(
                "it holds the log's key and the gateway's secrets, readable for its owner alone: keep it as you keep those",
            );
        }
        Ok(std::process::ExitCode::SUCCESS)
    }

    fn advised(&self, error: BackupError) -> anyhow::Error {
        let next = match &error {
            BackupError::Exists(_) => "name a folder that is not there yet",
            BackupError::Unsound(_) => {
                "see `portcullis log verify`: what is wrong with the log would be wrong with its copy"
            }
            BackupError::Log(_) => "name the state folder that you mean: --state DIR",
            BackupError::Busy(_) | BackupError::File { .. } | BackupError::Stopped => return error.into(),
        };
        Trouble::new(format!("no backup was made in {}", self.folder.display())).because(error).next(next).into()
    }
}

fn say(global: &Global, out: &Out, folder: &std::path::Path, listing: &Listing) -> anyhow::Result<()> {
    let bytes: u64 = listing.files.iter().map(|file| file.bytes).sum();
    if global.json {
        return print::json(&serde_json::json!({ "folder": folder, "records": listing.records, "bytes": bytes,
            "files": listing.files.len(), "keys": listing.keys, "made": listing.made }));
    }
    let line = format!("{} records, verified, {} MiB in {} files: ", listing.records, bytes >> 20, listing.files.len());
    Ok(out.line(&Line::new().ours(line).theirs(&folder.display().to_string()))?)
}

/// Does this off the thread that listens for Ctrl-C, and shows how far it is where someone looks.
pub(super) fn watched<T: Send + 'static>(
    work: impl FnOnce(&mut dyn FnMut(Progress) -> bool) -> T + Send + 'static,
) -> anyhow::Result<T> {
    super::block_on(async move {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut done = tokio::task::spawn_blocking(move || {
            let mut shown = Shown::new();
            let done = work(&mut |progress| {
                shown.show(progress);
                !told.load(Ordering::Acquire)
            });
            shown.clear();
            done
        });
        loop {
            tokio::select! {
                done = &mut done => return done.context("it ended badly"),
                _ = interrupted.recv() => stop.store(true, Ordering::Release),
                _ = terminated.recv() => stop.store(true, Ordering::Release),
            }
        }
    })
}

/// What is shown of the progress, on a terminal alone.
struct Shown {
    out: Option<Out>,
    last: Option<(bool, u64)>,
}

impl Shown {
    fn new() -> Self {
        Self { out: print::interactive().then(Out::stdout), last: None }
    }

    fn show(&mut self, progress: Progress) {
        let Some(out) = &self.out else { return };
        let (copied, done, all) = match progress {
            Progress::Copied(done, all) => (true, done, all),
            Progress::Verified(done, all) => (false, done, all),
        };
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        if self.last.replace((copied, percent)) == Some((copied, percent)) {
            return;
        }
        let line = Line::new().ours(format!("{} {percent} %", if copied { "copied" } else { "verified" }));
        // A courtesy: a terminal that went away is found by what is said at the end.
        let _unseen = out.status(&line);
    }

    fn clear(&self) {
        if let (Some(out), Some(_)) = (&self.out, self.last) {
            let _unseen = out.status(&Line::new());
        }
    }
}
