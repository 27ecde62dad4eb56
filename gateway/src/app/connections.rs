//! Listeners and connections: TCP, TLS over it, and the Unix socket that `portcullis stdio` joins.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::agent::Agents;
use crate::agent::http::{Door, Hosts};
use crate::config::{ConsoleAt, TlsFiles};
use crate::console::Console;
use crate::drain::drained;

/// Connections at once over all agents.
const CONNECTIONS: usize = 8_192;

/// How long the head of a request, or a TLS handshake, may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// A rest when the system has no descriptor for another connection.
const REST: Duration = Duration::from_millis(50);

/// Listens where the config says, and serves from now on; the endpoint's URL.
pub(super) async fn listen_tcp(agents: &Arc<Agents>) -> anyhow::Result<String> {
    let listen = &agents.config.listen;
    let listener =
        TcpListener::bind(listen.address).await.with_context(|| format!("cannot listen on {}", listen.address))?;
    let bound = listener.local_addr()?;
    let tls = listen.tls.as_ref().map(acceptor).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let hosts = Arc::new(Hosts::new(listen, bound));
    let (agents, places) = (Arc::clone(agents), Arc::new(Semaphore::new(CONNECTIONS)));
    let tracker = agents.tracker.clone();
    tracker.spawn(async move {
        while let Some(accepted) = agents.stop.run_until_cancelled(listener.accept()).await {
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(REST).await;
                continue;
            };
            // Full: the connection is closed at once, which is the cheapest refusal there is.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            stream.set_nodelay(true).ok();
            let door = Door { peer: peer.to_string(), hosts: Some(Arc::clone(&hosts)) };
            let (agents, tls) = (Arc::clone(&agents), tls.clone());
            agents.tracker.clone().spawn(async move {
                match tls {
                    None => connection(agents, door, stream).await,
                    Some(tls) => {
                        if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_WITHIN, tls.accept(stream)).await {
                            connection(agents, door, stream).await;
                        }
                    }
                }
                drop(place);
            });
        }
    });
    Ok(format!("{scheme}://{bound}/mcp"))
}

/// Opens the console where the config has it.
pub(super) fn console(at: Option<&ConsoleAt>) -> anyhow::Result<Option<Console>> {
    let Some(at) = at else { return Ok(None) };
    let tls = at.tls.as_ref().map(acceptor).transpose()?;
    Ok(Some(Console::bind(at, tls)?))
}

/// Listens on the state folder's socket. The caller holds the folder's lock, so what is there was left by a dead gateway.
pub(super) fn listen_unix(agents: &Arc<Agents>, path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => bail!("{} is in the way: it is not a socket", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("the state folder cannot be read"),
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let (agents, peer) = (Arc::clone(agents), path.display().to_string());
    let tracker = agents.tracker.clone();
    tracker.spawn(async move {
        while let Some(accepted) = agents.stop.run_until_cancelled(listener.accept()).await {
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(REST).await;
                continue;
            };
            let (agents, door) = (Arc::clone(&agents), Door { peer: peer.clone(), hosts: None });
            agents.tracker.clone().spawn(connection(agents, door, stream));
        }
    });
    Ok(())
}

async fn connection(agents: Arc<Agents>, door: Door, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let serving = Arc::clone(&agents);
    let service = service_fn(move |request| Arc::clone(&serving).serve(door.clone(), request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_headers(64).half_close(false);
    let served = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = drained(served, http1::Connection::graceful_shutdown, &agents.stop).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

fn acceptor(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    let unusable = |path: &Path| format!("{} cannot be used for TLS", path.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .with_context(|| unusable(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| unusable(&files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| unusable(&files.certificate))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
