//! One request over `wasi:http`, and what came back, cut where it grows too long.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

use crate::{Fetch, Fetched, ToolError};

/// More than this fills a model's context.
const MAX_BODY: usize = 1 << 20;

/// What one write to an output stream may hold, by WASI.
const CHUNK: usize = 4096;

/// Sends a request and waits for the whole answer.
pub(crate) fn run(asked: &Fetch) -> Result<Fetched, ToolError> {
    let request = request(asked)?;
    let body = request.body().map_err(|()| failed("the request has no body"))?;
    let pending = handle(request, None).map_err(|error| refused(&error))?;
    send(body, asked.body.as_bytes())?;
    pending.subscribe().block();
    let response = pending.get().and_then(Result::ok).ok_or_else(|| failed("the response went missing"))?;
    receive(&response.map_err(|error| refused(&error))?)
}

fn request(asked: &Fetch) -> Result<OutgoingRequest, ToolError> {
    let (scheme, rest) = match asked.url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
        _ => return Err(invalid(format!("`{}` is not an `https://` or `http://` address", asked.url))),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let headers = Fields::new();
    for (name, value) in &asked.headers {
        headers
            .append(name, value.as_bytes())
            .map_err(|_| invalid(format!("the header `{name}` may not be set, or is no header")))?;
    }
    let request = OutgoingRequest::new(headers);
    let set = request
        .set_method(&method(asked.method.as_deref()))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(&path)));
    set.map_err(|()| invalid(format!("`{}` is not an address", asked.url)))?;
    Ok(request)
}

fn method(name: Option<&str>) -> Method {
    match name.unwrap_or("GET") {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

fn send(body: OutgoingBody, bytes: &[u8]) -> Result<(), ToolError> {
    let stream = body.write().map_err(|()| failed("the request's body cannot be written"))?;
    for chunk in bytes.chunks(CHUNK) {
        stream.blocking_write_and_flush(chunk).map_err(|_| failed("the connection ended while the body was sent"))?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|error| refused(&error))
}

fn receive(response: &IncomingResponse) -> Result<Fetched, ToolError> {
    let lossy = |(name, value): (String, Vec<u8>)| (name, String::from_utf8_lossy(&value).into_owned());
    let headers = response.headers().entries().into_iter().map(lossy).collect();
    let incoming = response.consume().map_err(|()| failed("the response has no body"))?;
    let (body, cut) = read(&incoming)?;
    Ok(Fetched { status: response.status(), headers, body, cut })
}

fn read(incoming: &IncomingBody) -> Result<(Vec<u8>, bool), ToolError> {
    let stream = incoming.stream().map_err(|()| failed("the response's body cannot be read"))?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Ok((body, false)),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(failed("the connection ended while the response was read"));
            }
        }
        if body.len() > MAX_BODY {
            body.truncate(MAX_BODY);
            return Ok((body, true));
        }
    }
}

fn refused(error: &ErrorCode) -> ToolError {
    ToolError::Failed(match error {
        ErrorCode::HttpRequestDenied => "this destination is not among those that the operator allowed".to_owned(),
        ErrorCode::InternalError(Some(why)) => why.clone(),
        ErrorCode::HttpRequestUriInvalid => "the address is not one".to_owned(),
        other => format!("the request failed: {other:?}"),
    })
}

fn invalid(text: String) -> ToolError {
    ToolError::InvalidArguments(text)
}

fn failed(text: &str) -> ToolError {
    ToolError::Failed(text.to_owned())
}
