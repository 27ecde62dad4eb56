//! `Cluster`: the one request of Kubernetes' API that OpenBao makes: a review of a service account's token.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ring::hmac;
use serde_json::{Value, json};

/// Answers until the test's process ends.
pub(super) struct Cluster {
    port: u16,
    reviewed: Arc<AtomicUsize>,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let reviewed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reviewed);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                review(&stream);
            }
        });
        Self { port, reviewed }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn reviewed(&self) -> usize {
        self.reviewed.load(Ordering::Relaxed)
    }

    pub(super) fn reviewer(&self) -> String {
        self.jwt("reviewer")
    }

    /// The token of a service account of this name. Its signature is for the cluster to check, and this cluster knows its tokens;
    /// OpenBao wants the algorithm to be one of those that clusters use.
    #[expect(clippy::unused_self, reason = "it is this cluster's")]
    pub(super) fn jwt(&self, account: &str) -> String {
        let part = |value: Value| url_safe(value.to_string().as_bytes());
        let claims = json!({
            "iss": "kubernetes/serviceaccount", "sub": format!("system:serviceaccount:gateways:{account}"),
            "kubernetes.io/serviceaccount/namespace": "gateways",
            "kubernetes.io/serviceaccount/service-account.name": account,
            "kubernetes.io/serviceaccount/service-account.uid": UID,
        });
        let text = format!("{}.{}", part(json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"of the cluster"), text.as_bytes());
        format!("{text}.{}", url_safe(signature.as_ref()))
    }
}

const UID: &str = "d77f89bc-9055-11e7-a068-0800276d99bf";

fn review(mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = asked["spec"]["token"].as_str().unwrap_or_default();
    let account = ["portcullis", "another"]
        .into_iter()
        .find(|name| token == Cluster { port: 0, reviewed: Arc::default() }.jwt(name));
    let status = match account {
        None => json!({ "authenticated": false }),
        Some(account) => json!({ "authenticated": true, "user": {
            "username": format!("system:serviceaccount:gateways:{account}"), "uid": UID,
            "groups": ["system:serviceaccounts", "system:serviceaccounts:gateways", "system:authenticated"] } }),
    };
    let answer =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status }).to_string();
    let head = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(format!("{head}{answer}").as_bytes()).ok();
}

/// Base64 as tokens use it.
fn url_safe(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |three: &[u8]| {
        let number =
            three.iter().chain([&0, &0]).take(3).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        (0..=three.len()).map(move |place| char::from(LETTERS[number >> (18 - 6 * place) & 63])).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
