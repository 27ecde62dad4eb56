//! `Peer`: whom a connection is made to, and who vouches that it is them.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{OpenError, SendError, unusable};

/// Whom a connection is made to.
pub(crate) struct Peer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Peer {
    /// Whoever answers there.
    pub(crate) fn plain(host: String, port: u16) -> Self {
        Self { host, port, tls: None }
    }

    /// Who can prove to be this host.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) fn encrypted(host: String, port: u16, authority: Option<&Path>) -> Result<Self, OpenError> {
        let name = ServerName::try_from(host.clone()).map_err(unusable)?;
        Ok(Self { host, port, tls: Some((TlsConnector::from(Arc::new(trust(authority)?)), name)) })
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`SendError::Connect`]
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, SendError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(SendError::Connect)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await.map_err(SendError::Connect)?),
        })
    }
}

/// Whom these authorities vouch for; the machine's, where the config names none.
fn trust(authority: Option<&Path>) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?;
    let Some(path) = authority else {
        return Ok(builder.with_native_roots().map_err(unusable)?.with_no_client_auth());
    };
    let wrong =
        |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Authority { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.into()))? {
        let certificate = certificate.map_err(|error| wrong(error.into()))?;
        roots.add(certificate).map_err(|error| wrong(error.into()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds none".into()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
