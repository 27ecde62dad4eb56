//! `portcullis tools add` and `remove`: what a package asks for, what it will get, and taking it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use jiff::tz::TimeZone;
use policies::ServerName;
use policies::profile::Isolation;
use sandbox::{Package, ServerConfig};
use serde_json::json;

use super::Global;
use super::card::{Page, field, granted};
use super::line::{Ink, Line};
use super::person::alone;
use super::print::{self, Out, Trouble, interactive};
use crate::clock;
use crate::operator::client::{Client, ConnectError};
use crate::operator::grant::Grant;
use crate::operator::packages::{self, Adding};
use crate::operator::people::Needs;
use crate::operator::rows::PackageRow;

/// What is added.
#[derive(Args)]
pub(crate) struct Add {
    /// The package: a folder with `portcullis-tool.toml`, or a tar of one
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The server's name, in place of the one that the package gives itself
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Where packages are kept: behind a running gateway, or in the state folder that nobody else has open.
pub(crate) enum Shelf {
    Running(Client),
    Alone(audit::Audit, PathBuf),
}

impl Shelf {
    pub(crate) async fn open(global: &Global) -> anyhow::Result<Self> {
        let state = global.state()?;
        match Client::connect(&state).await {
            Ok(client) => Ok(Self::Running(client)),
            Err(ConnectError::NotRunning { .. }) => {
                let audit = crate::app::open_log(&state)?;
                Ok(Self::Alone(audit, state))
            }
            Err(error) => Err(super::advised(error.into())),
        }
    }

    async fn add(&self, global: &Global, adding: Adding) -> anyhow::Result<PackageRow> {
        match self {
            Self::Running(client) => {
                let path = adding.path.to_str().context("the package's path is not UTF-8")?.to_owned();
                let digest = adding.digest.to_string();
                let mut params = vec![("path", path.as_str()), ("digest", digest.as_str())];
                params.extend(adding.name.as_ref().map(|name| ("name", name.as_str())));
                global.ask(client, "packages_add", &params).await
            }
            Self::Alone(audit, state) => {
                let by = global.admit(audit, Needs::Change).await?;
                packages::add(audit, &by.id, state, adding).await.map_err(|refused| alone(&refused))
            }
        }
    }

    async fn remove(&self, global: &Global, name: &str) -> anyhow::Result<PackageRow> {
        match self {
            Self::Running(client) => global.ask(client, "packages_remove", &[("name", name)]).await,
            Self::Alone(audit, state) => {
                let by = global.admit(audit, Needs::Change).await?;
                packages::remove(audit, &by.id, state, name).await.map_err(|refused| alone(&refused))
            }
        }
    }

    fn when(&self) -> &'static str {
        match self {
            Self::Running(_) => "it takes effect when the gateway starts next",
            Self::Alone(..) => "the gateway takes it up when it starts",
        }
    }
}

pub(crate) async fn add(global: &Global, out: &Out, add: Add) -> anyhow::Result<()> {
    let name = add.name.as_deref().map(ServerName::parse).transpose()?;
    let path = fs::canonicalize(&add.path).with_context(|| format!("cannot read {}", add.path.display()))?;
    let package = look(&path)?;
    let digest = package.digest();
    let name = name.unwrap_or_else(|| package.manifest().name.clone());
    if !global.json {
        out.lines(&shown(&package, &name))?;
    }
    if !add.yes && !agreed(out)? {
        return Err(Trouble::new("nothing was added").into());
    }
    let shelf = Shelf::open(global).await?;
    let row = shelf.add(global, Adding { path, name: Some(name), digest }).await?;
    if global.json {
        return print::json(&row);
    }
    out.line(&Line::new().inked(Ink::Good, "added ").ours(&row.name).ours("; ").ours(shelf.when()))?;
    Ok(())
}

pub(crate) async fn remove(global: &Global, out: &Out, name: &str) -> anyhow::Result<()> {
    let shelf = Shelf::open(global).await?;
    let row = shelf.remove(global, name).await?;
    if global.json {
        return print::json(&json!({ "removed": row.name }));
    }
    Ok(out.line(&Line::new().ours("removed ").ours(&row.name).ours("; ").ours(shelf.when()))?)
}

fn agreed(out: &Out) -> anyhow::Result<bool> {
    if !interactive() {
        return Err(Trouble::new("nobody is there to agree to this").next("agree beforehand: --yes").into());
    }
    out.status(&Line::new().inked(Ink::Strong, "add it? [y/N] "))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Reads a folder as it is, and a tar by unpacking it to look at it.
fn look(path: &Path) -> anyhow::Result<Package> {
    if path.is_dir() {
        return Package::read(path).map_err(|problems| unusable(&problems));
    }
    let folder = std::env::temp_dir().join(format!("portcullis-{:032x}", u128::from_be_bytes(clock::random())));
    fs::DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let inside = folder.join("package");
    let read = sandbox::unpack(path, &inside).map_err(|problem| vec![problem]);
    let read = read.and_then(|()| Package::read(&inside)).map_err(|problems| unusable(&problems));
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    read
}

fn unusable(problems: &[sandbox::Problem]) -> anyhow::Error {
    for problem in problems {
        print::aside(format!("  {problem}"));
    }
    let count = problems.len();
    Trouble::new(format!("the package has {count} problem{}", if count == 1 { "" } else { "s" }))
        .next("docs/guide/tool-packages.md shows what a package holds")
        .into()
}

/// What it asks for and will get.
fn shown(package: &Package, name: &ServerName) -> Vec<Line> {
    let page = Page { now: clock::now(), zone: TimeZone::UTC, width: Out::stdout().text_width(), fold: false };
    let (manifest, config) = (package.manifest(), ServerConfig::packed(package.clone()));
    let mut title = Line::new().inked(Ink::Strong, name.as_str());
    title = manifest.version.iter().fold(title, |title, version| title.ours(" ").theirs(version));
    let mut rows = vec![title.ours(format!("  ({})", config.kind()))];
    rows.extend(manifest.description.iter().flat_map(|text| field("says", Line::new().theirs(text), &page)));
    rows.extend(field("digest", Line::new().ours(package.digest().to_string()), &page));
    if manifest.tools.is_empty() {
        rows.extend(field("tools", Line::new().ours("asked for when it runs"), &page));
    }
    for tool in &manifest.tools {
        let says = Line::new().theirs(tool.name()).ours(": ").theirs(tool.description());
        rows.extend(field("tool", says, &page));
        rows.extend(field("runs", Line::new().ours("its program with ").theirs(&tool.shown()), &page));
    }
    let grant = config.resources().map(|resources| Grant::of(resources)).unwrap_or_default();
    rows.extend(granted(&Grant { folders: wanted(package, name), ..grant }, &page));
    if config.resources().is_some_and(|resources| resources.sandbox == Isolation::Gvisor) {
        let text = "on gVisor, unless the config's `[sandbox] runtime` says runc";
        rows.extend(field("runs", Line::new().ours(text), &page));
    }
    rows
}

/// Which folder of this machine it is to be, only the config can say.
fn wanted(package: &Package, name: &ServerName) -> Vec<String> {
    let wanted = |place: &sandbox::Place| {
        let access = if place.writable { "read and write" } else { "read" };
        format!("none yet as {at} ({access}): `[server.{name}] folders = {{ \"{at}\" = \"…\" }}`", at = place.at)
    };
    package.manifest().folders.iter().map(wanted).collect()
}
