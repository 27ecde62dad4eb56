//! Signing in and out.

use audit::assertion::BadAssertion;
use audit::{Door, Event, Operator};
use http::header::{ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use jsonrpsee::server::HttpResponse;
use policies::{OperatorId, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::{Failure, json};
use super::request::{NAME, cookie, of_json};
use super::{Desk, HEAD_WITHIN, Session, Who, clock};
use crate::operator::pin::Pin;
use crate::operator::refused::Refused;
use crate::passkey::{Given, Site, to_sign_in};

/// What signs someone in.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shown {
    Code(Code),
    Pin(Known),
    Passkey(Box<Keyed>),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyed {
    name: String,
    assertion: Given,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

/// What a page is told of its session.
#[derive(Serialize)]
struct Me<'a> {
    name: &'a OperatorId,
    role: Role,
    csrf: &'a str,
    /// Whether approving asks for a PIN.
    pin: bool,
    /// The site that passkeys can be made for here; there is none where the console is reached by an address.
    site: Option<String>,
    /// What the person calls those that sign here.
    passkeys: Vec<String>,
}

/// A name, a code, a PIN, a signature with what it is over.
const BODY: usize = 16 << 10;

impl Desk {
    /// A one-time code, a name and its PIN, or a name and what its passkey signed, for a cookie. INVARIANT: the cookie is
    /// always a new one, so that nobody can have known it before.
    pub(super) async fn sign_in(&self, request: Request<Incoming>) -> Result<HttpResponse, Failure> {
        self.front.names.sent_by_us(&request)?;
        of_json(&request)?;
        let before = cookie(request.headers()).map(str::to_owned);
        let origin = origin(request.headers());
        let (who, proved, how) = match read(request).await? {
            Shown::Code(Code { code }) => {
                let link = self.front.links.take(&code, clock::now()).filter(|link| self.stands(&link.who));
                let link = link.ok_or(Failure::Code)?;
                (link.who, link.proved, "link")
            }
            Shown::Passkey(keyed) => (self.by_passkey(*keyed, &origin).await?, true, "passkey"),
            Shown::Pin(known) => (self.by_pin(known).await?, true, "pin"),
        };
        let event = Event::SignedIn { name: who.name().clone(), role: who.role(), how: how.to_owned() };
        let recorded = self.audit.by(who.author()).note(event, clock::now()).await;
        recorded.map_err(|error| Failure::Refused(error.into()))?;
        if let Some(before) = before {
            self.front.sessions.end(&before);
        }
        let (id, session) = self.front.sessions.begin(who, &origin, clock::now());
        if proved {
            session.prove(clock::now());
        }
        let mut answer = json(StatusCode::OK, &self.me(&session));
        answer.headers_mut().insert(SET_COOKIE, self.set(&id, ""));
        Ok(answer)
    }

    async fn by_pin(&self, known: Known) -> Result<Who, Failure> {
        let found = self.named(&known.name);
        let name =
            found.as_ref().map_or_else(|| OperatorId::authenticated(&known.name), |operator| operator.name.clone());
        let proved = self.people.prove(&name, Pin::typed(known.pin), Door::SignIn).await;
        match (proved, found) {
            (Ok(()), Some(operator)) => Ok(Who::operator(&operator)),
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

    /// What a passkey is to sign to sign this person in. It says nothing of whether there is such a person.
    pub(super) async fn passkey(&self, request: Request<Incoming>) -> Result<HttpResponse, Failure> {
        self.front.names.sent_by_us(&request)?;
        of_json(&request)?;
        let site = self.site(&origin(request.headers()))?;
        let Named { name } = read(request).await?;
        let question = self.front.passkeys.ask_to_sign_in(&name, &site);
        Ok(json(StatusCode::OK, &question))
    }

    async fn by_passkey(&self, keyed: Keyed, origin: &str) -> Result<Who, Failure> {
        let Keyed { name, assertion } = keyed;
        let site = self.site(origin)?;
        let operator = self.named(&name);
        let given = assertion.nonce().filter(|nonce| self.front.passkeys.is_open_to_sign_in(nonce, &name));
        let checked = match (&operator, given) {
            (_, None) => Err(Refused::Passkey { why: BadAssertion::Challenge }),
            (None, Some(_)) => Err(Refused::Passkey { why: BadAssertion::Unknown }),
            (Some(operator), Some(nonce)) => match assertion.over(to_sign_in(&name, &nonce), site.written()) {
                Ok(signed) => self.people.check(&operator.name, &signed, Door::SignInByPasskey).await.and_then(|()| {
                    let once = self.front.passkeys.answer_to_sign_in(&nonce, &name);
                    if once { Ok(()) } else { Err(Refused::Passkey { why: BadAssertion::Challenge }) }
                }),
                Err(why) => Err(Refused::Passkey { why }),
            },
        };
        match (checked, operator) {
            (Ok(()), Some(operator)) => Ok(Who::operator(&operator)),
            (Ok(()), None) => Err(unproved()),
            (Err(refused), operator) => {
                let reason = refused.to_string();
                if let Some(reason) = self.refusals.counted(&reason, clock::now()) {
                    self.note(Event::SignInRefused { name: operator.map(|operator| operator.name), reason }).await;
                }
                // What was wrong is in the log. Told here, it would say whether there is such a person.
                if matches!(refused, Refused::Passkey { .. }) {
                    Err(unproved())
                } else {
                    Err(Failure::Refused(refused))
                }
            }
        }
    }

    fn site(&self, origin: &str) -> Result<Site, Failure> {
        Site::of(origin).ok_or_else(|| {
            let what = format!("browsers have no passkeys for {origin}");
            Failure::Refused(Refused::State {
                what,
                next: format!("open the console by its name: {}", self.front.url()),
            })
        })
    }

    fn named(&self, typed: &str) -> Option<Operator> {
        self.audit.operators().into_iter().find(|operator| operator.name.as_str().eq_ignore_ascii_case(typed))
    }

    /// Who is signed in.
    pub(super) fn session<B>(&self, request: &Request<B>) -> Result<HttpResponse, Failure> {
        let session = self.of_cookie(request.headers())?;
        if !self.stands(&session.who()) {
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
        let (who, operators) = (session.who(), self.audit.operators());
        let operator = who.among(&operators);
        let role = operator.map_or(who.role(), |operator| operator.role);
        let site = Site::of(session.origin()).map(|site| site.name().to_owned());
        let theirs = self.audit.passkeys(session.name()).into_iter();
        let passkeys =
            theirs.filter(|passkey| site.as_ref() == Some(&passkey.site)).map(|passkey| passkey.label).collect();
        Me { name: session.name(), role, csrf: session.csrf(), pin: operator.is_some(), site, passkeys }
    }

    /// No script reads it, and no other site's request bears it.
    fn set(&self, id: &str, more: &str) -> HeaderValue {
        let secure = if self.front.secure { "; Secure" } else { "" };
        let text = format!("{NAME}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// A form of a page.
async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Failure> {
    let body = tokio::time::timeout(HEAD_WITHIN, Limited::new(request.into_body(), BODY).collect()).await;
    let body = body.ok().and_then(Result::ok).ok_or(Failure::Body)?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| Failure::Body)
}

/// The page's origin, which was found to be one of ours.
fn origin(headers: &HeaderMap) -> String {
    headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default().to_owned()
}

fn unproved() -> Failure {
    Failure::Refused(Refused::Passkey { why: BadAssertion::Unknown })
}
