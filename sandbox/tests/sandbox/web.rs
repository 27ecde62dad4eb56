//! An HTTP server that says exactly what a test wants, byte by byte.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use policies::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::world::json;

/// A server on loopback, ended with the test's runtime.
pub(crate) struct Web {
    pub(crate) url: String,
    pub(crate) seen: Seen,
    pub(crate) connections: Arc<Mutex<usize>>,
}

/// Every request, in order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Request>>>);

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

/// The server's side of a connection.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Web {
    /// `handle` gets each request and the connection, and gives the connection back if it is to be used again.
    pub(crate) async fn start<F, Fut>(handle: F) -> Self
    where
        F: Fn(Request, Wire) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Option<Wire>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, handle)
    }

    pub(crate) fn serve<F, Fut>(listener: TcpListener, handle: F) -> Self
    where
        F: Fn(Request, Wire) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Option<Wire>> + Send + 'static,
    {
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (seen, connections) = (Seen::default(), Arc::new(Mutex::new(0)));
        let tasks = tokio_util::task::TaskTracker::new();
        let (noted, counted) = (seen.clone(), Arc::clone(&connections));
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                let (handle, noted) = (handle.clone(), noted.clone());
                tasks.spawn(async move {
                    let mut wire = Some(Wire(BufReader::new(stream)));
                    while let Some(mut open) = wire {
                        let Some(request) = open.read().await else { return };
                        noted.0.lock().unwrap().push(request.clone());
                        wire = handle(request, open).await;
                    }
                });
            }
        });
        Self { url, seen, connections }
    }
}

impl Seen {
    pub(crate) fn all(&self) -> Vec<Request> {
        self.0.lock().unwrap().clone()
    }

    /// How many requests there were with this JSON-RPC method, or HTTP method where the body has none.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.all().iter().filter(|request| request.method() == method).count()
    }

    pub(crate) fn last(&self, method: &str) -> Request {
        self.all().into_iter().rev().find(|request| request.method() == method).unwrap()
    }

    /// Waits for a request.
    pub(crate) async fn wait(&self, method: &str) -> Request {
        for _ in 0..500 {
            if self.count(method) > 0 {
                return self.last(method);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no `{method}` among {:?}", self.all());
    }
}

impl Request {
    /// The JSON-RPC method; the HTTP method where there is none; `answer` for an answer.
    pub(crate) fn method(&self) -> &str {
        match self.body.get("method").and_then(Value::as_str) {
            Some(method) => method,
            None if self.body.is_null() => &self.verb,
            None => "answer",
        }
    }

    pub(crate) fn id(&self) -> String {
        self.body.get("id").unwrap().to_string()
    }

    /// The tool that is called.
    pub(crate) fn tool(&self) -> &str {
        self.body.pointer("/params/name").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Wire {
    async fn read(&mut self) -> Option<Request> {
        let mut line = String::new();
        self.0.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        let verb = line.split(' ').next().unwrap().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        let body = if body.is_empty() { Value::Null } else { json(std::str::from_utf8(&body).unwrap()) };
        Some(Request { verb, headers, body })
    }

    pub(crate) async fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).await.ok();
    }

    /// A whole response; `head` is the status, and header lines after it.
    pub(crate) async fn respond(mut self, head: &str, body: &str) -> Option<Self> {
        self.raw(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
        Some(self)
    }

    pub(crate) async fn json(self, body: &str) -> Option<Self> {
        self.respond("200 OK\r\ncontent-type: application/json; charset=utf-8", body).await
    }

    /// The result of a request.
    pub(crate) async fn result(self, request: &Request, result: &str) -> Option<Self> {
        self.json(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, request.id())).await
    }

    /// Begins an event stream.
    pub(crate) async fn events(&mut self) {
        self.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await;
    }

    pub(crate) async fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.raw(format!("{:x}\r\n", bytes.len())).await;
        self.raw(bytes).await;
        self.raw("\r\n").await;
    }

    pub(crate) async fn event(&mut self, data: &str) {
        self.chunk(format!("event: message\ndata: {data}\n\n")).await;
    }

    /// Ends an event stream.
    pub(crate) async fn end(mut self) -> Option<Self> {
        self.raw("0\r\n\r\n").await;
        Some(self)
    }

    /// Waits until the client has gone.
    pub(crate) async fn gone(mut self) {
        let mut byte = [0];
        while let Ok(1..) = self.0.read(&mut byte).await {}
    }
}
