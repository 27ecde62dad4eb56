//! The console's files, part of the binary.

use std::sync::LazyLock;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request, StatusCode};
use jsonrpsee::server::{HttpBody, HttpResponse};
use policies::Hash;

use super::answer::Failure;

/// One file: its path, what it is, and its bytes.
struct File {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! file {
    ($path:literal, $kind:ident) => {
        File { path: concat!("/", $path), kind: $kind, bytes: include_bytes!(concat!("../../console/", $path)) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const MODULE: &str = "text/javascript; charset=utf-8";

const SVG: &str = "image/svg+xml";

const FILES: &[File] = &[
    file!("index.html", HTML),
    file!("base.css", CSS),
    file!("pages.css", CSS),
    file!("icon.svg", SVG),
    file!("icon-waiting.svg", SVG),
    file!("agents.js", MODULE),
    file!("api.js", MODULE),
    file!("app.js", MODULE),
    file!("card.js", MODULE),
    file!("delegations.js", MODULE),
    file!("diff.js", MODULE),
    file!("dom.js", MODULE),
    file!("holds.js", MODULE),
    file!("json.js", MODULE),
    file!("life.js", MODULE),
    file!("notices.js", MODULE),
    file!("now.js", MODULE),
    file!("parts.js", MODULE),
    file!("passes.js", MODULE),
    file!("passkeys.js", MODULE),
    file!("plot.js", MODULE),
    file!("policies.js", MODULE),
    file!("proof.js", MODULE),
    file!("reviews.js", MODULE),
    file!("sign-in.js", MODULE),
    file!("text.js", MODULE),
    file!("tools.js", MODULE),
    file!("trail.js", MODULE),
    file!("tree.js", MODULE),
    file!("waiting.js", MODULE),
    file!("webauthn.js", MODULE),
];

/// The entity tags, by the same order.
static TAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let tag = |file: &File| HeaderValue::from_str(&format!("\"{}\"", Hash::of(file.bytes)));
    FILES.iter().map(|file| tag(file).unwrap_or(HeaderValue::from_static("\"\""))).collect()
});

/// The file at this path. The page is one, whatever part of it the address asks for: `/`, and `/sign-in`, whose code
/// stands behind `#` and is never sent by itself.
pub(super) fn answer<B>(path: &str, request: &Request<B>) -> Result<HttpResponse, Failure> {
    let path = if ["/", "/sign-in"].contains(&path) { "/index.html" } else { path };
    let (file, tag) = FILES.iter().zip(TAGS.iter()).find(|(file, _)| file.path == path).ok_or(Failure::NotFound)?;
    let known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known == tag);
    let bytes: &'static [u8] = if known || request.method() == http::Method::HEAD { &[] } else { file.bytes };
    let mut answer = HttpResponse::new(HttpBody::from(bytes.to_vec()));
    if known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(ETAG, tag.clone());
    // Asked again each time: a gateway of another version has other files.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}
