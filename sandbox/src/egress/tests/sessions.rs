use std::sync::Arc;

use rustls::crypto::ring::kx_group::{SECP384R1, X25519};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::lab::{Lab, exchange, find, refused, soon};
use super::requests::grant;

const GET: &[u8] = b"GET /v1/x HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn get(port: u16, host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn tls_is_carried_unread_where_nothing_inside_matters() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, _) = lab.https("a.test").await;
    let opening = lab.open(&grant("https", server.port, ""));
    let stream = lab.tls_to(&format!("a.test:{}", server.port), "a.test", lab.client(false, &[])).await.unwrap();
    assert!(exchange(stream, GET).await.starts_with("HTTP/1.1 200"));
    let observed = opening.close();
    assert_eq!(find(&observed, |attempt| attempt.protocol == "tls").denied, None);
}

#[tokio::test]
async fn another_name_inside_tls_is_refused() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, _) = lab.https("b.test").await;
    let opening = lab.open(&grant("https", server.port, ""));
    let target = format!("a.test:{}", server.port);
    assert!(lab.tls_to(&target, "b.test", lab.client(false, &[])).await.is_err());
    assert!(lab.tls_to(&target, "127.0.0.1", lab.client(false, &[])).await.is_err(), "no name at all");
    let observed = opening.close();
    assert!(refused(&observed).contains(&"`b.test` is not the host that was dialled".to_owned()), "{observed:#?}");
    assert_eq!((refused(&observed).len(), server.saw().as_str()), (2, ""));
}

#[tokio::test]
async fn what_is_no_tls_is_refused_where_tls_was_declared() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, _) = lab.https("a.test").await;
    let opening = lab.open(&grant("https", server.port, ""));
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x80\x2e\x01\x03\x01", b"SSH-2.0-x\r\n"] {
        let (_, stream) = lab.connect(&format!("a.test:{}", server.port)).await;
        assert_eq!(exchange(stream, bytes).await, "");
    }
    assert_eq!(refused(&opening.close()), ["it does not speak what was declared: no TLS"]);
}

/// A server that accepts a group for which the client has sent no share yet asks it to begin again.
fn asking_again(lab: &Lab) -> ServerConfig {
    let (config, _) = lab.server_config("a.test");
    let mut provider = rustls::crypto::ring::default_provider();
    provider.kx_groups = vec![SECP384R1];
    let again = ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    again.with_no_client_auth().with_cert_resolver(Arc::clone(&config.cert_resolver))
}

#[tokio::test]
async fn a_second_beginning_must_name_the_same_host() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let server = lab.tls(asking_again(&lab)).await;
    let opening = lab.open(&grant("https", server.port, ""));
    let target = format!("a.test:{}", server.port);
    let stream = lab.tls_to(&target, "a.test", lab.client(false, &[])).await.unwrap();
    assert!(exchange(stream, GET).await.starts_with("HTTP/1.1 200"));
    let (_, mut stream) = lab.connect(&target).await;
    stream.write_all(&beginning("a.test")).await.unwrap();
    let mut record = [0; 11];
    soon(stream.read_exact(&mut record)).await.unwrap();
    stream.write_all(&beginning("b.test")).await.unwrap();
    exchange(stream, b"").await;
    assert_eq!(refused(&opening.close()), ["`b.test` is not the host that was dialled"]);
}

fn beginning(name: &'static str) -> Vec<u8> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.kx_groups = vec![X25519, SECP384R1];
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn requests_inside_tls_are_read_where_they_matter() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, _) = lab.https("a.test").await;
    let port = server.port;
    let opening = lab.open(&grant("https", port, r#","methods":["GET"],"paths":["/v1/*"]"#));
    let target = format!("a.test:{port}");
    let stream = lab.tls_to(&target, "a.test", lab.client(true, &["h2", "http/1.1"])).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let wire = [
        get(port, "a.test", "/v1/x"),
        get(port, "other.test", "/v1/forbidden"),
        get(port, "a.test", "/v2/forbidden"),
        format!("DELETE /v1/forbidden HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n").into_bytes(),
    ]
    .concat();
    let answer = exchange(stream, &wire).await;
    assert_eq!((answer.matches(" 200 OK").count(), answer.matches(" 403 ").count()), (1, 3), "{answer}");
    assert!(server.saw().contains("/v1/x") && !server.saw().contains("forbidden"), "{}", server.saw());
    assert!(lab.tls_to(&target, "a.test", lab.client(true, &["h2"])).await.is_err(), "HTTP/2 is not passed unchecked");
    let observed = opening.close();
    assert_eq!(find(&observed, |attempt| attempt.request.as_deref() == Some("GET /v1/x")).denied, None);
    assert_eq!(refused(&observed).len(), 4, "{observed:#?}");
}

#[tokio::test]
async fn a_host_that_cannot_prove_its_name_gets_no_request() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, _) = lab.https("b.test").await;
    let opening = lab.open(&grant("https", server.port, r#","paths":["/*"]"#));
    let target = format!("a.test:{}", server.port);
    let stream = lab.tls_to(&target, "a.test", lab.client(true, &[])).await.unwrap();
    let answer = exchange(stream, &get(server.port, "a.test", "/")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(server.saw(), "");
    drop(opening);
}

#[tokio::test]
async fn a_pinned_host_must_have_the_pinned_key() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, key) = lab.https("a.test").await;
    let target = format!("a.test:{}", server.port);
    let other = policies::Hash::of(b"other");
    for (protocol, pin, passes) in
        [("https", key, true), ("https", other, false), ("tls", key, true), ("tls", other, false)]
    {
        let pins = format!(r#","pins":{}"#, serde_json::to_string(&[pin]).unwrap());
        let opening = lab.open(&grant(protocol, server.port, &pins));
        let answer = match lab.tls_to(&target, "a.test", lab.client(true, &[])).await {
            Ok(stream) => exchange(stream, &get(server.port, "a.test", "/")).await,
            Err(_) => String::new(),
        };
        assert_eq!(answer.starts_with("HTTP/1.1 200"), passes, "{protocol}: {answer}");
        let noted = refused(&opening.close());
        assert_eq!(noted.is_empty(), passes, "{protocol}: {noted:?}");
    }
}

#[tokio::test]
async fn an_exits_authority_is_its_own() {
    let (one, other) = (Lab::new().await, Lab::new().await);
    assert_ne!(one.exit.authority_pem(), other.exit.authority_pem());
    assert!(one.exit.authority_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(one.exit.authority_pem(), one.exit.authority_pem());
}
