//! What takes notifications and records: small servers that keep every byte they are sent, and misbehave when they are told to.

mod bulk;
mod smtp;
mod syslog;

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::net::sockopt::set_socket_linger;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is done with a message once all of it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It is taken.
    Take,
    /// It is answered with this status. HTTP: and with these headers, and after an empty line this body. SMTP: and this text.
    Refuse(u16, &'static str),
    /// Nothing is ever answered.
    Hang,
    /// The connection is reset.
    Reset,
    /// Of a bulk, these are the statuses of the first documents; the others are taken.
    Items(&'static [u16]),
}

/// A message as it arrived, to the byte.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The whole request of HTTP; everything that an SMTP client said.
    pub text: String,
    /// The same, where it is not text.
    pub bytes: Vec<u8>,
    /// Whether it was told that it was taken.
    pub taken: bool,
}

/// Listens until the test's process ends.
pub struct Receiver {
    port: u16,
    state: Arc<State>,
}

struct State {
    /// What is done with the next messages; the last one stays.
    moods: Mutex<VecDeque<Mood>>,
    heard: Mutex<Vec<Heard>>,
    tls: Option<Arc<ServerConfig>>,
    /// TLS is agreed on, and not spoken from the first byte.
    agreed: bool,
    /// What is said to a request of HTTP that is taken: status and body.
    reply: Reply,
}

/// Says that a request is taken, by its text and the statuses of its first items.
type Reply = Box<dyn Fn(&str, &[u16]) -> (u16, String) + Send + Sync>;

/// Speaks one protocol with one client.
type Serve = fn(&State, Box<dyn Wire>, &TcpStream) -> io::Result<()>;

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl Receiver {
    /// Takes every request of HTTP.
    #[must_use]
    pub fn http() -> Self {
        Self::start(request, None, false)
    }

    /// Takes every request of HTTP, and says this.
    #[must_use]
    pub fn saying(status: u16, body: &'static str) -> Self {
        Self::with(request, None, false, Box::new(move |_, _| (status, body.to_owned())))
    }

    /// Takes bulks as Elasticsearch does: what is there already is a conflict.
    #[must_use]
    pub fn bulk() -> Self {
        Self::with(request, None, false, bulk::reply())
    }

    /// Takes what is sent until the sender ends its connection, and ends it too.
    #[must_use]
    pub fn stream() -> Self {
        Self::start(syslog::serve, None, false)
    }

    /// The same over TLS.
    #[must_use]
    pub fn stream_tls(certificate: &Path) -> Self {
        Self::start(syslog::serve, Some(identity(certificate)), false)
    }

    /// The same over TLS; its certificate, which is its own authority, is written to a file.
    #[must_use]
    pub fn https(certificate: &Path) -> Self {
        Self::start(request, Some(identity(certificate)), false)
    }

    /// Takes every mail, for whoever can say a password.
    #[must_use]
    pub fn smtp() -> Self {
        Self::start(smtp::serve, None, false)
    }

    /// The same over TLS.
    #[must_use]
    pub fn smtps(certificate: &Path) -> Self {
        Self::start(smtp::serve, Some(identity(certificate)), false)
    }

    /// The same, with TLS once it was agreed on.
    #[must_use]
    pub fn starttls(certificate: &Path) -> Self {
        Self::start(smtp::serve, Some(identity(certificate)), true)
    }

    fn start(serve: Serve, tls: Option<Arc<ServerConfig>>, agreed: bool) -> Self {
        Self::with(serve, tls, agreed, Box::new(|_, _| (200, "ok".to_owned())))
    }

    /// Takes what [`Self::stream`] takes, on a port where nobody listened before.
    #[must_use]
    pub fn stream_at(port: u16) -> Self {
        Self::at(port, syslog::serve, None, false, Box::new(|_, _| (200, "ok".to_owned())))
    }

    /// Takes what [`Self::saying`] takes, on a port where nobody listened before.
    #[must_use]
    pub fn saying_at(port: u16, status: u16, body: &'static str) -> Self {
        Self::at(port, request, None, false, Box::new(move |_, _| (status, body.to_owned())))
    }

    fn with(serve: Serve, tls: Option<Arc<ServerConfig>>, agreed: bool, reply: Reply) -> Self {
        Self::at(0, serve, tls, agreed, reply)
    }

    fn at(port: u16, serve: Serve, tls: Option<Arc<ServerConfig>>, agreed: bool, reply: Reply) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("loopback has free ports");
        let port = listener.local_addr().expect("it listens").port();
        let moods = Mutex::new(VecDeque::from([Mood::Take]));
        let state = Arc::new(State { moods, heard: Mutex::default(), tls, agreed, reply });
        let all = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&all);
                // A client that breaks off has said what it had to say.
                thread::spawn(move || state.connected(serve, stream).unwrap_or_default());
            }
        });
        Self { port, state }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is done with the messages to come, one after the other; the last one stays.
    pub fn set(&self, moods: &[Mood]) {
        *lock(&self.state.moods) = moods.iter().cloned().collect();
    }

    /// Every message so far.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.state.heard).clone()
    }
}

impl State {
    fn connected(&self, serve: Serve, stream: TcpStream) -> io::Result<()> {
        let raw = stream.try_clone()?;
        let wire = if self.agreed { None } else { self.encrypted(&raw)? };
        serve(self, wire.unwrap_or(Box::new(stream)), &raw)
    }

    /// The connection under TLS, where there is an identity for it.
    fn encrypted(&self, raw: &TcpStream) -> io::Result<Option<Box<dyn Wire>>> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
        Ok(Some(Box::new(StreamOwned::new(session, raw.try_clone()?))))
    }

    /// Keeps a message, and does what is to be done with it: what was taken has been kept before anybody is told.
    fn end(&self, text: &[u8], raw: &TcpStream, answer: impl FnOnce(&Mood) -> io::Result<()>) -> io::Result<()> {
        let mood = {
            let mut moods = lock(&self.moods);
            if moods.len() > 1 { moods.pop_front() } else { moods.front().cloned() }.unwrap_or(Mood::Take)
        };
        let (text, bytes) = (String::from_utf8_lossy(text).into_owned(), text.to_vec());
        lock(&self.heard).push(Heard { text, bytes, taken: matches!(mood, Mood::Take | Mood::Items(_)) });
        match mood {
            Mood::Take | Mood::Items(_) | Mood::Refuse(_, _) => answer(&mood),
            Mood::Hang => {
                thread::sleep(Duration::from_mins(2));
                Ok(())
            }
            Mood::Reset => {
                set_socket_linger(raw, Some(Duration::ZERO))?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(certificate: &Path) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).and_then(|params| params.self_signed(&key));
    let own = own.expect("a certificate");
    std::fs::write(certificate, own.pem()).expect("the certificate is written");
    let chain = vec![CertificateDer::from(own.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key in PKCS #8");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("ring knows TLS").with_no_client_auth().with_single_cert(chain, key);
    Arc::new(config.expect("key and certificate belong together"))
}

/// One request of HTTP and its answer.
fn request(state: &State, wire: Box<dyn Wire>, raw: &TcpStream) -> io::Result<()> {
    let mut wire = BufReader::new(wire);
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        if wire.read_until(b'\n', &mut text)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&text).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
    wire.by_ref().take(length.unwrap_or(0)).read_to_end(&mut text)?;
    state.end(&text, raw, |mood| {
        let said;
        let (status, headers, body) = match mood {
            Mood::Refuse(status, more) => {
                let (headers, body) = more.split_once("\n\n").unwrap_or((more, ""));
                (*status, headers, body)
            }
            Mood::Items(_) | Mood::Take | Mood::Hang | Mood::Reset => {
                let items = if let Mood::Items(items) = mood { items } else { [].as_slice() };
                said = (state.reply)(&String::from_utf8_lossy(&text), items);
                (said.0, "", said.1.as_str())
            }
        };
        let headers: String = headers.lines().flat_map(|line| [line, "\r\n"]).collect();
        let length = body.len();
        write!(wire.get_mut(), "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n{body}")?;
        wire.get_mut().flush()
    })
}
