//! `wasi:sockets`: linked, because every compiled language imports it, and refused, because there is no edge in front of it. What
//! was to be reached is recorded.

use std::net::{IpAddr, SocketAddr};

use audit::Attempt;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets as p2;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpSocketAddress, Network};
use wasmtime_wasi::p2::{TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

use super::State;
use crate::egress::attempt;

type Refused<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

const WHY: &str = "a component has no sockets; HTTP goes through `wasi:http`";

/// Links it. What would touch an address is replaced by a refusal; behind that, the context refuses every address too.
pub(super) fn refuse(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = p2::network::LinkOptions::default();
    p2::instance_network::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    p2::network::add_to_linker::<State, WasiSockets>(linker, &options, State::sockets)?;
    p2::tcp_create_socket::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    p2::udp_create_socket::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    p2::tcp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    p2::udp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    p2::ip_name_lookup::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    linker.allow_shadowing(true);
    linker.instance("wasi:sockets/tcp@0.2.12")?.func_wrap("[method]tcp-socket.start-connect", connect)?;
    linker.instance("wasi:sockets/tcp@0.2.12")?.func_wrap("[method]tcp-socket.start-bind", bind_tcp)?;
    linker.instance("wasi:sockets/udp@0.2.12")?.func_wrap("[method]udp-socket.start-bind", bind_udp)?;
    linker.instance("wasi:sockets/udp@0.2.12")?.func_wrap("[method]udp-socket.stream", stream)?;
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap("resolve-addresses", resolve)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn connect(
    store: StoreContextMut<'_, State>,
    (_, _, to): (Resource<TcpSocket>, Resource<Network>, IpSocketAddress),
) -> Refused<()> {
    store.data().note(to_address("tcp", to.into()));
    Ok((Err(ErrorCode::AccessDenied),))
}

fn bind_tcp(
    store: StoreContextMut<'_, State>,
    (_, _, at): (Resource<TcpSocket>, Resource<Network>, IpSocketAddress),
) -> Refused<()> {
    store.data().note(to_address("tcp", at.into()));
    Ok((Err(ErrorCode::AccessDenied),))
}

fn bind_udp(
    store: StoreContextMut<'_, State>,
    (_, _, at): (Resource<UdpSocket>, Resource<Network>, IpSocketAddress),
) -> Refused<()> {
    let at: SocketAddr = at.into();
    // An unbound socket is bound to any port before it sends: what matters comes after it, and is refused there too.
    if at.port() != 0 {
        store.data().note(to_address("udp", at));
    }
    Ok((Err(ErrorCode::AccessDenied),))
}

type Streams = (Resource<p2::udp::IncomingDatagramStream>, Resource<p2::udp::OutgoingDatagramStream>);

fn stream(
    store: StoreContextMut<'_, State>,
    (_, to): (Resource<UdpSocket>, Option<IpSocketAddress>),
) -> Refused<Streams> {
    if let Some(to) = to {
        store.data().note(to_address("udp", to.into()));
    }
    Ok((Err(ErrorCode::AccessDenied),))
}

fn resolve(
    store: StoreContextMut<'_, State>,
    (_, name): (Resource<Network>, String),
) -> Refused<Resource<p2::ip_name_lookup::ResolveAddressStream>> {
    let name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default();
    store.data().note(Attempt { host: Some(name.to_owned()), ..refused("dns") });
    Ok((Err(ErrorCode::AccessDenied),))
}

/// DNS has no longer names.
const LONGEST_NAME: usize = 255;

fn to_address(protocol: &str, to: SocketAddr) -> Attempt {
    let address: IpAddr = to.ip();
    Attempt { address: Some(address), port: Some(to.port()), ..refused(protocol) }
}

fn refused(protocol: &str) -> Attempt {
    Attempt { denied: Some(WHY.to_owned()), ..attempt(protocol) }
}
