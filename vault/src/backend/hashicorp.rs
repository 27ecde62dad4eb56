//! `Hashicorp`: secrets of an OpenBao or a Vault: kept ones, and those that it makes for one call.
//!
//! ```text
//!  nobody ── login ──► session ── two thirds of its life ──► renewed ─┐
//!     ▲                   │  ▲                                        │
//!     └── over, or denied ┘  └────────────────────────────────────────┘
//! ```

mod client;
mod config;
mod fault;
mod lease;
mod login;
mod path;
mod read;
mod transit;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex as Turn;
use tokio::time::timeout_at;

use super::{Backend, BackendError, Fetched, Revoke};
use client::Connector;
pub use client::ConnectorError;
pub(crate) use config::Settings;
use fault::Fault;
use lease::Lease;
use login::{Login, Session};
pub(crate) use path::check;
pub use transit::{TransitError, TransitKey, TransitName};

/// An OpenBao or a Vault.
pub(crate) struct Hashicorp {
    connector: Connector,
    login: Login,
    /// One logs in, and the others wait for what comes of it.
    gate: Turn<Gate>,
    /// What was made for calls that still run, to be renewed where they take long.
    leases: Mutex<HashMap<String, Lease>>,
}

#[derive(Default)]
struct Gate {
    session: Option<Arc<Session>>,
    /// The last login that failed: whoever waited for it, or comes right after, is not to try the same again.
    failed: Option<(Instant, Fault)>,
}

impl Hashicorp {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConnectorError> {
        let connector = Connector::new(settings)?;
        Ok(Self { connector, login: settings.login.clone(), gate: Turn::default(), leases: Mutex::default() })
    }

    /// A session that is not `refused`.
    async fn session(&self, refused: Option<&Arc<Session>>) -> Result<Arc<Session>, Fault> {
        let mut gate = self.gate.lock().await;
        let usable =
            |session: &&Arc<Session>| !session.is_over() && refused.is_none_or(|old| !Arc::ptr_eq(old, session));
        if let Some(session) = gate.session.as_ref().filter(usable) {
            return Ok(Arc::clone(session));
        }
        if let Some((at, fault)) = gate.failed.as_ref().filter(|(at, _)| at.elapsed() < REST) {
            tracing::trace!(?at, "no login so soon after one that failed");
            return Err(fault.clone());
        }
        gate.session = None;
        match self.login.login(&self.connector).await {
            Ok(session) => {
                gate.failed = None;
                Ok(Arc::clone(gate.session.insert(Arc::new(session))))
            }
            Err(fault) => {
                // What is denied here is the gateway's own credential.
                let fault = if fault == Fault::Denied { Fault::Credential(NOT_ACCEPTED.to_owned()) } else { fault };
                gate.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// Asks once; and once more where it is our session that was not accepted.
    async fn ask<'a, T, F>(&'a self, request: impl Fn(Arc<Session>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>> + 'a,
    {
        let session = self.session(None).await?;
        match request(Arc::clone(&session)).await {
            // The same status for a token that is not good any more and for a policy that forbids.
            Err(Fault::Denied) if !session.is_good().await? => request(self.session(Some(&session)).await?).await,
            answer => answer,
        }
    }

    async fn read(&self, path: &str) -> Result<Fetched, BackendError> {
        check(path).map_err(|bad| BackendError::Malformed(Box::new(bad)))?;
        let read = self.ask(|session| async move { read::read(&session.client, path).await });
        let (fetched, lease) = read.await.map_err(Fault::told)?;
        if let (Some(id), Some(lease)) = (&fetched.lease, lease) {
            self.leases().insert(id.clone(), lease);
        }
        Ok(fetched)
    }

    async fn end(&self, lease: &str) -> Result<(), BackendError> {
        let ended = self.ask(|session| async move { lease::revoke(&session.client, lease).await }).await;
        match ended {
            // A lease that the backend does not know any more.
            Ok(()) | Err(Fault::Refused | Fault::Missing) => {
                self.leases().remove(lease);
                Ok(())
            }
            Err(fault) => Err(fault.told()),
        }
    }

    fn leases(&self) -> std::sync::MutexGuard<'_, HashMap<String, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NOT_ACCEPTED: &str = "the backend does not accept the gateway's own credential";

/// Between logins that fail. Calls come by the hundred, and a backend that comes up again must not be met by all at once.
const REST: Duration = Duration::from_secs(1);

/// Keeps alive what would run out: the session, and the leases of calls that take long.
impl Hashicorp {
    /// Never ends.
    pub(crate) async fn tend(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.tend_session().await;
            self.tend_leases().await;
        }
    }

    async fn tend_session(&self) {
        let old = self.gate.lock().await.session.clone();
        let due = |session: &Arc<Session>| session.due().is_some_and(|due| due <= Instant::now());
        let Some(old) = old.filter(due) else { return };
        let renewed = if old.is_renewable() { old.renewed(&self.connector).await } else { Err(Fault::Denied) };
        let next = match renewed {
            Ok(session) if session.outlives(&old) => Ok(session),
            // At the end of the longest life that it may have, or not to be renewed.
            Ok(_) | Err(Fault::Denied) => self.login.login(&self.connector).await,
            Err(fault) => Err(fault),
        };
        match next {
            Ok(session) => self.gate.lock().await.session = Some(Arc::new(session)),
            // Whoever needs one asks for it.
            Err(_) if old.is_over() => self.gate.lock().await.session = None,
            Err(fault) => {
                tracing::warn!(%fault, "the gateway's own token is not renewed yet");
                tokio::time::sleep(REST).await;
            }
        }
    }

    async fn tend_leases(&self) {
        let now = Instant::now();
        let due: Vec<String> = {
            let leases = self.leases();
            let due = leases.iter().filter(|(_, lease)| lease.due().is_some_and(|due| due <= now));
            due.map(|(id, _)| id.clone()).collect()
        };
        for id in due {
            let renewed = self.ask(|session| {
                let id = id.clone();
                async move { lease::renew(&session.client, &id).await }
            });
            let renewed = renewed.await;
            let mut leases = self.leases();
            match (renewed, leases.get_mut(&id)) {
                (Ok(renewed), Some(lease)) => *lease = renewed,
                // It ended meanwhile, with its call.
                (_, None) => {}
                // The backend ends it when its time is over; the call that still uses it will be told so by its service.
                (Err(Fault::Refused | Fault::Denied | Fault::Missing), Some(_)) => drop(leases.remove(&id)),
                (Err(fault), Some(_)) => tracing::warn!(%fault, "a lease could not be renewed"),
            }
        }
    }
}

/// How often what lives is looked at. A life of less than three ticks is not kept up.
const TICK: Duration = Duration::from_secs(1);

impl Backend for Hashicorp {
    fn fetch<'a>(&'a self, path: &'a str, deadline: Instant) -> BoxFuture<'a, Result<Fetched, BackendError>> {
        let read = timeout_at(deadline.into(), self.read(path));
        read.map(|read| read.unwrap_or(Err(BackendError::Late))).boxed()
    }
}

impl Revoke for Hashicorp {
    fn revoke<'a>(&'a self, lease: &'a str, deadline: Instant) -> BoxFuture<'a, Result<(), BackendError>> {
        let end = timeout_at(deadline.into(), self.end(lease));
        end.map(|end| end.unwrap_or(Err(BackendError::Late))).boxed()
    }
}

#[cfg(test)]
mod tests;
