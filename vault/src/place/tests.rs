use std::sync::Arc;

use audit::Redactor;
use http::Request;
use policies::profile::Placement;

use super::*;
use crate::lent::Desk;
use crate::secret::Secret;

const SECRET: &str = "s3cr3t/of a+test";

fn lend(placements: &[(&str, &str)]) -> (Placer, Arc<Shared>) {
    let redactor = Arc::new(Redactor::new(&[1; 32]));
    let lent = placements.iter().map(|(way, value)| {
        let placement: Placement = serde_json::from_str(&format!(r#"{{"secret":"token","way":{way}}}"#)).unwrap();
        assert_eq!(placement.check(), Ok(()));
        let known = Arc::new(redactor.learn(value.as_bytes()));
        Lent::new(placement, Arc::new(Secret::new(value.as_bytes().to_vec())), "1".to_owned(), known)
    });
    let lent: Vec<Lent> = lent.collect();
    let desk = Desk { redactor, clock: || "2015-08-30T12:36:00Z".parse().unwrap() };
    let shared = Shared::new(lent, Some(desk));
    (Placer::new(Arc::clone(&shared)), shared)
}

fn edge(into: &str) -> String {
    format!(r#"{{"edge":{{"to":{{"host":"api.test","methods":["POST"],"paths":["/v1/*"]}},"into":{into}}}}}"#)
}

const TARGET: Target<'static> = Target { host: "api.test", port: 443, tls: true };

fn place(placer: &Placer, request: Request<&str>) -> Result<Request<String>, PlaceError> {
    let (mut head, body) = request.into_parts();
    let body = placer.place(&TARGET, &mut head, Bytes::copy_from_slice(body.as_bytes()))?;
    Ok(Request::from_parts(head, String::from_utf8(body.to_vec()).unwrap()))
}

#[test]
fn a_header_is_set_and_what_the_tool_sent_there_is_gone() {
    let (placer, _) = lend(&[(&edge(r#"{"header":{"name":"x-api-key","prefix":"Key "}}"#), SECRET)]);
    let request = Request::post("/v1/x")
        .header("x-api-key", "theirs")
        .header("X-Api-Key", "again")
        .header("x_api_key", "theirs")
        .body("body");
    let placed = place(&placer, request.unwrap()).unwrap();
    let values: Vec<_> = placed.headers().values().collect();
    assert_eq!((values.len(), values[0].to_str().unwrap()), (1, "Key s3cr3t/of a+test"));
    assert!(values[0].is_sensitive() && placed.body() == "body");
}

#[test]
fn nothing_is_placed_but_where_it_was_declared() {
    let (placer, _) = lend(&[(&edge(r#"{"header":{"name":"authorization"}}"#), SECRET)]);
    let elsewhere = [
        (Target { host: "api.test.evil.test", ..TARGET }, "POST", "/v1/x"),
        (Target { port: 8443, ..TARGET }, "POST", "/v1/x"),
        (Target { tls: false, ..TARGET }, "POST", "/v1/x"),
        (TARGET, "GET", "/v1/x"),
        (TARGET, "POST", "/v2/x"),
        (TARGET, "POST", "/v1/../v2"),
        (TARGET, "POST", "/v1/%2e%2e/v2"),
    ];
    for (target, method, path) in elsewhere {
        let (mut head, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        placer.place(&target, &mut head, Bytes::new()).unwrap();
        assert!(head.headers.is_empty(), "{target:?} {method} {path}");
    }
}

#[test]
fn nothing_is_placed_after_the_end() {
    let (placer, shared) = lend(&[(&edge(r#"{"header":{"name":"authorization"}}"#), SECRET)]);
    assert!(placer.is_for("api.test", 443) && !placer.is_for("other.test", 443));
    let loans = shared.end();
    assert_eq!(loans[0].placed, "nowhere");
    let placed = place(&placer, Request::post("/v1/x").body("").unwrap());
    assert!(matches!(placed, Err(PlaceError::Ended)));
}

#[test]
fn a_value_that_would_end_a_header_is_refused() {
    for value in ["a\r\nx-evil: 1", "secret-with-end\n", "sécret-of-a-test", " leading"] {
        let (placer, _) = lend(&[(&edge(r#"{"header":{"name":"authorization"}}"#), value)]);
        let placed = place(&placer, Request::post("/v1/x").body("").unwrap());
        assert!(matches!(placed, Err(PlaceError::Unusable(_))), "{value:?}");
    }
}

#[test]
fn basic_authentication_and_a_query_field_are_set() {
    let ways = [edge(r#"{"basic":{"user":"me"}}"#), edge(r#"{"query":{"name":"api_key"}}"#)];
    let (placer, shared) = lend(&[(&ways[0], SECRET), (&ways[1], SECRET)]);
    let theirs = "/v1/x?a=1&api_key=theirs&API%5fKEY=theirs&api_key[]=theirs&api.key=x&b=2;api_key=theirs&c=3";
    let request = Request::post(theirs).header("authorization", "Bearer theirs").body("").unwrap();
    let placed = place(&placer, request).unwrap();
    assert_eq!(placed.uri().query(), Some("a=1&c=3&api_key=s3cr3t%2Fof%20a%2Btest"));
    assert_eq!(placed.headers()["authorization"], "Basic bWU6czNjcjN0L29mIGErdGVzdA==");
    assert_eq!(shared.end()[0].placed, "password of me to api.test:443 ×1");
}

#[test]
fn a_field_of_a_body_is_set_where_the_body_means_one_thing() {
    let (placer, _) = lend(&[(&edge(r#"{"field":{"name":"token"}}"#), SECRET)]);
    let send = |kind: &str, body: &'static str| {
        place(&placer, Request::post("/v1/x").header("content-type", kind).body(body).unwrap())
    };
    let json = send("application/json; charset=utf-8", r#"{"n":1.10,"token":"theirs","Token":"x"}"#).unwrap();
    assert_eq!(json.body(), r#"{"n":1.10,"token":"s3cr3t/of a+test"}"#);
    let form = send("application/x-www-form-urlencoded", "a=1&token=theirs&t%6fken=theirs").unwrap();
    assert_eq!(form.body(), "a=1&token=s3cr3t%2Fof%20a%2Btest");
    for (kind, body) in [
        ("application/json", r#"{"token":1,"token":2}"#),
        ("application/json", "[1]"),
        ("text/plain", "token=x"),
        ("multipart/form-data", ""),
    ] {
        assert!(matches!(send(kind, body), Err(PlaceError::Body)), "{kind} {body}");
    }
    assert!(placer.reads_body(&TARGET, "POST", "/v1/x") && !placer.reads_body(&TARGET, "GET", "/v1/x"));
}

#[test]
fn an_hmac_signs_the_body_as_it_is_sent() {
    let ways = [edge(r#"{"field":{"name":"token"}}"#), edge(r#"{"hmac":{"header":"x-signature","prefix":"sha256="}}"#)];
    let (placer, _) = lend(&[(&ways[1], "key"), (&ways[0], SECRET)]);
    let request = Request::post("/v1/x").header("content-type", "application/json").body("{}").unwrap();
    let placed = place(&placer, request).unwrap();
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), placed.body().as_bytes());
    let signature = format!("sha256={}", sigv4::hex(expected.as_ref()));
    assert_eq!(placed.headers()["x-signature"].to_str().unwrap(), signature);
    assert!(!signature.contains("key") && placed.body().contains(SECRET));
}

#[test]
fn what_a_tool_reads_itself_is_written_once_the_vault_says_so() {
    let (placer, shared) = lend(&[
        (r#"{"file":{"at":"/run/secrets/token"}}"#, SECRET),
        (r#"{"environment":{"name":"TOKEN","to":{"host":"api.test"}}}"#, SECRET),
    ]);
    let handed = placer.handed();
    let mut sink = Vec::new();
    placer.hand(&handed[0], &mut sink).unwrap();
    assert_eq!((handed.len(), sink), (2, SECRET.as_bytes().to_vec()));
    let mut text = String::new();
    placer.hand_text(&handed[1], &mut |value| text.push_str(value)).unwrap();
    assert_eq!(text, SECRET);
    assert!(placer.is_weak() && placer.may_send(&TARGET, "GET", "/") && !placer.is_for("api.test", 443));
    shared.end();
    assert!(matches!(placer.hand(&handed[0], &mut Vec::new()), Err(PlaceError::Ended)));
}
