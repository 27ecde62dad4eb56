//! `Authority`: signs what the edge shows one sandbox where it reads TLS. It is trusted in that sandbox only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use policies::ServerName;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

use super::allow::Host;

/// An authority of one sandbox, made when it is first needed; its key never leaves this process.
pub(super) struct Authority {
    server: String,
    made: OnceLock<Option<Made>>,
}

struct Made {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: String,
    /// One key for all leaves: they are shown to one sandbox.
    leaf: KeyPair,
    leaves: Mutex<HashMap<Host, Arc<CertifiedKey>>>,
}

/// Why the edge cannot show a certificate.
#[derive(Debug, Error)]
#[error("cannot make a certificate")]
pub(super) struct Unsigned;

/// Leaves that are kept. Making one takes a fifth of a millisecond.
const KEPT: usize = 256;

impl Authority {
    pub(super) fn new(server: &ServerName) -> Self {
        Self { server: server.to_string(), made: OnceLock::new() }
    }

    /// Its own certificate; empty where none can be made.
    pub(super) fn pem(&self) -> &str {
        self.made().map_or("", |made| &made.pem)
    }

    /// What a TLS server needs to be a host in front of this sandbox, speaking one of these protocols.
    ///
    /// # Errors
    /// [`Unsigned`]
    pub(super) fn config(&self, host: &Host, alpn: Vec<Vec<u8>>) -> Result<Arc<ServerConfig>, Unsigned> {
        let key = self.made().ok_or(Unsigned)?.leaf(host).ok_or(Unsigned)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| Unsigned)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
        config.alpn_protocols = alpn;
        Ok(Arc::new(config))
    }

    fn made(&self) -> Option<&Made> {
        let make = || {
            let made = Made::new(&self.server);
            made.inspect_err(|error| tracing::error!(server = self.server, %error, "cannot make an authority")).ok()
        };
        self.made.get_or_init(make).as_ref()
    }
}

impl Made {
    fn new(server: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("Portcullis, for the sandbox of {server}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pem = issuer.pem();
        Ok(Self { issuer, pem, leaf: KeyPair::generate()?, leaves: Mutex::default() })
    }

    fn leaf(&self, host: &Host) -> Option<Arc<CertifiedKey>> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(host) {
            return Some(Arc::clone(leaf));
        }
        let leaf = Arc::new(self.sign(host).ok()?);
        if leaves.len() >= KEPT {
            leaves.clear();
        }
        leaves.insert(host.clone(), Arc::clone(&leaf));
        Some(leaf)
    }

    fn sign(&self, host: &Host) -> Result<CertifiedKey, Unsigned> {
        let subject = host.address().map_or_else(|| host.to_string(), |address| address.to_string());
        let mut params = CertificateParams::new(vec![subject]).map_err(|_| Unsigned)?;
        // The subject stays empty but for what it is: the name stands where clients look, and may be longer than 64 bytes.
        params.distinguished_name.push(DnType::CommonName, "Portcullis");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict clients (Python from 3.13 on) ask for it.
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.leaf, &self.issuer).map_err(|_| Unsigned)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone(), self.issuer.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf.serialize_der()));
        let key = any_ecdsa_type(&key).map_err(|_| Unsigned)?;
        Ok(CertifiedKey::new(chain, key))
    }
}
