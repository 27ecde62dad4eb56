//! `portcullis:tool/host`: what a guest tells the agent while its call runs.

use audit::Raw;
use policies::{Object, ServerName, Value};
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::State;
use crate::line::Event;
use crate::mcp::{Passenger, level};

/// Who hears what a guest says.
pub(in crate::wasm) struct Listener {
    pub(in crate::wasm) server: ServerName,
    pub(in crate::wasm) passenger: Passenger,
}

/// What a guest may still say.
pub(super) struct Messages {
    listener: Option<Listener>,
    left: usize,
}

/// Messages of one call, and bytes of one message.
const MESSAGES: usize = 100;
const LENGTH: usize = 4096;

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[expect(dead_code, reason = "guests make them")]
#[component(enum)]
#[repr(u8)]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warning")]
    Warning,
    #[component(name = "error")]
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Messages {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Self { listener, left: MESSAGES }
    }

    fn say(&mut self, severity: Level, message: &str) {
        let Some(Listener { server, passenger }) = &self.listener else { return };
        let heard = passenger.logs.is_some_and(|lowest| level(severity.as_str()) >= lowest);
        if !heard || self.left == 0 {
            return;
        }
        self.left -= 1;
        let message = message.get(..message.floor_char_boundary(LENGTH)).unwrap_or_default();
        let params: Object =
            [("level", Value::from(severity.as_str())), ("logger", server.as_str().into()), ("data", message.into())]
                .into_iter()
                .collect();
        // A slow agent loses messages; it never holds the guest up.
        let event = Event::Notice { method: "notifications/message".to_owned(), params: Raw::new(params.into()) };
        passenger.events.try_send(event).ok();
    }
}

/// Links it.
pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance("portcullis:tool/host@0.1.0")?.func_wrap(
        "log",
        |mut store: wasmtime::StoreContextMut<'_, State>, (level, message): (Level, String)| {
            store.data_mut().messages.say(level, &message);
            Ok(())
        },
    )
}
