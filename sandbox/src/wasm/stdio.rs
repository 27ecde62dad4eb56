//! `Stdio`: a component that is an MCP server over its standard streams, as a `wasi:cli` command. It is greeted and asked one
//! thing, in an instance of its own; then the instance is gone, whatever it still wanted to do.

use std::sync::Arc;
use std::time::Duration;

use audit::{Failure, FailureKind};
use policies::Object;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::broadcast;
use wasmtime::component::InstancePre;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::ending;
use super::engine::Ticking;
use super::guest::{Asked, Guest, Surround, no_sandbox};
use super::host::State;
use crate::instance::{Input, Piece, Splitter, hand};
use crate::line::Era;
use crate::mcp::{
    Body, Message, Meta, Passenger, Peer, Probe, Reply, Taken, greeting_of_initialize, initialize, notification, probe,
};
use crate::server::{Change, Greeting};

/// A component that is an MCP server over its standard streams.
pub(super) struct Stdio {
    command: CommandPre<State>,
    greeted: Option<(Greeting, broadcast::Sender<Change>)>,
}

/// Bytes on their way in each direction. A guest that writes more waits until they are read.
const PIPE: usize = 64 << 10;

/// What is said beside an answer may be so many times as long as the answer.
const CHATTER: usize = 4;

/// The answer of a guest that has ended is in the pipe already.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What is declared to a server: what an agent's client can be asked for, if it can. One that cannot refuses.
const CAPABILITIES: &str = r#"{"sampling":{},"elicitation":{},"roots":{"listChanged":false}}"#;

impl Stdio {
    pub(super) fn find(pre: &InstancePre<State>) -> Result<Self, String> {
        let missing = |_| "it does not export `wasi:cli/run`, as a server over standard streams does".to_owned();
        Ok(Self { command: CommandPre::new(pre.clone()).map_err(missing)?, greeted: None })
    }

    /// What it says of itself, and so in which era it is spoken to.
    pub(super) async fn greeted(&self, guest: &Guest, changes: broadcast::Sender<Change>) -> Result<Self, String> {
        let (params, peer) = (Object::new(), || Peer::new(guest.server.clone(), changes.clone()));
        let asked = async |mut talk: Talk| {
            talk.ask(&Body::Plain("server/discover", &params), &Meta::own(Era::Modern), None).await
        };
        let reply = self.converse(guest, peer(), Surround::default(), asked).await;
        let modern = match reply {
            Reply::Result(result) => probe(Ok(result)),
            Reply::Error(_) | Reply::Failed(_) | Reply::Stopped => Probe::Legacy,
        };
        let greeting = match modern {
            Probe::Modern(greeting) => greeting,
            Probe::Legacy => {
                let reply =
                    self.converse(guest, peer(), Surround::default(), async |mut talk: Talk| talk.initialize().await);
                match reply.await {
                    Reply::Result(result) => greeting_of_initialize(result).map_err(str::to_owned)?,
                    Reply::Error(_) => return Err("it refused `initialize`".to_owned()),
                    Reply::Failed(failure) => return Err(failure.detail),
                    Reply::Stopped => return Err("the gateway stops".to_owned()),
                }
            }
        };
        Ok(Self { command: self.command.clone(), greeted: Some((greeting, changes)) })
    }

    pub(super) fn greeting(&self) -> Option<&Greeting> {
        self.greeted.as_ref().map(|(greeting, _)| greeting)
    }

    /// Answers, in a new instance.
    pub(super) async fn run(&self, guest: &Guest, asked: Asked<'_>, around: Surround) -> Reply {
        let Some((greeting, changes)) = &self.greeted else {
            return Reply::failed(FailureKind::Unreachable, "the server was not greeted");
        };
        let (era, peer) = (greeting.era, Peer::new(guest.server.clone(), changes.clone()));
        let conversation = async |mut talk: Talk| {
            if let Era::Legacy(_) = era {
                match talk.initialize().await {
                    Reply::Result(_) => {}
                    other @ (Reply::Error(_) | Reply::Failed(_) | Reply::Stopped) => return other,
                }
            }
            match asked {
                Asked::Plain(method, params) => talk.ask(&Body::Plain(method, params), &Meta::own(era), None).await,
                Asked::Call(call, line) => {
                    talk.ask(&Body::Call(call, None), &Meta::of(line, era), Some(Passenger::of(line))).await
                }
            }
        };
        self.converse(guest, peer, around, conversation).await
    }

    /// Runs an instance as long as a conversation with it.
    async fn converse<F>(&self, guest: &Guest, peer: Arc<Peer>, around: Surround, conversation: F) -> Reply
    where
        F: AsyncFnOnce(Talk) -> Reply,
    {
        let (input, stdin) = tokio::io::duplex(PIPE);
        let (output, stdout) = tokio::io::duplex(PIPE);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdin(AsyncStdinStream::new(stdin)).stdout(AsyncStdoutStream::new(PIPE, stdout));
        let mut input: Input = Box::new(input);
        if around.exit.is_some()
            && let Err(error) = hand::input(&mut input, &guest.resources, &around.placer).await
        {
            return Reply::Failed(no_sandbox(error.to_string()));
        }
        let talk = Talk::new(guest, peer, input, output);
        let _ticking = Ticking::begin();
        let store = guest.state(&mut wasi, around, None).and_then(|state| {
            state.store(guest.engine, &guest.resources).map_err(|_| no_sandbox("no store can be made"))
        });
        let mut store = match store {
            Ok(store) => store,
            Err(failure) => return Reply::Failed(failure),
        };
        let mut conversation = std::pin::pin!(conversation(talk));
        let ran = async {
            let command = self.command.instantiate_async(&mut store).await?;
            command.wasi_cli_run().call_run(&mut store).await
        };
        let ran = tokio::select! {
            reply = &mut conversation => return reply,
            ran = ran => ran,
        };
        if let Ok(reply) = tokio::time::timeout(LAST_WORDS, conversation).await
            && !matches!(reply, Reply::Failed(_))
        {
            return reply;
        }
        Reply::Failed(match ran {
            Ok(_) => Failure { kind: FailureKind::Exited, detail: "the server ended before it answered".to_owned() },
            Err(error) => ending::failure(&error, &store.data().limiter),
        })
    }
}

/// Our side of one conversation.
struct Talk {
    peer: Arc<Peer>,
    input: Input,
    output: DuplexStream,
    splitter: Splitter,
    json: policies::Limits,
    /// Bytes that may still be read.
    left: usize,
    too_large: Failure,
}

impl Talk {
    fn new(guest: &Guest, peer: Arc<Peer>, input: Input, output: DuplexStream) -> Self {
        let limits = guest.limits;
        let left = limits.answer.saturating_mul(CHATTER);
        let (splitter, json, too_large) = (Splitter::new(limits.answer), limits.json(), guest.limits.too_large());
        Self { peer, input, output, splitter, json, left, too_large }
    }

    async fn initialize(&mut self) -> Reply {
        let reply = self.exchange(None, |id| Ok(initialize(id, CAPABILITIES))).await;
        if matches!(reply, Reply::Result(_))
            && let Err(failure) = self.say(notification("notifications/initialized", "{}")).await
        {
            return Reply::Failed(failure);
        }
        reply
    }

    async fn ask(&mut self, body: &Body<'_>, meta: &Meta<'_>, passenger: Option<Passenger>) -> Reply {
        self.exchange(passenger, |id| body.write(id, meta)).await
    }

    async fn exchange(
        &mut self,
        passenger: Option<Passenger>,
        write: impl FnOnce(u64) -> Result<Vec<u8>, &'static str>,
    ) -> Reply {
        let Some(mut flight) = self.peer.board(passenger) else { return Reply::Failed(gone()) };
        let message = match write(flight.id()) {
            Ok(message) => message,
            Err(why) => return Reply::failed(FailureKind::Malformed, why),
        };
        let mut sent = self.say(message).await;
        loop {
            if let Some(reply) = flight.landed() {
                return reply;
            }
            if let Err(failure) = sent {
                return Reply::Failed(failure);
            }
            sent = self.hear().await;
        }
    }

    async fn say(&mut self, mut message: Vec<u8>) -> Result<(), Failure> {
        message.push(b'\n');
        self.input.write_all(&message).await.map_err(|_| gone())
    }

    /// Reads on, and answers what has to be answered.
    async fn hear(&mut self) -> Result<(), Failure> {
        let mut chunk = vec![0; PIPE];
        let read = self.output.read(&mut chunk).await.map_err(|_| gone())?;
        let chunk = chunk.get(..read).filter(|chunk| !chunk.is_empty()).ok_or_else(gone)?;
        self.left = self.left.checked_sub(chunk.len()).ok_or_else(|| self.too_large.clone())?;
        let (mut taken, mut over, peer, json) = (Vec::new(), false, &self.peer, &self.json);
        self.splitter.feed(chunk, &mut |piece| match piece {
            Piece::Line(line) => taken.push(match Message::parse(line, json) {
                Ok(message) => peer.take(message, None),
                Err(garbage) => peer.take_garbage(&garbage, None),
            }),
            Piece::Oversized(_) | Piece::Endless => over = true,
        });
        for taken in taken {
            let said = match taken {
                Taken::Done | Taken::Unsolicited => None,
                Taken::Say(message) => Some(message),
                Taken::Ask(ask) => self.peer.pass(ask).await,
            };
            if let Some(message) = said {
                self.say(message).await?;
            }
        }
        if over { Err(self.too_large.clone()) } else { Ok(()) }
    }
}

fn gone() -> Failure {
    Failure { kind: FailureKind::Exited, detail: "the server ended before it answered".to_owned() }
}
