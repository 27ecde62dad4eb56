//! AWS's signature, version 4: the secret never leaves, it signs. After every rewriting, over what is sent.

use std::fmt::Write as _;

use http::Uri;
use http::request::Parts;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::hmac;
use zeroize::Zeroizing;

use super::head;

/// Signs for one region and service with one key.
pub(super) struct Signer<'a> {
    key_id: &'a str,
    secret: &'a str,
    session: Option<&'a str>,
    region: &'a str,
    service: &'a str,
}

/// What carries a signature, or says how it is made: all of it is ours.
const OURS: [&str; 4] = ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
const OURS_IN_QUERY: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// What those on the way may change.
const UNSIGNED: [&str; 7] =
    ["user-agent", "x-amzn-trace-id", "expect", "connection", "transfer-encoding", "accept-encoding", "content-length"];

impl<'a> Signer<'a> {
    /// The secret is `ACCESS-KEY-ID:SECRET-ACCESS-KEY`, and may have `:SESSION-TOKEN` after it.
    pub(super) fn new(secret: &'a [u8], region: &'a str, service: &'a str) -> Option<Self> {
        let text = std::str::from_utf8(secret).ok()?;
        let mut parts = text.splitn(3, ':');
        let (key_id, secret, session) = (parts.next()?, parts.next()?, parts.next());
        let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        let usable = word(key_id) && word(secret) && session.is_none_or(word);
        usable.then_some(Self { key_id, secret, session, region, service })
    }

    /// Sets what a request is signed by; `None` where it cannot be.
    pub(super) fn sign(&self, request: &mut Parts, body: &[u8], time: Timestamp) -> Option<()> {
        for name in OURS {
            head::drop_header(request, name);
        }
        unsign(request)?;
        let time = time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let hashed = hex(digest(&SHA256, body).as_ref());
        head::set(request, "x-amz-date", b"", time.as_bytes())?;
        if self.service == "s3" {
            head::set(request, "x-amz-content-sha256", b"", hashed.as_bytes())?;
        }
        if let Some(session) = self.session {
            head::set(request, "x-amz-security-token", b"", session.as_bytes())?;
        }
        let (headers, signed) = headers(request)?;
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{signed}\n{hashed}",
            request.method,
            self.path(request.uri.path()),
            query(request.uri.query().unwrap_or_default()),
        );
        let day = time.get(..8)?;
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let canonical = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let signature = self.signature(day, &format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}"));
        let key_id = self.key_id;
        let value =
            format!("AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={signed}, Signature={signature}");
        head::set(request, "authorization", b"", value.as_bytes())
    }

    fn signature(&self, day: &str, text: &str) -> String {
        let key = Zeroizing::new(format!("AWS4{}", self.secret));
        let sign = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let mut tag = sign(key.as_bytes(), day);
        for part in [self.region, self.service, "aws4_request", text] {
            tag = sign(tag.as_ref(), part);
        }
        hex(tag.as_ref())
    }

    /// The path is escaped twice, but for S3, whose keys are paths.
    fn path(&self, path: &str) -> String {
        let escape = |segment: &str| {
            // Escapes in one spelling: a server computes its own.
            let once = head::escaped(&unescaped(segment)).to_string();
            if self.service == "s3" { once } else { head::escaped(once.as_bytes()).to_string() }
        };
        let path: Vec<String> = path.split('/').map(escape).collect();
        path.join("/")
    }
}

/// Drops a signature in the query.
fn unsign(request: &mut Parts) -> Option<()> {
    let Some(query) = request.uri.query() else { return Some(()) };
    let kept = OURS_IN_QUERY.iter().fold(query.to_owned(), |query, name| head::without(&query, name));
    let separator = if kept.is_empty() { "" } else { "?" };
    request.uri = Uri::try_from(format!("{}{separator}{kept}", request.uri.path())).ok()?;
    Some(())
}

/// The headers as they are signed, and their names.
fn headers(request: &Parts) -> Option<(String, String)> {
    let mut names: Vec<&str> = request.headers.keys().map(http::HeaderName::as_str).collect();
    names.retain(|name| !UNSIGNED.contains(name));
    names.sort_unstable();
    let mut lines = String::new();
    for name in &names {
        let values: Option<Vec<String>> =
            request.headers.get_all(*name).iter().map(|value| value.to_str().ok().map(plain)).collect();
        writeln!(lines, "{name}:{}", values?.join(",")).ok()?;
    }
    Some((lines, names.join(";")))
}

/// Without spaces around it, and with one for several.
fn plain(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn query(query: &str) -> String {
    let escape = |text: &str| head::escaped(&unescaped(text)).to_string();
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (escape(name), escape(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Percent escapes undone; a `+` is a plus.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)).and_then(|(h, l)| u8::try_from(h * 16 + l).ok()),
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { rest.get(3..).unwrap_or_default() } else { tail };
    }
    bytes
}

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const KEY: &[u8] = b"AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// AWS's published examples: the host, the date, `us-east-1` and `service` are the same in all.
    fn signed(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut request = Request::builder().method(method).uri(uri).header("host", "example.amazonaws.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let time: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        Signer::new(KEY, "us-east-1", "service").unwrap().sign(&mut head, body.as_bytes(), time).unwrap();
        let header = head.headers["authorization"].to_str().unwrap().to_owned();
        header.rsplit('=').next().unwrap().to_owned()
    }

    #[test]
    fn signatures_are_those_that_aws_publishes() {
        for (method, uri, headers, body, expected) in [
            ("GET", "/", &[][..], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "GET",
                "/?Param2=value2&Param1=value1",
                &[],
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            ("POST", "/", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "POST",
                "/",
                &[("content-type", "application/x-www-form-urlencoded")],
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            assert_eq!(signed(method, uri, headers, body), expected, "{method} {uri}");
        }
    }

    #[test]
    fn an_s3_object_is_signed_as_its_documentation_shows() {
        let request = Request::get("/test.txt")
            .header("host", "examplebucket.s3.amazonaws.com")
            .header("range", "bytes=0-9")
            .body(())
            .unwrap();
        let (mut head, ()) = request.into_parts();
        let time: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        let key = b"AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        Signer::new(key, "us-east-1", "s3").unwrap().sign(&mut head, b"", time).unwrap();
        let header = head.headers["authorization"].to_str().unwrap();
        assert!(header.ends_with("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"), "{header}");
    }

    #[test]
    fn what_the_tool_signed_is_dropped() {
        let theirs = [("x_amz_date", "20000101T000000Z"), ("authorization", "AWS4-HMAC-SHA256 theirs")];
        let ours = signed("GET", "/?X-Amz-Signature=theirs&x-amz-security-token=theirs", &theirs, "");
        assert_eq!(ours, signed("GET", "/", &[], ""));
    }
}
