//! `portcullis images`: images for tools in containers, made offline.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use sandbox::{BuildError, build_image};
use serde::Serialize;

use super::Global;
use super::print::{self, Out, Trouble};

/// Make images for tools in containers.
#[derive(Args)]
#[command(about = "Make images for tools in containers")]
pub(crate) struct ImagesCommand {
    #[command(subcommand)]
    command: ImagesSubcommand,
}

#[derive(Subcommand)]
enum ImagesSubcommand {
    Build(BuildCommand),
}

/// Make an image from files, offline
#[derive(Args)]
#[command(
    about = "Make an image from files, offline",
    long_about = "Makes an OCI image layout from the files that `image.toml` in a folder lists. Nothing is fetched, nothing is run, and the same \
        files always make the same image: its digest can be compared and pinned.",
    after_help = "An image.toml:\n  \
        [image]\n  \
        files = [\"server.py\", { from = \"/bin/busybox\", to = \"/bin/busybox\" }]\n  \
        links = [{ at = \"/bin/sh\", to = \"busybox\" }]\n  \
        command = [\"/bin/busybox\", \"sh\"]\n  \
        environment = { PATH = \"/bin\" }\n  \
        base = \"../python\"            # another layout folder to build on; without it the image holds nothing else\n  \
        out = \"image\"                 # where the layout is written\n\n\
        Examples:\n  \
        portcullis images build .\n  \
        portcullis images build tools/notes --json"
)]
struct BuildCommand {
    /// The folder with `image.toml`
    #[arg(value_name = "PATH")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Shown {
    folder: String,
    digest: String,
    bytes: u64,
}

impl ImagesCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self.command {
            ImagesSubcommand::Build(command) => command.run(global),
        }
    }
}

impl BuildCommand {
    fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let built = build_image(&self.folder).map_err(|error| advised(&error))?;
        let shown = Shown {
            folder: built.folder.display().to_string(),
            digest: format!("sha256:{}", built.digest),
            bytes: built.bytes,
        };
        if global.json {
            print::json(&shown)?;
        } else {
            Out::stdout().say(format!("{} ({} KiB)", shown.folder, shown.bytes >> 10))?;
            Out::stdout().say(format!("digest: {}", shown.digest))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn advised(error: &BuildError) -> anyhow::Error {
    let next = match error {
        BuildError::Recipe { .. } => "portcullis images build --help shows an image.toml",
        BuildError::File { .. } => "check that it exists and can be read",
        BuildError::Base(_) => "name the folder that holds the base's `index.json`",
    };
    Trouble::new(error.to_string()).next(next).into()
}
