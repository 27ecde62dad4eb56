//! Who the command line says that it is, and how it asks for a PIN.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use audit::Audit;
use rustix::process::geteuid;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Global;
use super::print::Trouble;
use crate::operator::Peers;
use crate::operator::client::{AskError, Client};
use crate::operator::people::{Caller, Claim, Needs, People, Person};
use crate::operator::pin::Pin;
use crate::operator::refused::{NEEDS_PIN, Refused};

/// Not shown as it is typed, and gone from memory when it was sent.
pub(super) type Typed = Zeroizing<String>;

impl Global {
    /// One request. Where it takes a PIN, the person is asked for it.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        client: &Client,
        method: &str,
        params: &[(&'static str, &str)],
    ) -> anyhow::Result<T> {
        let params = params.iter().map(|(name, text)| (*name, Value::from(*text))).collect();
        self.ask_with(client, method, params).await
    }

    /// The same with parameters of any kind.
    pub(super) async fn ask_with<T: DeserializeOwned>(
        &self,
        client: &Client,
        method: &str,
        mut params: Vec<(&'static str, Value)>,
    ) -> anyhow::Result<T> {
        params.extend(self.acting.as_deref().map(|name| ("as", Value::from(name))));
        let needed = match client.ask_with(method, &params).await {
            Err(AskError::Refused { message, code: NEEDS_PIN, .. }) => message,
            answered => return Ok(answered?),
        };
        let pin = self.pin(&needed)?;
        params.push(("pin", Value::from(pin.as_str())));
        let answered = client.ask_with(method, &params).await;
        if let Some((_, Value::String(pin))) = params.pop() {
            drop(Zeroizing::new(pin));
        }
        Ok(answered?)
    }

    /// Who works on a log that no gateway has open, by the same rules.
    pub(super) async fn admit(&self, audit: &Audit, needs: Needs) -> anyhow::Result<Person> {
        let people = People::new(audit.clone(), Peers::new(&[]));
        let caller = Caller::Peer(geteuid().as_raw());
        let claim = |pin: Option<Pin>| Claim { name: self.acting.clone(), pin, signed: None };
        let needed = match people.admit(&caller, claim(None), needs).await {
            Err(needed @ Refused::NeedsPin { .. }) => needed.to_string(),
            admitted => return admitted.map_err(|refused| alone(&refused)),
        };
        let pin = Pin::typed(self.pin(&needed)?.as_str());
        people.admit(&caller, claim(Some(pin)), needs).await.map_err(|refused| alone(&refused))
    }

    /// The PIN of whoever asks: the next line of stdin with `--pin-stdin`, else as it is typed.
    fn pin(&self, needed: &str) -> anyhow::Result<Typed> {
        if self.pin_stdin {
            return line();
        }
        hidden(&format!("{needed}: "))
            .map_err(|_| Trouble::new(needed).next("at a terminal it is asked for; in a script: --pin-stdin").into())
    }

    /// A PIN that is to be set: typed twice, so that a slip of the finger locks nobody out.
    pub(super) fn new_pin(&self, whose: &str) -> anyhow::Result<Typed> {
        if self.pin_stdin {
            return line();
        }
        let nowhere = |_| {
            Trouble::new(format!("there is no terminal to type a PIN for `{whose}`"))
                .next("give it on stdin: --pin-stdin")
        };
        let once = hidden(&format!("new PIN for {whose}: ")).map_err(nowhere)?;
        let again = hidden("the same again: ").map_err(nowhere)?;
        if once != again {
            return Err(Trouble::new("the PINs differ; nothing was set").into());
        }
        Ok(once)
    }
}

/// A refusal of a log that no gateway has open.
pub(super) fn alone(refused: &Refused) -> anyhow::Error {
    Trouble::new(refused.to_string()).next(refused.next()).into()
}

fn line() -> anyhow::Result<Typed> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A line from the terminal that it does not show.
fn hidden(prompt: &str) -> io::Result<Typed> {
    if !io::stdin().is_terminal() {
        return Err(io::Error::from(io::ErrorKind::NotConnected));
    }
    let _echo = Silent::new()?;
    let mut stderr = io::stderr().lock();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line)?;
    // The key that ended the line did not show either.
    writeln!(stderr)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The terminal without echo, for as long as this lives.
struct Silent(Termios);

impl Silent {
    fn new() -> io::Result<Self> {
        let saved = tcgetattr(io::stdin())?;
        let mut modes = saved.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &modes)?;
        Ok(Self(saved))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
