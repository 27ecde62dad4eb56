//! `Connector`: makes clients that trust whom the config names, follow no redirect and say nothing to the log.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustify::clients::reqwest::Client as RestClient;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use thiserror::Error;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use vaultrs::api::EndpointMiddleware;
use vaultrs::client::{VaultClient, VaultClientSettings, VaultClientSettingsBuilder};

use super::config::Settings;
use super::fault::Fault;

/// Makes clients of one backend; they share their connections.
pub(crate) struct Connector {
    http: reqwest::Client,
    address: String,
    namespace: Option<String>,
    settings: VaultClientSettings,
}

/// Why a backend cannot be spoken to as it is configured.
#[derive(Debug, Error)]
pub enum ConnectorError {
    /// The file with the certificates.
    #[error("cannot read certificates from `{path}`")]
    Ca {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS or HTTP cannot be set up.
    #[error("cannot make an HTTP client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Connector {
    pub(super) fn new(settings: &Settings) -> Result<Self, ConnectorError> {
        let client = |error: reqwest::Error| ConnectorError::Client(Box::new(error.without_url()));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(settings.ca.as_deref())?)
            // The token would go along, to whomever the answer names.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy of the environment would see what is lent.
            .no_proxy()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(CONNECT))
            .build()
            .map_err(client)?;
        let address = settings.address.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, settings: explicit(&address)?, address, namespace: settings.namespace.clone() })
    }

    /// A client that shows this token; none, if it is empty. INVARIANT: the token is a header's value.
    pub(super) fn client(&self, token: &str) -> VaultClient {
        let middle = EndpointMiddleware {
            token: token.to_owned(),
            version: "v1".to_owned(),
            wrap: None,
            namespace: self.namespace.clone(),
        };
        let http = RestClient::new(&self.address, self.http.clone());
        VaultClient { http, middle, settings: self.settings.clone() }
    }
}

/// Time for a handshake; an address that swallows packets is found out sooner than the request's time is over.
const CONNECT: Duration = Duration::from_secs(3);

/// Everything is said: what is not comes from variables such as `VAULT_SKIP_VERIFY`. Nothing here is used but to be asked for.
fn explicit(address: &str) -> Result<VaultClientSettings, ConnectorError> {
    VaultClientSettingsBuilder::default()
        .address(address)
        .ca_certs(Vec::new())
        .identity(None)
        .timeout(None)
        .token("")
        .verify(true)
        .namespace(None)
        .build()
        .map_err(|error| ConnectorError::Client(Box::new(error)))
}

pub(super) fn tls(ca: Option<&Path>) -> Result<ClientConfig, ConnectorError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| ConnectorError::Client(Box::new(error)))?;
    Ok(versions.with_root_certificates(roots(ca)?).with_no_client_auth())
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, ConnectorError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let fault = |source: Box<dyn std::error::Error + Send + Sync>| ConnectorError::Ca {
        path: path.display().to_string(),
        source,
    };
    let pem = fs::read(path).map_err(|error| fault(Box::new(error)))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| fault(error.to_string().into()))?;
        roots.add(certificate).map_err(|error| fault(Box::new(error)))?;
    }
    if roots.is_empty() { Err(fault("it holds none".into())) } else { Ok(roots) }
}

/// Waits for an answer with the log shut: the client's crates write addresses, paths and what the backend says there.
pub(super) async fn quietly<T, E: Into<Fault>>(request: impl Future<Output = Result<T, E>>) -> Result<T, Fault> {
    request.with_subscriber(NoSubscriber::default()).await.map_err(Into::into)
}
