//! `wasi:http`: a guest's requests go to the edge, and nowhere else. No code that dials is linked in beside it.

use std::sync::Arc;

use http::{HeaderName, Request, Response};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::egress::{Exit, Refused};

/// Where a guest's requests go.
pub(super) struct Web {
    exit: Option<Arc<Exit>>,
}

/// How the rest of a response is carried: the edge does that by itself.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(Response<WasiBody>, Rest), Error>> + Send>;

impl Web {
    pub(super) fn new(exit: Option<Arc<Exit>>) -> Self {
        Self { exit }
    }
}

impl WasiHttpHooks for Web {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        (self.forbidden_header_filter())(name)
    }

    fn send_request(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>, _: Rest) -> Sent {
        let exit = self.exit.clone();
        Box::new(async move {
            let Some(exit) = exit else { return Err(Error::HttpRequestDenied) };
            let tls = request.uri().scheme() != Some(&http::uri::Scheme::HTTP);
            let send = exit.send(request, tls);
            let response = match options.and_then(|options| options.first_byte_timeout) {
                Some(most) => tokio::time::timeout(most, send).await.map_err(|_| Error::ConnectionReadTimeout)?,
                None => send.await,
            };
            let response = response.map_err(|refused| match refused {
                Refused::Denied(why) | Refused::Failed(why) => Error::InternalError(Some(why)),
            })?;
            let rest: Rest = Box::new(std::future::ready(Ok(())));
            let broken = |cause: crate::egress::Cause| Error::InternalError(Some(cause.to_string()));
            Ok((response.map(|body| body.map_err(broken).boxed_unsync()), rest))
        })
    }

    fn p2_error_from_hyper(&mut self, _: &hyper::Error) -> p2::ErrorCode {
        p2::ErrorCode::HttpProtocolError
    }
}
