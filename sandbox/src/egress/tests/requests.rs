use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};

use super::lab::{Lab, Server, exchange, find, refused, soon};
use crate::egress::Refused;

async fn plain(paths: &str) -> (Lab, Server, crate::egress::Opening) {
    let lab = Lab::new().await;
    lab.local("a.test");
    let server = lab.http().await;
    let opening = lab.open(&grant("http", server.port, paths));
    (lab, server, opening)
}

pub(super) fn grant(protocol: &str, port: u16, more: &str) -> String {
    format!(r#"[{{"host":"a.test","protocol":"{protocol}","ports":[{port}],"addresses":["127.0.0.0/8"]{more}}}]"#)
}

#[tokio::test]
async fn a_request_is_written_anew() {
    let (lab, server, opening) = plain("").await;
    let (_, stream) = lab.connect(&format!("a.test:{}", server.port)).await;
    let host = format!("A.test:{}", server.port);
    let request = format!(
        "POST /x?q=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nX-End: 2\r\n\
         Transfer-Encoding: chunked\r\n\r\n3;ext=\"smuggled\"\r\nabc\r\n0\r\nX-Trailer: smuggled\r\n\r\n"
    );
    let answer = exchange(stream, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
    let saw = server.saw();
    assert!(saw.starts_with("POST /x?q=1 HTTP/1.1\r\n"), "{saw}");
    assert!(saw.contains(&format!("host: a.test:{}\r\n", server.port)) && saw.contains("x-end: 2"), "{saw}");
    assert!(!saw.to_lowercase().contains("hop") && !saw.contains("smuggled") && !saw.contains("trailers"), "{saw}");
    let observed = opening.close();
    let request = find(&observed, |attempt| attempt.request.is_some());
    assert_eq!((request.request.as_deref(), request.denied.as_deref()), (Some("POST /x"), None));
}

#[tokio::test]
async fn each_request_of_a_connection_is_checked() {
    let (lab, server, opening) = plain(r#","methods":["GET"],"paths":["/v1/*"]"#).await;
    let (_, stream) = lab.connect(&format!("a.test:{}", server.port)).await;
    let host = format!("a.test:{}", server.port);
    let request =
        |method: &str, path: &str, more: &str| format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    let wire = [
        request("GET", "/v1/a", ""),
        request("GET", "/v2/forbidden", ""),
        request("DELETE", "/v1/forbidden", ""),
        request("GET", "/v1/../forbidden", ""),
        request("GET", "/v1/%2e%2e/forbidden", ""),
        request("GET", "/v1/forbidden", "X-HTTP-Method-Override: DELETE\r\n"),
        request("GET", "/v1/forbidden", "Upgrade: websocket\r\nConnection: upgrade\r\n"),
        request("GET", "http://other.test/v1/forbidden", ""),
        request("GET", "/v1/b", ""),
    ]
    .concat();
    let answer = exchange(stream, wire.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 403").count(), 7, "{answer}");
    let saw = server.saw();
    assert!(!saw.contains("forbidden") && saw.contains("GET /v1/b "), "{saw}");
    assert_eq!(refused(&opening.close()).len(), 7);
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_does_not_pass() {
    let (lab, server, opening) = plain(r#","paths":["/v1/*"]"#).await;
    let host = format!("a.test:{}", server.port);
    let evil = format!("GET /forbidden HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let chunked = "Transfer-Encoding: chunked";
    let attacks = [
        format!(
            "POST /v1/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n{chunked}\r\n\r\n0\r\n\r\n{evil}",
            evil.len() + 5
        ),
        format!("POST /v1/ HTTP/1.1\r\nHost: {host}\r\n{chunked}\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{evil}"),
        format!("POST /v1/ HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{evil}"),
        format!(
            "POST /v1/ HTTP/1.1\r\nHost: {host}\r\n{chunked}\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{evil}"
        ),
        format!("POST /v1/ HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{evil}"),
        format!(
            "POST /v1/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nContent-Length: {}\r\n\r\n{evil}",
            evil.len()
        ),
        format!("POST /v1/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: +0\r\n\r\n{evil}"),
        format!("GET /v1/ HTTP/1.1\r\nHost: {host}\r\nX: a\r\n GET /forbidden HTTP/1.1\r\n\r\n"),
        format!("GET /v1/ HTTP/1.1\nHost: {host}\n\n{evil}"),
        format!("GET /v1/ HTTP/1.1\r\nHost: {host}\r\nX: a\rGET /forbidden HTTP/1.1\r\n\r\n"),
        format!("GET /v1/ HTTP/1.1\r\nHost: {host}\r\nHost: other.test\r\n\r\n"),
        "GET /v1/ HTTP/1.1\r\nHost: other.test\r\n\r\n".to_owned(),
        "GET /v1/ HTTP/1.1\r\n\r\n".to_owned(),
        "GET /v1/ HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
        format!("GET /v1/ HTTP/1.1\r\nHost: user@{host}\r\n\r\n"),
        format!("CONNECT other.test:80 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("TRACE /v1/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET https://{host}/v1/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET /v1/ HTTP/1.1 \r\nHost: {host}\r\nX: /forbidden\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET /v1/forbidden\r\n".to_owned(),
    ];
    let answers = attacks.iter().map(|attack| async {
        let (_, stream) = lab.connect(&format!("a.test:{}", server.port)).await;
        exchange(stream, attack.as_bytes()).await
    });
    let answers = futures_util::future::join_all(answers).await;
    let saw = server.saw();
    assert!(!saw.contains("forbidden") && !saw.contains("other.test"), "{saw}\n{answers:#?}");
    assert!(!saw.to_lowercase().contains("content-length: 4") && saw.matches("POST").count() <= 3, "{saw}");
    let heads = saw.matches(" HTTP/1.1\r\n").count();
    assert_eq!(heads, saw.matches(" /v1/ HTTP/1.1\r\n").count(), "every request that came was checked: {saw}");
    assert!(observed_all(&opening.close()), "refusals are noted");
}

fn observed_all(observed: &audit::Observed) -> bool {
    observed.undeclared() && refused(observed).len() >= 8
}

#[tokio::test]
async fn a_large_body_streams() {
    let (lab, server, opening) = plain("").await;
    let (_, stream) = lab.connect(&format!("a.test:{}", server.port)).await;
    let head = format!("POST / HTTP/1.1\r\nHost: a.test:{}\r\nContent-Length: {}\r\n\r\n", server.port, 4 << 20);
    let answer = exchange(stream, &[head.as_bytes(), &vec![b'x'; 4 << 20]].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    soon(async {
        while server.saw.lock().unwrap().len() < 4 << 20 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(find(&opening.close(), |attempt| attempt.sent > 4 << 20).denied.is_none());
}

async fn send(lab: &Lab, uri: &str) -> Result<(u16, String), Refused> {
    let request = Request::get(uri).header("host", "other.test").body(Empty::<Bytes>::new()).unwrap();
    let tls = uri.starts_with("https");
    let response = soon(lab.exit.send(request, tls)).await?;
    let status = response.status().as_u16();
    Ok((status, String::from_utf8_lossy(&response.into_body().collect().await.unwrap().to_bytes()).into_owned()))
}

#[tokio::test]
async fn a_guests_request_meets_the_same_checks() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let (server, _) = lab.https("a.test").await;
    let port = server.port;
    assert!(matches!(send(&lab, &format!("https://a.test:{port}/v1/x")).await, Err(Refused::Denied(_))));
    let opening = lab.open(&grant("https", port, r#","methods":["GET"],"paths":["/v1/*","/moved"]"#));
    assert_eq!(send(&lab, &format!("https://A.TEST.:{port}/v1/x?q")).await.unwrap(), (200, "ok".to_owned()));
    assert!(server.saw().contains(&format!("host: a.test:{port}\r\n")), "{}", server.saw());
    assert_eq!(send(&lab, &format!("https://a.test:{port}/moved")).await.unwrap().0, 302, "a redirect is an answer");
    for uri in [
        "https://a.test/v1/x".to_owned(),
        format!("http://a.test:{port}/v1/x"),
        format!("https://b.test:{port}/v1/x"),
        format!("https://127.0.0.1:{port}/v1/x"),
        format!("https://0x7f.1:{port}/v1/x"),
        format!("https://a.test:{port}/v2/x"),
        format!("https://a.test:{port}/v1/%2e%2e/x"),
        "http://169.254.169.254/latest/".to_owned(),
        "http://2852039166/latest/".to_owned(),
        "http://[::ffff:169.254.169.254]/latest/".to_owned(),
        "http://[fd00:ec2::254]/latest/".to_owned(),
    ] {
        assert!(matches!(send(&lab, &uri).await, Err(Refused::Denied(_))), "{uri}");
    }
    let observed = opening.close();
    assert_eq!(observed.attempts().iter().filter(|attempt| attempt.denied.is_none()).count(), 2, "{observed:#?}");
    assert!(find(&observed, |attempt| attempt.at_rest).denied.is_some());
    assert!(find(&observed, |attempt| attempt.denied.is_none()).received > 0);
    assert!(matches!(send(&lab, &format!("https://a.test:{port}/v1/x")).await, Err(Refused::Denied(_))));
}
