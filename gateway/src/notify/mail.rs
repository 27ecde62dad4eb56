//! `Smtp`: a mail to one person or list.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use audit::{Learned, Redactor};
use futures_util::future::BoxFuture;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message as Letter};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::adapter::Adapter;
use super::{Message, OpenError, SendError};
use crate::config::{Mail, Security};
use crate::endpoint::credential;

/// Writes to one person or list.
pub(super) struct Smtp {
    host: String,
    port: u16,
    security: Security,
    tls: TlsParameters,
    from: Mailbox,
    to: Mailbox,
    login: Option<Credentials>,
    within: Duration,
    _learned: Option<Learned>,
}

/// How long the server may take to say goodbye: it has taken the mail by then.
const FAREWELL: Duration = Duration::from_millis(500);

impl Smtp {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        mail: &Mail,
        authority: Option<&Path>,
        within: Duration,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let login = mail.login.as_ref().map(|(user, file)| Ok((user, credential::read(file, "a password")?)));
        let login = login.transpose()?;
        let learned = login.as_ref().map(|(_, password)| redactor.learn(password.as_bytes()));
        Ok(Self {
            host: mail.host.clone(),
            port: mail.port,
            security: mail.security,
            tls: trust(&mail.host, authority)?,
            from: mail.from.clone(),
            to: mail.to.clone(),
            login: login.map(|(user, password)| Credentials::new(user.clone(), password.as_str().to_owned())),
            within,
            _learned: learned,
        })
    }

    /// The same each time: a mailbox that gets it twice can tell by its id.
    fn letter(&self, message: &Message) -> Result<Letter, lettre::error::Error> {
        let id = format!("<{}@{}>", message.id(), self.from.email.domain());
        let letter = Letter::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .date(SystemTime::from(message.at()))
            .message_id(Some(id))
            .subject(message.title())
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        // Whoever is away does not want to say so to a gateway.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        letter.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned())).body(message.text())
    }

    async fn deliver(&self, letter: &Letter) -> Result<(), Error> {
        let (server, hello) = ((self.host.as_str(), self.port), ClientId::default());
        let wrapped = match self.security {
            Security::Tls => Some(self.tls.clone()),
            Security::StartTls | Security::None => None,
        };
        let within = Some(self.within);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, within, &hello, wrapped, None).await?;
        if self.security == Security::StartTls {
            connection.starttls(self.tls.clone(), &hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        connection.send(letter.envelope(), &letter.formatted()).await?;
        // It is taken, whatever becomes of the goodbye.
        tokio::time::timeout(FAREWELL, connection.quit()).await.ok();
        Ok(())
    }
}

impl Adapter for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let letter = self.letter(message).map_err(|error| SendError::Form(Box::new(error)))?;
            self.deliver(&letter).await.map_err(failed)
        })
    }
}

fn failed(error: Error) -> SendError {
    let said = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => SendError::Refused { status: code.into(), said, after: None },
        None => SendError::Broken(Box::new(error)),
    }
}

/// Whom these authorities vouch for; the machine's, where the config names none.
fn trust(host: &str, authority: Option<&Path>) -> Result<TlsParameters, OpenError> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = authority {
        let pem = std::fs::read(path).map_err(|source| OpenError::Read { path: path.to_owned(), source })?;
        let wrong = |error: Error| OpenError::Authority { path: path.to_owned(), source: Box::new(error) };
        let certificate = Certificate::from_pem(&pem).map_err(wrong)?;
        tls = tls.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    tls.build().map_err(|error| OpenError::Client(Box::new(error)))
}
