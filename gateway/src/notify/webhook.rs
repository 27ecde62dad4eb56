//! `Webhook`: a POST that whoever receives it can check, as Standard Webhooks has it: id, time and body, signed together.

use std::path::Path;
use std::sync::Arc;

use audit::{Learned, Redactor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;
use url::Url;
use zeroize::Zeroizing;

use super::adapter::Adapter;
use super::{Message, OpenError, SendError};
use crate::clock;
use crate::endpoint::{Endpoint, credential};

/// Posts signed messages.
pub(super) struct Webhook {
    endpoint: Endpoint,
    key: hmac::Key,
    _learned: Learned,
}

/// What a key begins with.
const PREFIX: &str = "whsec_";

const KEY: &str = "`whsec_` and 24 to 64 bytes in base64";

impl Webhook {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        url: &Url,
        key: &Path,
        authority: Option<&Path>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let text = credential::read(key, KEY)?;
        let bytes = text.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok()).map(Zeroizing::new);
        let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len()));
        let bytes = bytes.ok_or_else(|| credential::none(key, KEY))?;
        let learned = redactor.learn(text.as_bytes());
        let endpoint = Endpoint::open(url, authority)?;
        Ok(Self { endpoint, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), _learned: learned })
    }

    /// The time is that of the attempt: a receiver refuses what is old, and a replay is old.
    fn headers(&self, id: &str, seconds: i64, body: &[u8]) -> Result<HeaderMap, SendError> {
        let mut signed = format!("{id}.{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        let signature = format!("v1,{}", BASE64.encode(hmac::sign(&self.key, &signed)));
        let headers = [
            (HeaderName::from_static("webhook-id"), id.to_owned()),
            (HeaderName::from_static("webhook-timestamp"), seconds.to_string()),
            (HeaderName::from_static("webhook-signature"), signature),
        ];
        let valued = headers.into_iter().map(|(name, value)| Ok((name, HeaderValue::try_from(value)?)));
        valued
            .collect::<Result<HeaderMap, http::header::InvalidHeaderValue>>()
            .map_err(|error| SendError::Form(Box::new(error)))
    }
}

impl Adapter for Webhook {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let body = serde_json::to_vec(message.event()).map_err(|error| SendError::Form(Box::new(error)))?;
            let headers = self.headers(message.id(), clock::now().as_second(), &body)?;
            self.endpoint.post(headers, body).await?.taken()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn webhook(key: &str) -> Result<Webhook, OpenError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let url = Url::parse("http://127.0.0.1:1/").unwrap();
        Webhook::open(&url, &file, None, &Arc::new(Redactor::new(&[0; 32])))
    }

    /// The example of the specification.
    #[test]
    fn a_message_is_signed_as_the_specification_signs_its_own() {
        let webhook = webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let headers =
            webhook.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
    }

    #[test]
    fn a_key_is_long_enough_and_says_what_it_is() {
        for bad in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_not base64", "whsec_?"] {
            let error = webhook(bad).err().unwrap().to_string();
            assert!(error.contains("whsec_") && !error.contains(bad), "{error}");
        }
    }
}
