//! The weaker ways: bytes that a tool reads itself are written to where it reads them, by this crate alone.

use std::io::Write;

use policies::profile::Way;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::{PlaceError, Placer};
use crate::lent::LeaseId;

/// One secret that a tool reads itself: a number and a name, good while the call runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    id: LeaseId,
    secret: String,
    way: Way,
}

impl Handed {
    /// The secret's name.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// How the tool reads it: never [`Way::Edge`].
    #[must_use]
    pub fn way(&self) -> &Way {
        &self.way
    }
}

impl Placer {
    /// What the tool reads itself.
    #[must_use]
    pub fn handed(&self) -> Vec<Handed> {
        let of = |held: &std::collections::BTreeMap<LeaseId, crate::lent::Lent>| {
            let weak = held.iter().filter(|(_, lent)| lent.placement.way.is_weak());
            weak.map(|(id, lent)| Handed {
                id: *id,
                secret: lent.placement.secret.clone(),
                way: lent.placement.way.clone(),
            })
            .collect()
        };
        self.shared.as_ref().and_then(|shared| shared.with(of)).unwrap_or_default()
    }

    /// Writes it to a file, or whatever else takes bytes.
    ///
    /// # Errors
    /// [`PlaceError`]; then the tool must not run.
    pub fn hand(&self, handed: &Handed, sink: &mut dyn Write) -> Result<(), PlaceError> {
        let (name, bytes) = self.copy(handed)?;
        sink.write_all(&bytes).map_err(|error| PlaceError::Sink(name, error))
    }

    /// Writes it to a stream, as a line.
    ///
    /// # Errors
    /// [`PlaceError`]; then the tool must not run.
    pub async fn hand_line(
        &self,
        handed: &Handed,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), PlaceError> {
        let (name, bytes) = self.copy(handed)?;
        let line = Zeroizing::new([bytes.as_slice(), b"\n"].concat());
        let written = async {
            sink.write_all(&line).await?;
            sink.flush().await
        };
        // A second line would be taken for a message.
        if bytes.contains(&b'\n') {
            return Err(PlaceError::Unusable(name));
        }
        written.await.map_err(|error| PlaceError::Sink(name, error))
    }

    /// Gives it as text to what sets variables.
    ///
    /// # Errors
    /// [`PlaceError`]; then the tool must not run.
    pub fn hand_text(&self, handed: &Handed, sink: &mut dyn FnMut(&str)) -> Result<(), PlaceError> {
        let (name, bytes) = self.copy(handed)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => sink(text),
            Ok(_) | Err(_) => return Err(PlaceError::Unusable(name)),
        }
        Ok(())
    }

    fn copy(&self, handed: &Handed) -> Result<(String, Zeroizing<Vec<u8>>), PlaceError> {
        let shared = self.shared.as_ref().ok_or(PlaceError::Ended)?;
        let copied = shared.with(|held| {
            let lent = held.get(&handed.id)?;
            let place = match &handed.way {
                Way::File { at, .. } => format!("file {at}"),
                Way::Stdin { .. } => "standard input".to_owned(),
                Way::Environment { name, .. } => format!("variable {name}"),
                Way::Edge { .. } => return None,
            };
            lent.count(&place);
            Some((lent.placement.secret.clone(), Zeroizing::new(lent.value.expose().to_vec())))
        });
        copied.flatten().ok_or(PlaceError::Ended)
    }
}
