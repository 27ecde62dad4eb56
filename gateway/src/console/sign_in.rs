//! Signing in and out.

use audit::{Door, Event};
use http::header::SET_COOKIE;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use jsonrpsee::server::HttpResponse;
use policies::{OperatorId, Role};
use serde::{Deserialize, Serialize};

use super::answer::{Failure, json};
use super::request::{NAME, cookie, of_json};
use super::{Desk, HEAD_WITHIN, Session, clock};
use crate::operator::pin::Pin;
use crate::operator::refused::Refused;

/// What signs someone in.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Code(Code),
    Pin(Known),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    name: String,
    pin: String,
}

/// What a page is told of its session.
#[derive(Serialize)]
struct Me<'a> {
    name: &'a OperatorId,
    role: Role,
    csrf: &'a str,
    /// Whether approving asks for a PIN.
    pin: bool,
    passkeys: Vec<String>,
}

/// A name, a code, a PIN.
const BODY: usize = 4 << 10;

impl Desk {
    /// A one-time code, or a name and its PIN, for a cookie. INVARIANT: the cookie is always a new one, so that nobody
    /// can have known it before.
    pub(super) async fn sign_in(&self, request: Request<Incoming>) -> Result<HttpResponse, Failure> {
        self.front.names.sent_by_us(&request)?;
        of_json(&request)?;
        let before = cookie(request.headers()).map(str::to_owned);
        let body = tokio::time::timeout(HEAD_WITHIN, Limited::new(request.into_body(), BODY).collect()).await;
        let body = body.ok().and_then(Result::ok).ok_or(Failure::Body)?.to_bytes();
        let (name, role, proved, how) = match serde_json::from_slice(&body).map_err(|_| Failure::Body)? {
            Given::Code(Code { code }) => {
                let link = self.front.links.take(&code, clock::now()).ok_or(Failure::Code)?;
                (link.name, link.role, link.proved, "link")
            }
            Given::Pin(known) => {
                let (name, role) = self.by_pin(known).await?;
                (name, role, true, "pin")
            }
        };
        let event = Event::SignedIn { name: name.clone(), role, how: how.to_owned() };
        let unrecorded = |error: audit::AuditError| Failure::Refused(Refused::Unrecorded(error.to_string()));
        self.audit.note(event, clock::now()).await.map_err(unrecorded)?;
        if let Some(before) = before {
            self.front.sessions.end(&before);
        }
        let (id, session) = self.front.sessions.begin(name, role, clock::now());
        if proved {
            session.prove(clock::now());
        }
        let mut answer = json(StatusCode::OK, &self.me(&session));
        answer.headers_mut().insert(SET_COOKIE, self.set(&id, ""));
        Ok(answer)
    }

    async fn by_pin(&self, known: Known) -> Result<(OperatorId, Role), Failure> {
        let found = self
            .audit
            .operators()
            .into_iter()
            .find(|operator| operator.name.as_str().eq_ignore_ascii_case(&known.name));
        let name =
            found.as_ref().map_or_else(|| OperatorId::authenticated(&known.name), |operator| operator.name.clone());
        let proved = self.people.prove(&name, Pin::typed(known.pin), Door::SignIn).await;
        match (proved, found) {
            (Ok(()), Some(operator)) => Ok((operator.name, operator.role)),
            (Ok(()), None) => Err(Failure::Refused(Refused::WrongPin)),
            (Err(refused), found) => {
                let reason = refused.to_string();
                if let Some(reason) = self.refusals.counted(&reason, clock::now()) {
                    self.note(Event::SignInRefused { name: found.map(|operator| operator.name), reason }).await;
                }
                Err(Failure::Refused(refused))
            }
        }
    }

    /// Who is signed in.
    pub(super) fn session<B>(&self, request: &Request<B>) -> Result<HttpResponse, Failure> {
        let session = self.of_cookie(request.headers())?;
        if !self.stands(session.name()) {
            return Err(Failure::NoSession);
        }
        Ok(json(StatusCode::OK, &self.me(&session)))
    }

    /// Ends the session.
    pub(super) async fn sign_out<B>(&self, request: &Request<B>) -> Result<HttpResponse, Failure> {
        let session = self.of_our_page(request)?;
        if let Some(id) = cookie(request.headers()) {
            self.front.sessions.end(id);
        }
        self.note(Event::SignedOut { name: session.name().clone(), why: "signed out".into() }).await;
        let mut answer = json(StatusCode::OK, &serde_json::json!({}));
        answer.headers_mut().insert(SET_COOKIE, self.set("", "; Max-Age=0"));
        Ok(answer)
    }

    fn me<'a>(&self, session: &'a Session) -> Me<'a> {
        let operator = self.audit.operator(session.name());
        let role = operator.as_ref().map_or(session.role(), |operator| operator.role);
        Me { name: session.name(), role, csrf: session.csrf(), pin: operator.is_some(), passkeys: Vec::new() }
    }

    /// No script reads it, and no other site's request bears it.
    fn set(&self, id: &str, more: &str) -> HeaderValue {
        let secure = if self.front.secure { "; Secure" } else { "" };
        let text = format!("{NAME}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }
}
