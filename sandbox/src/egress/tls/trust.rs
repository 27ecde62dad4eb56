//! `Trust`: whom the edge takes for the host that it dialled.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use policies::Hash;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::egress::EgressError;
use crate::egress::allow::{Denied, Route};
use crate::egress::edge::{Broken, PATIENCE, within};

/// Whom the edge takes for the host that it dialled: whoever this machine, or the config, trusts to say so.
pub(in crate::egress) struct Trust {
    authorities: Vec<CertificateDer<'static>>,
    /// Read when TLS is first read: the machine's authorities are a megabyte.
    config: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    /// # Errors
    /// [`EgressError::Authority`] where a file holds no certificate.
    pub(in crate::egress) fn new(files: &[PathBuf]) -> Result<Self, EgressError> {
        let mut authorities = Vec::new();
        for path in files {
            let wrong = |source| EgressError::Authority { path: path.clone(), source };
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let read = read.map_err(|error| wrong(error.into()))?;
            let mut store = RootCertStore::empty();
            for authority in &read {
                store.add(authority.clone()).map_err(|error| wrong(error.into()))?;
            }
            if read.is_empty() {
                return Err(wrong("it is empty".into()));
            }
            authorities.extend(read);
        }
        Ok(Self { authorities, config: OnceLock::new() })
    }

    /// Speaks TLS with the host of a route, which must prove to be it, with a key that the route pins where it pins any.
    ///
    /// # Errors
    /// [`Broken`]
    pub(in crate::egress) async fn connect<S>(
        &self,
        far: S,
        route: &Route<'_>,
        alpn: Vec<Vec<u8>>,
    ) -> Result<TlsStream<S>, Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = self.config()?;
        if config.alpn_protocols != alpn {
            Arc::make_mut(&mut config).alpn_protocols = alpn;
        }
        let name = match route.host().address() {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(route.host().to_string()).map_err(io::Error::other)?,
        };
        let far = within(PATIENCE, TlsConnector::from(config).connect(name, far)).await?;
        route.check_key(key(&far).ok_or(Denied::Pin)?)?;
        Ok(far)
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.authorities.iter().cloned());
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![super::HTTP_1_1.to_vec()];
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

/// The digest of the server's public key.
fn key<S>(far: &TlsStream<S>) -> Option<Hash> {
    let certificate = far.get_ref().1.peer_certificates()?.first()?;
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    Some(Hash::of(certificate.subject_public_key_info().as_ref()))
}
