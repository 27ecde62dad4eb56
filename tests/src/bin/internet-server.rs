//! `internet-server FOLDER DNS WEB EVIL HOST`: the servers of the tests' internet. They log what they are sent to
//! `FOLDER/log`, and end when standard input does.
#![expect(clippy::expect_used, reason = "a server of tests that cannot start says so and ends")]

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("FOLDER DNS WEB EVIL HOST");
    let folder = next();
    let [dns, web, evil, host] = [next(), next(), next(), next()].map(|text| text.parse().expect("an IPv4 address"));
    let world = Arc::new(World {
        log: Mutex::new(File::options().create(true).append(true).open(Path::new(&folder).join("log"))?),
        tls: TlsAcceptor::from(Arc::new(certified(Path::new(&folder))?)),
        tasks: TaskTracker::new(),
        web,
        evil,
        host,
        turn: AtomicUsize::new(0),
    });
    for (name, address) in [("dns", dns), ("evil", evil)] {
        world.datagrams(name, (address, 53)).await?;
        world.streams(name, (address, 53), Serve::Dns).await?;
    }
    for (name, address) in [("dns", dns), ("web", web), ("evil", evil)] {
        world.streams(name, (address, 443), Serve::Https).await?;
        world.streams(name, (address, 80), Serve::Http).await?;
        world.streams(name, (address, 8080), Serve::Http).await?;
        world.streams(name, (address, 7), Serve::Echo).await?;
        world.datagrams(name, (address, 7)).await?;
        world.datagrams(name, (address, 443)).await?;
    }
    writeln!(io::stdout(), "ready")?;
    // It ends with whoever started it.
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop)
}

struct World {
    log: Mutex<File>,
    tls: TlsAcceptor,
    tasks: TaskTracker,
    web: Ipv4Addr,
    evil: Ipv4Addr,
    host: Ipv4Addr,
    turn: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Serve {
    Dns,
    Http,
    Https,
    Echo,
}

impl World {
    /// One line: which server, and what it was sent.
    fn note(&self, server: &str, bytes: &[u8]) {
        let shown =
            String::from_utf8_lossy(bytes.get(..bytes.len().min(1024)).unwrap_or_default()).escape_debug().to_string();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(log, "{server} {shown}").expect("the log is written");
    }

    async fn streams(self: &Arc<Self>, name: &str, at: (Ipv4Addr, u16), serve: Serve) -> io::Result<()> {
        let listener = TcpListener::bind(at).await?;
        let (world, name) = (Arc::clone(self), format!("{name}:{}/tcp", at.1));
        self.tasks.spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                world.note(&name, format!("<connection from {from}>").as_bytes());
                stream.set_nodelay(true).ok();
                let (one, name) = (Arc::clone(&world), name.clone());
                world.tasks.spawn(async move { one.serve(serve, name, stream).await });
            }
        });
        Ok(())
    }

    async fn serve(self: Arc<Self>, serve: Serve, name: String, stream: TcpStream) {
        let served = match serve {
            Serve::Http => self.http(Logged::new(stream, &self, &name), &name).await,
            Serve::Https => match self.tls.accept(Logged::new(stream, &self, &name)).await {
                Ok(stream) => self.http(Logged::new(stream, &self, &name), &name).await,
                Err(_) => Ok(()),
            },
            Serve::Echo => self.echo(stream, &name).await,
            Serve::Dns => self.dns(stream, &name).await,
        };
        drop(served);
    }

    async fn http(
        self: &Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        name: &str,
    ) -> io::Result<()> {
        let answer = service_fn(|request| answer(request, name));
        let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        served.map_err(io::Error::other)
    }

    async fn echo(&self, mut stream: TcpStream, name: &str) -> io::Result<()> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let read = stream.read(&mut chunk).await?;
            let bytes = chunk.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            self.note(name, bytes);
            stream.write_all(bytes).await?;
        }
    }

    async fn dns(&self, mut stream: TcpStream, name: &str) -> io::Result<()> {
        loop {
            let mut question = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut question).await?;
            self.note(name, &question);
            let Some(answer) = self.answer(&question) else { return Ok(()) };
            stream.write_u16(u16::try_from(answer.len()).map_err(io::Error::other)?).await?;
            stream.write_all(&answer).await?;
        }
    }

    /// Names at port 53, an echo elsewhere.
    async fn datagrams(self: &Arc<Self>, name: &str, at: (Ipv4Addr, u16)) -> io::Result<()> {
        let socket = UdpSocket::bind(at).await?;
        let (world, name) = (Arc::clone(self), format!("{name}:{}/udp", at.1));
        self.tasks.spawn(async move {
            let mut datagram = vec![0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
                let bytes = datagram.get(..length).unwrap_or_default();
                world.note(&name, bytes);
                let back = if at.1 == 53 { world.answer(bytes) } else { Some(bytes.to_vec()) };
                if let Some(back) = back {
                    socket.send_to(&back, from).await.ok();
                }
            }
        });
        Ok(())
    }

    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?.clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        self.note("names", format!("{name} {}", query.query_type()).as_bytes());
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        let mut add = |name: &Name, data| {
            answer.answers.push(Record::from_rdata(name.clone(), 0, data));
        };
        match (query.query_type(), self.meaning(&name, query.query_type())) {
            (_, None) => answer.metadata.response_code = ResponseCode::NXDomain,
            (RecordType::TXT, Some(_)) => add(query.name(), RData::TXT(TXT::new(vec!["from the world".to_owned()]))),
            (RecordType::A, Some(Meaning::Address(address))) => add(query.name(), RData::A(A(address))),
            (RecordType::A, Some(Meaning::Alias(alias, address))) => {
                let alias = Name::from_ascii(alias).ok()?;
                add(query.name(), RData::CNAME(CNAME(alias.clone())));
                add(&alias, RData::A(A(address)));
            }
            (_, Some(_)) => {}
        }
        answer.to_vec().ok()
    }

    fn meaning(&self, name: &str, kind: RecordType) -> Option<Meaning> {
        let below = |zone: &str| name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'));
        let address = match name {
            "loopback.test" => Ipv4Addr::LOCALHOST,
            "private.test" => Ipv4Addr::new(10, 77, 0, 1),
            "metadata.test" => Ipv4Addr::new(169, 254, 169, 254),
            "own.test" => self.host,
            "alias.test" => return Some(Meaning::Alias("inside.private.test.", Ipv4Addr::new(10, 77, 0, 1))),
            // Public for whoever checks, private for whoever then connects.
            "rebind.test" if kind == RecordType::A && self.turn.fetch_add(1, Ordering::Relaxed) % 2 == 1 => {
                Ipv4Addr::LOCALHOST
            }
            "rebind.test" => self.web,
            _ if below("web.test") || below("cdn.test") => self.web,
            _ if below("evil.test") => self.evil,
            _ => return None,
        };
        Some(Meaning::Address(address))
    }
}

enum Meaning {
    Address(Ipv4Addr),
    Alias(&'static str, Ipv4Addr),
}

/// `/moved` leads to `evil.test`, `/bytes/N` is that long, everything else tells what was asked.
async fn answer(request: Request<Incoming>, server: &str) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let whole = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = whole.len();
    let path = head.uri.path();
    let mut response = Response::new(Full::default());
    if path.starts_with("/moved") {
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().insert("location", http::HeaderValue::from_static("http://evil.test/from-redirect"));
    } else if let Some(expected) = path.strip_prefix("/private/") {
        // `/private/HASH` asks for a credential: the SHA-256 of the whole `authorization` header.
        let sent = head.headers.get("authorization").map(http::HeaderValue::as_bytes).unwrap_or_default();
        let good = hex(ring::digest::digest(&ring::digest::SHA256, sent).as_ref()) == expected;
        *response.status_mut() = if good { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        *response.body_mut() = Full::from(if good { "let in\n" } else { "who are you?\n" });
    } else if path.starts_with("/reflect") {
        reflect(&head, &whole, &mut response);
    } else if let Some(length) = path.strip_prefix("/bytes/").and_then(|length| length.parse().ok()) {
        *response.body_mut() = Full::from(vec![b'x'; length]);
    } else {
        let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("no host");
        *response.body_mut() = Full::from(format!("{server} {} {host}{} {body}\n", head.method, head.uri));
    }
    Ok(response)
}

/// Gives back everything that it was sent, in plain and encoded, in the head, in the reason and in the body.
fn reflect(head: &http::request::Parts, body: &[u8], response: &mut Response<Full<Bytes>>) {
    use base64::Engine as _;
    let mut text = format!("{}\n{}\n", head.uri, String::from_utf8_lossy(body));
    for (name, value) in &head.headers {
        let whole = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let value = whole.rsplit(' ').next().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(value);
        let spaced: String = value.chars().flat_map(|c| [c, ' ']).collect();
        let reversed: String = value.chars().rev().collect();
        let hex = hex(value.as_bytes());
        for line in [&format!("{name}: {whole}"), &encoded, &hex, &spaced, &reversed] {
            text.extend([line.as_str(), "\n"]);
        }
        if let Ok(value) = http::HeaderValue::try_from(encoded) {
            response.headers_mut().append("x-reflected", value);
        }
    }
    if head.uri.path().ends_with("/gzip") {
        response.headers_mut().insert("content-encoding", http::HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = Full::from(text);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Notes what is read.
struct Logged<S> {
    stream: S,
    world: Arc<World>,
    name: String,
}

impl<S> Logged<S> {
    fn new(stream: S, world: &Arc<World>, name: &str) -> Self {
        Self { stream, world: Arc::clone(world), name: name.to_owned() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Logged<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        if !read.is_empty() {
            self.world.note(&self.name, read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Logged<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// One certificate for every name, and who signed it.
fn certified(folder: &Path) -> io::Result<ServerConfig> {
    let mut params = CertificateParams::default();
    // OpenSSL takes a certificate for self-signed whose subject is named as its issuer.
    params.distinguished_name.push(DnType::CommonName, "the authority of the tests' internet");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().map_err(io::Error::other);
    let authority = CertifiedIssuer::self_signed(params, key()?).map_err(io::Error::other)?;
    std::fs::write(folder.join("authority.pem"), authority.pem())?;
    let names = ["web.test", "*.web.test", "cdn.test", "evil.test", "*.evil.test", "rebind.test"].map(str::to_owned);
    let key = key()?;
    let certificate = CertificateParams::new(names).and_then(|params| params.signed_by(&key, &authority));
    let certificate = certificate.map_err(io::Error::other)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth();
    config.with_single_cert(vec![certificate.der().clone()], der).map_err(io::Error::other)
}
