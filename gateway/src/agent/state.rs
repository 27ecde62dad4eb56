//! `State`: what a client brings back in `requestState`, sealed, so that its call goes on where it was left.

use policies::decision::Field;
use policies::{Call, CallId, Hash, HoldId, Value};
use serde::{Deserialize, Serialize};

use super::Agents;
use super::asked::Asked;
use super::live::PARKED;
use crate::answer::{INVALID_PARAMS, RpcError};
use crate::clock;
use crate::seal::Purpose;

/// What `requestState` holds.
#[derive(Serialize, Deserialize)]
pub struct State {
    asks: Asks,
    /// How often the client came back.
    pub round: u8,
    /// What comes next.
    pub then: Then,
}

/// How a call goes on.
#[derive(Serialize, Deserialize)]
pub enum Then {
    /// Wait on for the person.
    Wait,
    /// Give the client's answer to the call that is parked here.
    Answer(String),
    /// Give it to the server, with the state that it set.
    Resume {
        /// The call that asked.
        of: CallId,
        /// The hold that it ran under, if it was held.
        hold: Option<HoldId>,
        /// The server's own state.
        state: Option<String>,
    },
}

/// What a request asks for: the retry must ask for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asks {
    server: Hash,
    tool: Hash,
    arguments: Hash,
}

impl Asks {
    /// What this call asks for.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        let tool = call.tool();
        Self {
            server: Hash::of(tool.server().as_str().as_bytes()),
            tool: Hash::of(format!("{}\n{}", tool.method().as_str(), tool.name()).as_bytes()),
            arguments: Hash::of(call.canonical().as_bytes()),
        }
    }

    fn first_difference(&self, other: &Self) -> Option<Field> {
        let fields = [
            (Field::Server, self.server == other.server),
            (Field::Tool, self.tool == other.tool),
            (Field::Arguments, self.arguments == other.arguments),
        ];
        fields.into_iter().find_map(|(field, same)| (!same).then_some(field))
    }
}

impl Agents {
    /// The state changes with each round, since clients take an unchanged one for a server that is stuck.
    ///
    /// # Errors
    /// If it cannot be sealed.
    pub fn input_required(
        &self,
        asked: &Asked,
        asks: Asks,
        round: u8,
        then: Then,
        mut result: Value,
    ) -> Result<Value, RpcError> {
        let state = State { asks, round: round.saturating_add(1), then };
        let expires = clock::now().saturating_add(PARKED).unwrap_or_default();
        let sealed = self.sealer.seal(Purpose::RequestState, &asked.origin.agent, expires, &state).ok_or_else(stale)?;
        if let Some(members) = result.as_object_mut() {
            members.insert("requestState", sealed);
        }
        Ok(result)
    }

    /// What the client brought back, if it brought anything.
    ///
    /// # Errors
    /// If it is not this agent's, or is for another call; the refusal is recorded and names what differs.
    pub async fn reopen(&self, asked: &Asked, asks: Asks) -> Result<Option<State>, RpcError> {
        let Some(sealed) = asked.take("requestState") else { return Ok(None) };
        let open = |sealed: &str| self.sealer.open(Purpose::RequestState, &asked.origin.agent, clock::now(), sealed);
        let state: Option<State> = sealed.as_str().and_then(open);
        let refused = match state.map(|state| (state.asks.first_difference(&asks), state)) {
            Some((None, state)) => return Ok(Some(state)),
            Some((Some(field), _)) => another(field),
            None => stale(),
        };
        self.note_refused(asked, "request-state", &refused.message).await?;
        Err(refused)
    }
}

fn another(field: Field) -> RpcError {
    let text =
        format!("`requestState` is for another call: this one differs in its {field}; send it without the state");
    RpcError::new(INVALID_PARAMS, text)
}

/// A state that does not open.
#[must_use]
pub fn stale() -> RpcError {
    RpcError::new(
        INVALID_PARAMS,
        "`requestState` is not one that this agent was given, or too old; send the request without it",
    )
}
