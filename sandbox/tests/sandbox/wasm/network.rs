//! A component has no sockets and no names; what it tries is on record.

use audit::Attempt;

use super::guests::hostile;
use crate::world::World;

fn attempts(world: &World) -> Vec<Attempt> {
    world.observed.lock().unwrap().attempts().to_vec()
}

#[tokio::test]
async fn a_raw_connection_is_refused_and_on_record() {
    // Something listens there, so that a connection would succeed.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let world = hostile("[[egress]]\nhost = 'api.example.com'", "");
    for to in [at.to_string(), "169.254.169.254:80".to_owned(), "198.51.100.7:443".to_owned(), "[::1]:80".to_owned()] {
        let said = world.text("connect", &format!(r#"{{"to":"{to}"}}"#)).await;
        assert!(said.starts_with("refused"), "{to}: {said}");
        let seen = attempts(&world);
        let shown =
            seen[0].address.map(|address| std::net::SocketAddr::new(address, seen[0].port.unwrap()).to_string());
        assert_eq!((seen[0].protocol.as_str(), shown), ("tcp", Some(to)));
        assert!(seen[0].denied.is_some() && world.observed.lock().unwrap().undeclared());
    }
}

#[tokio::test]
async fn nothing_listens_and_nothing_is_sent_by_datagram() {
    let world = hostile("", "");
    let said = world.text("listen", r#"{"at":"0.0.0.0:0"}"#).await;
    assert!(said.starts_with("refused"), "{said}");
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let to = receiver.local_addr().unwrap();
    let said = world.text("datagram", &format!(r#"{{"to":"{to}"}}"#)).await;
    assert!(said.starts_with("refused"), "{said}");
    assert!(attempts(&world).iter().any(|seen| seen.protocol == "udp" && seen.port == Some(to.port())));
    assert!(receiver.recv(&mut [0; 8]).is_err());
}

#[tokio::test]
async fn names_are_not_resolved_and_carry_nothing_out() {
    let world = hostile("[[egress]]\nhost = 'api.example.com'", "");
    for name in ["localhost", "api.example.com", "c2VjcmV0.tunnel.example.net"] {
        let said = world.text("resolve", &format!(r#"{{"name":"{name}"}}"#)).await;
        assert!(said.starts_with("refused"), "{name}: {said}");
        let seen = attempts(&world);
        assert_eq!((seen[0].protocol.as_str(), seen[0].host.as_deref()), ("dns", Some(name)));
    }
}
