//! Attempts on the network.

use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::udp_create_socket::create_udp_socket;

pub(crate) fn connect(to: &str) -> String {
    TcpStream::connect(to).map_or_else(|error| format!("refused: {error}"), |_| "connected".to_owned())
}

pub(crate) fn listen(at: &str) -> String {
    TcpListener::bind(at).map_or_else(|error| format!("refused: {error}"), |_| "listening".to_owned())
}

/// Sends without binding first, which `std` cannot.
pub(crate) fn datagram(to: &str) -> String {
    let std = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", to));
    let Some(to) = to.to_socket_addrs().ok().and_then(|mut all| all.next()) else { return "no address".to_owned() };
    let std::net::SocketAddr::V4(to) = to else { return "refused: not IPv4".to_owned() };
    let [a, b, c, d] = to.ip().octets();
    let to = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: to.port(), address: (a, b, c, d) });
    let raw = create_udp_socket(IpAddressFamily::Ipv4).and_then(|socket| socket.stream(Some(to)).map(drop));
    if std.is_err() && raw.is_err() { format!("refused: {std:?} {raw:?}") } else { "sent".to_owned() }
}

pub(crate) fn resolve(name: &str) -> String {
    match resolve_addresses(&instance_network(), name) {
        Ok(_) => "resolved".to_owned(),
        Err(error) => format!("refused: {error:?}"),
    }
}

/// Asks for much, and goes away without reading it.
pub(crate) fn abandon(host: &str, path: &str) -> String {
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(host)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    let Ok(()) = set else { return "refused: no request".to_owned() };
    let Ok(body) = request.body() else { return "refused: no body".to_owned() };
    let pending = match handle(request, None) {
        Ok(pending) => pending,
        Err(error) => return format!("refused: {error:?}"),
    };
    drop(OutgoingBody::finish(body, None));
    pending.subscribe().block();
    std::mem::forget(pending.get());
    "left".to_owned()
}
