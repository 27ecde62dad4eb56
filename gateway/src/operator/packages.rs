//! Adding and removing tool packages: the same through the socket and, where no gateway runs, directly on the log.
//!
//! What an operator was shown is what is pinned, by its digest; it is copied, so that what runs cannot be changed where it
//! came from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use audit::{Audit, Event, MarkKind};
use policies::{Hash, OperatorId, ServerName};
use sandbox::Package;

use super::refused::Refused;
use super::rows::PackageRow;
use crate::clock;
use crate::config::packages;

/// A package to be added.
pub struct Adding {
    /// Its folder or tar.
    pub path: PathBuf,
    /// In place of the name that it gives itself.
    pub name: Option<ServerName>,
    /// What the operator was shown: another one is not added.
    pub digest: Hash,
}

/// The packages that were added, by name.
#[must_use]
pub fn list(audit: &Audit) -> Vec<PackageRow> {
    let row = |mark: audit::Mark| PackageRow { name: mark.name.to_string(), digest: mark.value, added: Some(mark.at) };
    audit.marks(MarkKind::Package).into_iter().map(row).collect()
}

/// Copies a package to the state folder and pins it.
///
/// # Errors
/// [`Refused`] if it cannot be used, is not what was shown, or cannot be recorded.
pub async fn add(audit: &Audit, by: &OperatorId, state: &Path, adding: Adding) -> Result<PackageRow, Refused> {
    let shelf = packages(state);
    let (staged, digest) = (shelf.join(format!(".new-{:032x}", u128::from_be_bytes(clock::random()))), adding.digest);
    let (path, into) = (adding.path, staged.clone());
    let read = tokio::task::spawn_blocking(move || stage(&path, &into)).await;
    let package = match read.unwrap_or_else(|_| Err(broken("copying it came to an unexpected end"))) {
        Ok(package) if package.digest() == digest => package,
        Ok(_) => {
            discard(&staged);
            return Err(Refused::State {
                what: "the package changed since it was shown".to_owned(),
                next: "look at it again: portcullis tools add PATH".to_owned(),
            });
        }
        Err(refused) => {
            discard(&staged);
            return Err(refused);
        }
    };
    let name = adding.name.unwrap_or_else(|| package.manifest().name.clone());
    let version = package.manifest().version.clone();
    let event = Event::PackageAdded { name: name.clone(), digest, version, by: Some(by.clone()) };
    // Recorded first: a crash in between leaves a pin that nothing fits, and what does not fit is withheld.
    if let Err(error) = audit.note(event, clock::now()).await {
        discard(&staged);
        return Err(error.into());
    }
    let place = shelf.join(name.as_str());
    discard(&place);
    fs::rename(&staged, &place).map_err(|error| broken(&error.to_string()))?;
    Ok(PackageRow { name: name.to_string(), digest: digest.to_string(), added: Some(clock::now()) })
}

/// Removes a package and its pin.
///
/// # Errors
/// [`Refused`] if there is none, or it cannot be recorded.
pub async fn remove(audit: &Audit, by: &OperatorId, state: &Path, name: &str) -> Result<PackageRow, Refused> {
    let Some(row) = list(audit).into_iter().find(|row| row.name == name) else {
        let next = "`portcullis tools list` shows the servers and which of them are packages";
        return Err(Refused::Unknown { what: "added package", name: name.to_owned(), next });
    };
    let server = ServerName::parse(name).map_err(|error| Refused::Params(error.to_string()))?;
    let event = Event::PackageRemoved { name: server.clone(), by: Some(by.clone()) };
    audit.note(event, clock::now()).await?;
    discard(&packages(state).join(server.as_str()));
    Ok(row)
}

/// Lifts the quarantine of a server.
///
/// # Errors
/// [`Refused`] if it is in none, or it cannot be recorded.
pub async fn lift(audit: &Audit, by: &OperatorId, name: &str) -> Result<(), Refused> {
    let server = ServerName::parse(name).map_err(|error| Refused::Params(error.to_string()))?;
    if audit.mark(MarkKind::Quarantine, &server).is_none() {
        let next = "`portcullis tools list` shows which servers are";
        return Err(Refused::Unknown { what: "server in quarantine", name: name.to_owned(), next });
    }
    let event = Event::QuarantineLifted { name: server, by: Some(by.clone()) };
    audit.note(event, clock::now()).await.map(drop).map_err(Refused::from)
}

fn stage(path: &Path, staged: &Path) -> Result<Package, Refused> {
    if let Some(shelf) = staged.parent() {
        fs::create_dir_all(shelf).map_err(|error| broken(&error.to_string()))?;
    }
    if path.is_dir() {
        let package = Package::read(path).map_err(|problems| unusable(&problems))?;
        package.copy(staged).map_err(|error| broken(&error.to_string()))?;
    } else {
        sandbox::unpack(path, staged).map_err(|problem| unusable(&[problem]))?;
    }
    Package::read(staged).map_err(|problems| unusable(&problems))
}

fn discard(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "a package's folder cannot be removed");
    }
}

fn unusable(problems: &[sandbox::Problem]) -> Refused {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Refused::State {
        what: format!("the package cannot be used: {}", problems.join("; ")),
        next: "docs/guide/tool-packages.md shows what a package holds".to_owned(),
    }
}

fn broken(why: &str) -> Refused {
    Refused::State {
        what: format!("the package cannot be copied: {why}"),
        next: "mend that and add it again".to_owned(),
    }
}
