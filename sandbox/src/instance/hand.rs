//! The weaker ways: what a tool reads itself is handed over as open files that the vault has filled. Nothing here reads them.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use policies::profile::{Resources, Way};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use vault::{PlaceError, Placer};

use super::Input;
use crate::egress::placeholder;

/// What an open file is to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Lending {
    /// A file for one call.
    File { at: PathBuf },
    /// A variable.
    Variable { name: String },
}

impl Lending {
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File { at } => Some(at),
            Self::Variable { .. } => None,
        }
    }
}

/// Why something cannot be handed over. The tool does not run then.
#[derive(Debug, Error)]
pub(crate) enum HandError {
    #[error(transparent)]
    Placed(#[from] PlaceError),
    #[error("what it is lent cannot be handed over: {0}")]
    System(#[from] io::Error),
}

/// Open files of nothing but memory, filled by the vault, and what each is to become.
pub(crate) fn over(placer: &Placer) -> Result<(Vec<Lending>, Vec<File>), HandError> {
    let (mut lent, mut files) = (Vec::new(), Vec::new());
    for handed in placer.handed() {
        let lending = match handed.way() {
            Way::File { at, .. } => Lending::File { at: at.into() },
            Way::Environment { name, .. } => Lending::Variable { name: name.clone() },
            Way::Stdin { .. } | Way::Edge { .. } => continue,
        };
        let memory = memfd_create("lent", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
        let mut file = File::from(memory);
        placer.hand(&handed, &mut file)?;
        file.rewind()?;
        lent.push(lending);
        files.push(file);
    }
    Ok((lent, files))
}

/// Writes what a tool reads before the first message. A tool that is started for nobody's call reads a placeholder.
pub(crate) async fn input(stdin: &mut Input, resources: &Resources, placer: &Placer) -> Result<(), HandError> {
    let handed = placer.handed();
    let lines = resources.secrets.iter().filter(|placement| matches!(placement.way, Way::Stdin { .. }));
    for line in lines {
        let lent = handed.iter().find(|handed| handed.secret() == line.secret && *handed.way() == line.way);
        match lent {
            Some(handed) => placer.hand_line(handed, stdin).await?,
            None => stdin.write_all(format!("{}\n", placeholder::new()).as_bytes()).await?,
        }
    }
    Ok(())
}

/// Variables that hold a placeholder: for what the edge places, and for what this call is not lent.
pub(crate) fn stand_ins(resources: &Resources, placer: &Placer) -> Vec<(String, String)> {
    let handed = placer.handed();
    let missing = |way: &Way| match way {
        Way::Environment { name, .. } if handed.iter().all(|handed| handed.way() != way) => {
            Some((name.clone(), placeholder::new()))
        }
        Way::Environment { .. } | Way::Edge { .. } | Way::File { .. } | Way::Stdin { .. } => None,
    };
    let missing = resources.secrets.iter().filter_map(|placement| missing(&placement.way));
    placeholder::variables(resources).into_iter().chain(missing).collect()
}
