//! Requests of Wasm guests: they have no sockets, so there is nothing to intercept; the checks are the same.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use audit::Attempt;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Body;
use thiserror::Error;

use super::allow::{Denied, Host, Route};
use super::edge::{Broken, Passage};
use super::exit::{AT_REST, Exit};
use super::http::{self as wire, Carried, Plain, handshake, incoming, lend, outgoing, scrubbed, target};
use super::ledger::attempt;
use super::tls::HTTP_1_1;

/// Why a request of a guest does not leave.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    /// It is not granted, or no call runs.
    #[error("not allowed: {0}")]
    Denied(String),
    /// It is granted and cannot be carried out.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    fn why(&self) -> &str {
        match self {
            Self::Denied(why) | Self::Failed(why) => why,
        }
    }
}

impl From<Broken> for Refused {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Denied(denied) => Self::Denied(denied.to_string()),
            Broken::Failed(_) | Broken::Undialled(_) => Self::Failed(broken.to_string()),
        }
    }
}

/// Sends a request and returns the response as soon as its head is there.
pub(super) async fn send<B>(exit: &Arc<Exit>, request: Request<B>, tls: bool) -> Result<Response<Carried>, Refused>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (passage, host, port) = begin(exit, &request, tls).map_err(|refused| {
        let (seen, refused) = *refused;
        exit.note(Attempt { denied: Some(refused.why().to_owned()), ..seen });
        refused
    })?;
    let sent = tokio::select! {
        biased;
        () = passage.grant.ended() => return Err(Refused::Denied(AT_REST.to_owned())),
        sent = exchange(&passage, request.map(Box::pin), host, port, tls) => sent,
    };
    if let Err(Broken::Denied(denied)) = &sent {
        passage.flow.denied(denied.to_string());
    }
    Ok(sent?)
}

/// What was tried, and why it does not begin.
type NotBegun = Box<(Attempt, Refused)>;

/// Takes a place among the call's connections.
fn begin<B>(exit: &Arc<Exit>, request: &Request<B>, tls: bool) -> Result<(Arc<Passage>, Host, u16), NotBegun> {
    let to = target(request.uri(), tls);
    let named = || request.uri().host().map(|host| host.chars().take(wire::SHOWN).collect());
    let seen = Attempt {
        host: to.as_ref().map_or_else(named, |(host, _)| Some(host.to_string())),
        port: to.as_ref().map(|(_, port)| *port),
        request: Some(wire::shown(request.method(), request.uri().path())),
        ..attempt(if tls { "https" } else { "http" })
    };
    let Some(grant) = exit.grant() else { return Err(Box::new((seen, Refused::Denied(AT_REST.to_owned())))) };
    let Some((host, port)) = to else { return Err(Box::new((seen, Broken::Denied(Denied::Host).into()))) };
    match Passage::begin(exit, &grant, seen) {
        Ok(passage) => Ok((Arc::new(passage), host, port)),
        Err(refused) => Err(Box::new((refused.0, Broken::Denied(refused.1).into()))),
    }
}

async fn exchange<B>(
    passage: &Arc<Passage>,
    request: Request<Pin<Box<B>>>,
    host: Host,
    port: u16,
    tls: bool,
) -> Result<Response<Carried>, Broken>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let route = Route::find(passage.grant.destinations(), host, port)?;
    let route = if tls { route.https()? } else { route.http()? };
    let path = wire::check_guest(&request, &route)?;
    let method = request.method().clone();
    let request = lend(outgoing(request, &route, &path, tls), passage, &route, tls).await?;
    let far = passage.dial(&route).await?.counted(&passage.flow);
    let (mut sender, carried) = if tls {
        let far = passage.exit.egress.trust.connect(far, &route, vec![HTTP_1_1.to_vec()]).await?;
        handshake(far).await?
    } else {
        handshake(far).await?
    };
    // The passage, and with it the place among the call's connections, is held until the connection ends.
    let held = Arc::clone(passage);
    passage.spawn(async move {
        carried.await;
        drop(held);
    });
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Denied::Protocol("the server changed the protocol").into());
    }
    Ok(incoming(scrubbed(response.map(Plain), passage)?, &method))
}
