//! Answers that take time: server-sent events, and the streams that only listen.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use policies::{AgentId, Object, Value};
use sandbox::Listing;
use tokio::sync::broadcast;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::Agents;
use super::asked::Asked;
use super::methods::Reply;
use super::tools::notification;
use crate::answer::{BUSY, INVALID_PARAMS, RpcError, result_for};
use crate::catalog::Changed;

/// A response's body.
pub enum Answered {
    /// All of it, now.
    Whole(Full<Bytes>),
    /// Events as they come.
    Stream(Box<Events>),
}

/// Messages, then the answer, as server-sent events. Dropping it drops the request.
pub struct Events {
    said: mpsc::Receiver<Value>,
    answer: Option<Pin<Box<dyn Future<Output = Reply> + Send>>>,
    first: Option<String>,
    alive: Interval,
}

/// Below the idle limits of the proxies in common use.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams of one agent that only listen: each is a connection.
const MOST_LISTENING: usize = 32;

impl Events {
    /// A stream that begins with what was said already.
    #[must_use]
    pub fn new(
        first: Option<&Value>,
        said: mpsc::Receiver<Value>,
        answer: Pin<Box<dyn Future<Output = Reply> + Send>>,
    ) -> Self {
        let mut alive = tokio::time::interval(KEEP_ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        alive.reset();
        Self { said, answer: Some(answer), first: first.map(ToString::to_string), alive }
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(event(&first)));
        }
        let Some(answer) = &mut self.answer else { return Poll::Ready(None) };
        // The answer is asked before what was said, so that all of it is there; it is sent after.
        let ended = answer.as_mut().poll(cx);
        if let Poll::Ready(Some(message)) = self.said.poll_recv(cx) {
            if let Poll::Ready(reply) = ended {
                self.answer = Some(Box::pin(std::future::ready(reply)));
            }
            return Poll::Ready(Some(event(&message.to_string())));
        }
        if let Poll::Ready(reply) = ended {
            self.answer = None;
            // A stream that only listened ends without an answer.
            return Poll::Ready((!reply.message.is_empty()).then(|| event(&reply.message)));
        }
        if self.alive.poll_tick(cx).is_ready() {
            return Poll::Ready(Some(":\n\n".to_owned()));
        }
        Poll::Pending
    }
}

fn event(message: &str) -> String {
    format!("event: message\ndata: {message}\n\n")
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Stream(events) => events.next(cx).map(|text| text.map(|text| Ok(Frame::data(text.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(events) => events.answer.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// The protocol's levels of log messages, lowest first.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What a listening stream wants to hear.
struct Wanted {
    tools: bool,
    prompts: bool,
    resources: bool,
    uris: Vec<String>,
}

impl Agents {
    /// `subscriptions/listen`: says what it will tell, then tells it until the client goes or the gateway stops.
    ///
    /// # Errors
    /// If the params are not its own, or too many listen.
    pub async fn listen(&self, asked: &Asked) -> Result<Value, RpcError> {
        let filter = asked.take("notifications").unwrap_or_default();
        if filter.as_object().is_none() {
            return Err(RpcError::new(INVALID_PARAMS, "`params.notifications` must be an object"));
        }
        let flag = |key: &str| filter.get(key).and_then(Value::as_bool).unwrap_or(false);
        let uris = filter.get("resourceSubscriptions").and_then(Value::as_array).unwrap_or_default();
        let uris: Vec<String> = uris.iter().filter_map(Value::as_str).take(256).map(str::to_owned).collect();
        let wanted = Wanted {
            tools: flag("toolsListChanged"),
            prompts: flag("promptsListChanged"),
            resources: flag("resourcesListChanged"),
            uris,
        };
        let _place = self.listening(&asked.origin.agent)?;
        let changes = self.catalog.changes();
        asked.say(notification("notifications/subscriptions/acknowledged", acknowledged(asked, &wanted)));
        let mut watched = Watched(self, Vec::new());
        for uri in &wanted.uris {
            if self.catalog.watch(uri).await {
                watched.1.push(uri.clone());
            }
        }
        self.tell(asked, &wanted, changes).await;
        drop(watched);
        Ok(result_for(subscription(asked, Object::new()).into(), asked.era))
    }

    /// A legacy client's `GET`: tells of every list that changes, and of the resources that this agent watches.
    pub async fn listen_legacy(&self, asked: &Asked) {
        let Ok(_place) = self.listening(&asked.origin.agent) else { return };
        let wanted = Wanted { tools: true, prompts: true, resources: true, uris: Vec::new() };
        self.tell(asked, &wanted, self.catalog.changes()).await;
    }

    /// `resources/subscribe` of a legacy client: its `GET` stream will tell.
    ///
    /// # Errors
    /// If no server offers the resource.
    pub async fn subscribe(&self, asked: &Asked) -> Result<Value, RpcError> {
        let uri = asked.text("uri")?;
        let agent = &asked.origin.agent;
        if self.legacy.watches(agent, &uri) {
            return Ok(Object::new().into());
        }
        if !self.catalog.watch(&uri).await {
            return Err(RpcError::new(INVALID_PARAMS, "no server lists this resource and tells of its changes"));
        }
        if !self.legacy.watch(agent, &uri) {
            self.catalog.unwatch(&uri);
            return Err(RpcError::new(BUSY, "this agent watches too many resources"));
        }
        Ok(Object::new().into())
    }

    /// `resources/unsubscribe` of a legacy client.
    ///
    /// # Errors
    /// If the params are not its own.
    pub fn unsubscribe(&self, asked: &Asked) -> Result<Value, RpcError> {
        let uri = asked.text("uri")?;
        if self.legacy.unwatch(&asked.origin.agent, &uri) {
            self.catalog.unwatch(&uri);
        }
        Ok(Object::new().into())
    }

    /// `logging/setLevel`
    ///
    /// # Errors
    /// If the level is not one of the protocol's.
    pub fn set_level(&self, asked: &Asked) -> Result<Value, RpcError> {
        let level = asked.text("level")?;
        if !LEVELS.contains(&level.as_str()) {
            return Err(RpcError::new(INVALID_PARAMS, format!("`params.level` must be one of {}", LEVELS.join(", "))));
        }
        if let Some(session) = &asked.origin.session {
            self.legacy.set_level(session, level);
        }
        Ok(Object::new().into())
    }

    async fn tell(&self, asked: &Asked, wanted: &Wanted, mut changes: broadcast::Receiver<Changed>) {
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = self.stop.cancelled() => return,
                () = asked.origin.voice.closed() => return,
            };
            let (method, params) = match change {
                Ok(Changed::List(Listing::Tools)) if wanted.tools => {
                    ("notifications/tools/list_changed", Object::new())
                }
                Ok(Changed::List(Listing::Prompts)) if wanted.prompts => {
                    ("notifications/prompts/list_changed", Object::new())
                }
                Ok(Changed::List(Listing::Resources | Listing::Templates)) if wanted.resources => {
                    ("notifications/resources/list_changed", Object::new())
                }
                Ok(Changed::Resource(uri)) if wanted.uris.contains(&uri) || self.watched_by(asked, &uri) => {
                    ("notifications/resources/updated", [("uri", uri)].into_iter().collect())
                }
                Ok(Changed::List(_) | Changed::Resource(_)) => continue,
                // Lists may have changed unseen: say so of all of them rather than of none.
                Err(broadcast::error::RecvError::Lagged(_)) => ("notifications/tools/list_changed", Object::new()),
                Err(broadcast::error::RecvError::Closed) => return,
            };
            asked.say(notification(method, subscription(asked, params)));
        }
    }

    /// A legacy client's `GET` tells of what its agent watches, and of nobody else's.
    fn watched_by(&self, asked: &Asked, uri: &str) -> bool {
        matches!(asked.era, sandbox::Era::Legacy(_)) && self.legacy.watches(&asked.origin.agent, uri)
    }

    fn listening(&self, agent: &AgentId) -> Result<Listening<'_>, RpcError> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = listening.entry(agent.clone()).or_insert(0);
        if *mine >= MOST_LISTENING {
            return Err(RpcError::new(BUSY, "too many streams of this agent listen"));
        }
        *mine += 1;
        Ok(Listening(self, agent.clone()))
    }
}

/// What one stream watches; dropping it watches no more.
struct Watched<'a>(&'a Agents, Vec<String>);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        for uri in &self.1 {
            self.0.catalog.unwatch(uri);
        }
    }
}

struct Listening<'a>(&'a Agents, AgentId);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut listening = self.0.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = listening.get_mut(&self.1) {
            *mine -= 1;
        }
    }
}

fn acknowledged(asked: &Asked, wanted: &Wanted) -> Object {
    let mut accepted = Object::new();
    let flags = [
        ("toolsListChanged", wanted.tools),
        ("promptsListChanged", wanted.prompts),
        ("resourcesListChanged", wanted.resources),
    ];
    for (key, _) in flags.iter().filter(|(_, wanted)| *wanted) {
        accepted.insert(*key, true);
    }
    if !wanted.uris.is_empty() {
        accepted.insert(
            "resourceSubscriptions",
            wanted.uris.iter().map(|uri| Value::from(uri.as_str())).collect::<Vec<_>>(),
        );
    }
    subscription(asked, [("notifications", accepted)].into_iter().collect())
}

/// Every message of a modern stream names the request that opened it.
fn subscription(asked: &Asked, mut params: Object) -> Object {
    if asked.era == sandbox::Era::Modern {
        let meta =
            [("io.modelcontextprotocol/subscriptionId", asked.id.value().clone())].into_iter().collect::<Object>();
        params.insert("_meta", meta);
    }
    params
}
