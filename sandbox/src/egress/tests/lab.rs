//! `Lab`: an exit, its doors, and a small world behind it.

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit::{Attempt, Observed};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use policies::profile::{Ceilings, Isolation, Resources};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::Placer;

use crate::egress::{DestinationOf, Doors, Egress, EgressConfig, Exit, Opening};

pub(super) struct Lab {
    pub(super) exit: Arc<Exit>,
    pub(super) proxy: SocketAddr,
    pub(super) edge: SocketAddr,
    pub(super) dns: SocketAddr,
    pub(super) names: Arc<Mutex<HashMap<String, Vec<Answer>>>>,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    authority: CertifiedIssuer<'static, KeyPair>,
    tasks: TaskTracker,
    _authorities: tempfile::NamedTempFile,
}

/// What the world's resolver says of a name; in turn where there are several.
pub(super) enum Answer {
    Addresses(Vec<Ipv4Addr>),
    Alias(&'static str, Ipv4Addr),
}

/// What a server of the world was sent.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) saw: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub(super) fn saw(&self) -> String {
        String::from_utf8_lossy(&self.saw.lock().unwrap()).into_owned()
    }
}

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

impl Lab {
    pub(super) async fn new() -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let names = Arc::new(Mutex::new(HashMap::new()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let resolver = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        let resolvers = vec![resolver.local_addr().unwrap()];
        tasks.spawn(world_dns(resolver, Arc::clone(&names), Arc::clone(&asked)));
        let authority = authority();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(authority.pem().as_bytes()).unwrap();
        let config = EgressConfig { resolvers, authorities: vec![file.path().to_owned()] };
        let egress = Egress::new(&config, tasks.clone(), stop).unwrap();
        let exit = egress.exit(&policies::ServerName::parse("tool").unwrap());
        let (udp, tcp) = (UdpSocket::bind((LOCAL, 0)).await.unwrap(), TcpListener::bind((LOCAL, 0)).await.unwrap());
        let (edge, proxy) =
            (TcpListener::bind((LOCAL, 0)).await.unwrap(), TcpListener::bind((LOCAL, 0)).await.unwrap());
        // One address for both transports would need luck with ports: the tests ask each where it is.
        let dns = udp.local_addr().unwrap();
        let (edge_at, proxy_at) = (edge.local_addr().unwrap(), proxy.local_addr().unwrap());
        let destination = DestinationOf::LocalAddress;
        exit.serve(Doors { dns: Some((udp, tcp)), tcp: vec![edge], destination, proxy: Some(proxy) });
        Self { exit, proxy: proxy_at, edge: edge_at, dns, names, asked, authority, tasks, _authorities: file }
    }

    pub(super) fn name(&self, name: &str, answer: Answer) {
        self.names.lock().unwrap().entry(name.to_owned()).or_default().push(answer);
    }

    /// A name that leads to this machine.
    pub(super) fn local(&self, name: &str) {
        self.name(name, Answer::Addresses(vec![LOCAL]));
    }

    pub(super) fn open(&self, egress: &str) -> Opening {
        self.exit.open(&resources(egress), Placer::default()).unwrap()
    }

    /// Through the proxy's door: the answer's status, and the connection.
    pub(super) async fn connect(&self, target: &str) -> (u16, TcpStream) {
        let mut stream = TcpStream::connect(self.proxy).await.unwrap();
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.ok();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return (0, stream),
            }
        }
        (std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap(), stream)
    }

    /// A server that answers every head with `200`, in plain.
    pub(super) async fn http(&self) -> Server {
        let (listener, server) = listen().await;
        let (saw, tasks) = (Arc::clone(&server.saw), self.tasks.clone());
        self.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks.spawn(answer_http(stream, Arc::clone(&saw)));
            }
        });
        server
    }

    /// The same over TLS, with a certificate for a name.
    pub(super) async fn https(&self, name: &str) -> (Server, policies::Hash) {
        let (config, key) = self.server_config(name);
        (self.tls(config).await, key)
    }

    pub(super) fn server_config(&self, name: &str) -> (ServerConfig, policies::Hash) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.authority).unwrap();
        let parsed = webpki::EndEntityCert::try_from(certificate.der()).unwrap();
        let pin = policies::Hash::of(parsed.subject_public_key_info().as_ref());
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        (config.with_single_cert(vec![certificate.der().clone()], der).unwrap(), pin)
    }

    pub(super) async fn tls(&self, config: ServerConfig) -> Server {
        let (listener, server) = listen().await;
        let (saw, tasks) = (Arc::clone(&server.saw), self.tasks.clone());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        self.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, saw) = (acceptor.clone(), Arc::clone(&saw));
                tasks.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer_http(stream, saw).await;
                    }
                });
            }
        });
        server
    }

    /// A server that sends back what it is sent.
    pub(super) async fn echo(&self) -> Server {
        let (listener, server) = listen().await;
        let (saw, tasks) = (Arc::clone(&server.saw), self.tasks.clone());
        self.tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let saw = Arc::clone(&saw);
                tasks.spawn(async move {
                    let mut chunk = [0; 1024];
                    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                        saw.lock().unwrap().extend_from_slice(&chunk[..read]);
                        if stream.write_all(&chunk[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    /// The tool's TLS: it trusts the exit's authority, or the world's.
    pub(super) fn client(&self, inside: bool, alpn: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        if inside {
            roots.add(CertificateDer::from_pem_slice(self.exit.authority_pem().as_bytes()).unwrap()).unwrap();
        } else {
            roots.add(self.authority.der().clone()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    /// TLS to a target through the proxy's door.
    pub(super) async fn tls_to(
        &self,
        target: &str,
        name: &str,
        config: ClientConfig,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let (status, stream) = self.connect(target).await;
        assert_eq!(status, 200);
        let name = rustls_pki_types::ServerName::try_from(name.to_owned()).unwrap();
        soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// One question to the sandbox's resolver.
    pub(super) async fn ask(&self, name: &str, kind: RecordType) -> (ResponseCode, Vec<Ipv4Addr>) {
        let socket = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        socket.send_to(&question.to_vec().unwrap(), self.dns).await.unwrap();
        let mut answer = [0; 2048];
        let length = soon(socket.recv(&mut answer)).await.unwrap();
        let answer = Message::from_vec(&answer[..length]).unwrap();
        let addresses = answer.answers.iter().filter_map(|record| match record.data.ip_addr()? {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        (answer.metadata.response_code, addresses.collect())
    }
}

pub(super) fn resources(egress: &str) -> Arc<Resources> {
    Arc::new(Resources {
        sandbox: Isolation::Jail,
        digest: None,
        folders: Vec::new(),
        egress: serde_json::from_str(egress).unwrap(),
        secrets: Vec::new(),
        limits: Ceilings::default(),
    })
}

/// Bounds every wait of a test.
pub(super) async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it takes too long")
}

/// Sends bytes and reads until the other side ends, or says no more.
pub(super) async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let quiet = Duration::from_millis(700);
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(quiet, stream.read(&mut chunk)).await {
        answer.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Why attempts were refused, in order.
pub(super) fn refused(observed: &Observed) -> Vec<String> {
    observed.attempts().iter().filter_map(|attempt| attempt.denied.clone()).collect()
}

pub(super) fn find(observed: &Observed, with: impl Fn(&Attempt) -> bool) -> &Attempt {
    observed.attempts().iter().find(|attempt| with(attempt)).unwrap_or_else(|| panic!("{observed:#?}"))
}

async fn listen() -> (TcpListener, Server) {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, Server { port, saw: Arc::default() })
}

async fn answer_http(mut stream: impl AsyncRead + AsyncWrite + Unpin, saw: Arc<Mutex<Vec<u8>>>) {
    let (mut pending, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        saw.lock().unwrap().extend_from_slice(&chunk[..read]);
        pending.extend_from_slice(&chunk[..read]);
        while let Some(end) = memchr::memmem::find(&pending, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&pending[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = end + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap());
            if pending.len() < whole {
                break;
            }
            pending.drain(..whole);
            let answer = if head.contains(" /moved") {
                "HTTP/1.1 302 Found\r\nlocation: http://other.test/\r\ncontent-length: 0\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: x\r\n\r\nok"
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn world_dns(socket: UdpSocket, names: Arc<Mutex<HashMap<String, Vec<Answer>>>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut datagram = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
        let question = Message::from_vec(&datagram[..length]).unwrap();
        let name = question.queries[0].name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        asked.lock().unwrap().push(name.clone());
        let answer = world_answer(&question, &name, &mut names.lock().unwrap());
        socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
    }
}

fn world_answer(question: &Message, name: &str, names: &mut HashMap<String, Vec<Answer>>) -> Message {
    let query = question.queries[0].clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(query.clone());
    let record = |name: &Name, data| Record::from_rdata(name.clone(), 0, data);
    match names.get_mut(name) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(_) if query.query_type() != RecordType::A => {}
        Some(answers) => {
            answers.rotate_left(1);
            match answers.last().unwrap() {
                Answer::Addresses(addresses) => addresses.iter().for_each(|address| {
                    answer.add_answer(record(query.name(), RData::A(A(*address))));
                }),
                Answer::Alias(alias, address) => {
                    let alias = Name::from_ascii(alias).unwrap();
                    answer.add_answer(record(query.name(), RData::CNAME(CNAME(alias.clone()))));
                    answer.add_answer(record(&alias, RData::A(A(*address))));
                }
            }
        }
    }
    answer
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}
