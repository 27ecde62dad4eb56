//! `Client`: the command line's end of the operators' socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonrpsee::core::client::{ClientT, Error as ClientError, Subscription, SubscriptionClientT};
use jsonrpsee::core::params::ObjectParams;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::UnixStream;

use super::{ANSWER_BYTES, card};

/// A connection to the running gateway.
pub struct Client {
    inner: WsClient,
}

/// Why the gateway cannot be reached.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nobody listens.
    #[error("no gateway runs with the state folder {}", folder.display())]
    NotRunning {
        /// Whose.
        folder: PathBuf,
    },
    /// The socket is there, and is not for us.
    #[error("the operators' socket {} is not open to this user", socket.display())]
    Forbidden {
        /// Which.
        socket: PathBuf,
    },
    /// Anything else.
    #[error("the operators' socket {} does not answer", socket.display())]
    Socket {
        /// Which.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It connects, and does not speak as a gateway does.
    #[error("the gateway closed the connection: it serves its own user, root, and the uids in `[operator]`")]
    Handshake(#[source] Box<ClientError>),
}

/// Why a request got no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The gateway said no.
    #[error("{message}")]
    Refused {
        /// Its words.
        message: String,
        /// Its number.
        code: i32,
        /// What to do about it, in its words.
        next: Option<String>,
    },
    /// The connection broke, or the answer cannot be read.
    #[error("the gateway went away before it answered")]
    Lost(#[source] Box<ClientError>),
    /// The request cannot be written as JSON.
    #[error("the request cannot be written")]
    Request(#[from] serde_json::Error),
}

/// A gateway on this machine answers within milliseconds; one that fsyncs to a dying disk within 2 s says so. A PIN is slow to
/// check on purpose, and others may be before it.
const PATIENCE: Duration = Duration::from_mins(1);

impl Client {
    /// Connects to the gateway that owns this state folder.
    ///
    /// # Errors
    /// [`ConnectError`] says whether none runs, or it does not let us in.
    pub async fn connect(state: &Path) -> Result<Self, ConnectError> {
        let socket = super::socket(state);
        let stream = match UnixStream::connect(&socket).await {
            Ok(stream) => stream,
            Err(source) => return Err(refused(state, socket, source)),
        };
        WsClientBuilder::new()
            .request_timeout(PATIENCE)
            .connection_timeout(PATIENCE)
            .max_response_size(ANSWER_BYTES)
            .build_with_stream("ws://localhost/", stream)
            .await
            .map(|inner| Self { inner })
            .map_err(|error| ConnectError::Handshake(Box::new(error)))
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn ask<T: DeserializeOwned>(&self, method: &str, params: &[(&'static str, &str)]) -> Result<T, AskError> {
        let mut object = ObjectParams::new();
        for (key, value) in params {
            insert(&mut object, key, value)?;
        }
        self.inner.request(method, object).await.map_err(AskError::from)
    }

    /// One request with parameters of any kind, and its answer.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn ask_with<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[(&'static str, serde_json::Value)],
    ) -> Result<T, AskError> {
        let mut object = ObjectParams::new();
        for (key, value) in params {
            insert(&mut object, key, value)?;
        }
        self.inner.request(method, object).await.map_err(AskError::from)
    }

    /// Runs a call and tells what happens to it.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn run(
        &self,
        name: &str,
        arguments: &serde_json::value::RawValue,
    ) -> Result<Subscription<card::Progress>, AskError> {
        let mut params = ObjectParams::new();
        insert(&mut params, "name", name)?;
        insert(&mut params, "arguments", arguments)?;
        self.inner.subscribe("calls_run", params, "calls_leave").await.map_err(AskError::from)
    }

    /// Every change of a hold, first the open ones.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn holds(&self) -> Result<Subscription<card::Event>, AskError> {
        let params = ObjectParams::new();
        self.inner.subscribe("holds_subscribe", params, "holds_unsubscribe").await.map_err(AskError::from)
    }
}

fn insert(object: &mut ObjectParams, key: &str, value: impl Serialize) -> Result<(), serde_json::Error> {
    object.insert(key, value)
}

fn refused(state: &Path, socket: PathBuf, source: io::Error) -> ConnectError {
    let kind = source.kind();
    if kind == io::ErrorKind::NotFound || kind == io::ErrorKind::ConnectionRefused {
        return ConnectError::NotRunning { folder: state.to_owned() };
    }
    if kind == io::ErrorKind::PermissionDenied {
        return ConnectError::Forbidden { socket };
    }
    ConnectError::Socket { socket, source }
}

impl From<ClientError> for AskError {
    fn from(error: ClientError) -> Self {
        if let ClientError::Call(call) = &error {
            let data = call.data().and_then(|data| serde_json::from_str::<super::refused::Advice>(data.get()).ok());
            return Self::Refused {
                message: call.message().to_owned(),
                code: call.code(),
                next: data.map(|advice| advice.next),
            };
        }
        Self::Lost(Box::new(error))
    }
}
