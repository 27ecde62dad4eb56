//! `Submission`: a log's newest checkpoint on its way to its witnesses.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;

use crate::checkpoint::{COSIGNED, Checkpoint, decimal, newest, replace};
use crate::note::{BadNote, Note, Signature, VerifierKey};
use crate::proof::{ProveError, cosigned};
use crate::query::{self, QueryError};
use crate::tile::Stored;
use crate::tree;

/// One checkpoint, and the signatures that witnesses have given so far.
#[derive(Clone, Debug)]
pub struct Submission {
    note: Note,
    checkpoint: Checkpoint,
}

/// Why a witness does not sign.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The log has no checkpoint, or does not answer.
    #[error("cannot read the log's checkpoint")]
    Log(#[from] ProveError),
    /// The witness has signed a longer log.
    #[error("the witness has signed {known} records of this log, and there are {found}: the log was rolled back")]
    RolledBack {
        /// How many it signed.
        known: u64,
        /// How many there are.
        found: u64,
    },
    /// The witness has signed another log of this name and size.
    #[error(
        "the witness has signed another history of this log: someone was shown a second view, or the log was rewritten"
    )]
    SplitView,
    /// Any other answer.
    #[error("the witness refuses ({status}): {text}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// The answer has no signature by the witness's key that fits.
    #[error("the witness's answer does not hold")]
    Signature(#[source] BadNote),
    /// The signatures cannot be kept.
    #[error("cannot keep the signatures")]
    File(#[from] io::Error),
}

impl Submission {
    /// The newest checkpoint of the log in this state folder.
    ///
    /// # Errors
    /// [`SubmitError::Log`].
    pub fn newest(state: &Path) -> Result<Self, SubmitError> {
        let db = query::open(state).map_err(ProveError::from)?;
        let (size, text) = newest(&db).map_err(ProveError::from)?.ok_or(ProveError::Unsigned(0))?;
        let note = Note::parse(&text).map_err(|_| ProveError::Damaged)?;
        let checkpoint = Checkpoint::of(&note).ok().filter(|checkpoint| checkpoint.size == size);
        Ok(Self { note, checkpoint: checkpoint.ok_or(ProveError::Damaged)? })
    }

    /// What is submitted.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The size that a witness most likely signed last.
    #[must_use]
    pub fn likely_old(&self, state: &Path, witness: &VerifierKey) -> u64 {
        let before = cosigned(state).filter(|note| note.verify(witness).is_ok());
        let before = before.and_then(|note| Checkpoint::of(&note).ok());
        before
            .filter(|before| before.origin == self.checkpoint.origin)
            .map_or(0, |before| before.size)
            .min(self.checkpoint.size)
    }

    /// The request's body: the proof that the log grew from `old` to this checkpoint.
    ///
    /// # Errors
    /// [`SubmitError::Log`].
    pub fn body(&self, state: &Path, old: u64) -> Result<String, SubmitError> {
        let db = query::open(state).map_err(ProveError::from)?;
        let path = tree::consistency(&mut Stored::new(&db), old, self.checkpoint.size).map_err(ProveError::from)?;
        let mut body = format!("old {old}\n");
        for hash in path {
            // Writing to a `String` cannot fail.
            let _ = writeln!(body, "{}", BASE64.encode(hash.as_bytes()));
        }
        let _ = write!(body, "\n{}", self.note);
        Ok(body)
    }

    /// Reads an answer to what was submitted from `old`: the size to submit from instead, or none if the witness signed.
    ///
    /// # Errors
    /// [`SubmitError`]: what the witness knows of this log is not what is here, or it answered something else.
    pub fn answered(
        &mut self,
        old: u64,
        status: u16,
        body: &str,
        witness: &VerifierKey,
    ) -> Result<Option<u64>, SubmitError> {
        match (status, body.strip_suffix('\n').and_then(decimal)) {
            (200, _) => self.signed(body, witness).map(|()| None).map_err(SubmitError::Signature),
            (409, Some(known)) if known > self.checkpoint.size => {
                Err(SubmitError::RolledBack { known, found: self.checkpoint.size })
            }
            (409, Some(known)) if known != old => Ok(Some(known)),
            // It knows the size that we named, and not the tree.
            (409, Some(_)) | (422, _) => Err(SubmitError::SplitView),
            (_, _) => {
                let text = body.chars().filter(|c| !c.is_control()).take(200).collect();
                Err(SubmitError::Refused { status, text })
            }
        }
    }

    fn signed(&mut self, lines: &str, witness: &VerifierKey) -> Result<(), BadNote> {
        let ours = |line: &Signature| line.name == witness.name() && line.id == witness.id();
        let line = lines.lines().filter_map(Signature::parse).find(ours);
        let line = line.ok_or_else(|| BadNote::Unsigned(witness.to_string()))?;
        let mut note = Note::new(self.note.text().to_owned());
        note.add(line.clone());
        note.verify(witness)?;
        self.note.add(line);
        Ok(())
    }

    /// How many signatures there are beside the log's own.
    #[must_use]
    pub fn witnesses(&self) -> usize {
        self.note.signatures().len().saturating_sub(1)
    }

    /// Keeps the checkpoint with the signatures, for proofs.
    ///
    /// # Errors
    /// [`SubmitError::File`].
    pub fn keep(&self, state: &Path) -> Result<(), SubmitError> {
        Ok(replace(&state.join(COSIGNED), self.note.to_string().as_bytes())?)
    }

    /// The note as it stands.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }
}

impl From<QueryError> for SubmitError {
    fn from(error: QueryError) -> Self {
        Self::Log(error.into())
    }
}
