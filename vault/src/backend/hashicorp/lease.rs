//! `Lease`: how long what was made for a call lives; and the two requests about leases, which `vaultrs` lacks.

use std::time::{Duration, Instant};

use rustify::endpoint::{Endpoint, Wrapper};
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use serde::Deserialize;
use serde_json::{Value, json};
use vaultrs::client::{Client as _, VaultClient};

use super::client::quietly;
use super::fault::Fault;

/// How long what was made for a call lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    since: Instant,
    life: Duration,
    renewable: bool,
}

impl Lease {
    pub(super) fn new(seconds: u64, renewable: bool) -> Self {
        Self { since: Instant::now(), life: Duration::from_secs(seconds), renewable }
    }

    /// When it is to be renewed, if it can be: with a third of its life left.
    pub(super) fn due(&self) -> Option<Instant> {
        self.renewable.then(|| self.since + self.life * 2 / 3)
    }
}

/// Ends a lease before the backend answers, not some time after.
struct Revoke<'a>(&'a str);

impl Endpoint for Revoke<'_> {
    type Response = ();
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        "sys/leases/revoke".to_owned()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::PUT
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(Some(json!({ "lease_id": self.0, "sync": true }).to_string().into_bytes()))
    }
}

/// Lengthens a lease by as much as it had.
struct Renew<'a>(&'a str);

impl Endpoint for Renew<'_> {
    type Response = Value;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        "sys/leases/renew".to_owned()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::PUT
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(Some(json!({ "lease_id": self.0 }).to_string().into_bytes()))
    }
}

#[derive(Deserialize)]
struct Renewed {
    lease_duration: u64,
    renewable: bool,
}

impl Wrapper for Renewed {
    type Value = Value;
}

/// Ends a lease. One that has ended is no error: the backend does not tell it from one that never was.
pub(super) async fn revoke(client: &VaultClient, lease: &str) -> Result<(), Fault> {
    let answer = quietly(async { Revoke(lease).with_middleware(client.middle()).exec(client.http()).await }).await;
    answer.map(drop)
}

/// Lengthens a lease.
pub(super) async fn renew(client: &VaultClient, lease: &str) -> Result<Lease, Fault> {
    let answer = quietly(async { Renew(lease).with_middleware(client.middle()).exec(client.http()).await }).await?;
    let renewed: Renewed = quietly(async { answer.wrap() }).await?;
    Ok(Lease::new(renewed.lease_duration, renewed.renewable))
}
