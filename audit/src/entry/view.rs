//! The projections, as the gateway asks for them: from memory where calls wait for the answer.

use jiff::Timestamp;
use policies::approval::{Delegation, Hold, Pass, Review};
use policies::{AgentId, Call, Hash, HoldId, Method, OperatorId, ServerName};

use super::Audit;
use crate::log::views::{Agent, Borrowed, Mark, MarkKind, Pin, used_key};
use crate::operator::{Door, Failures, Operator};
use crate::passkey::Passkey;
use crate::query::{QueryError, Reader};
use crate::seal::{HeldCall, SealError};

impl Audit {
    /// The agent whose token has this hash, if the token is good at this time.
    #[must_use]
    pub fn agent_by_token(&self, token: &Hash, now: Timestamp) -> Option<Agent> {
        let views = self.log.shared().views();
        let agent = views.agents.get(views.tokens.get(token)?)?;
        agent.expires.is_none_or(|expires| now < expires).then(|| agent.clone())
    }

    /// The agent whose token has this hash, also if the token has expired.
    #[must_use]
    pub fn agent_by_any_token(&self, token: &Hash) -> Option<Agent> {
        let views = self.log.shared().views();
        views.agents.get(views.tokens.get(token)?).cloned()
    }

    /// The agent of this name.
    #[must_use]
    pub fn agent(&self, name: &AgentId) -> Option<Agent> {
        self.log.shared().views().agents.get(name).cloned()
    }

    /// Every agent, by name.
    #[must_use]
    pub fn agents(&self) -> Vec<Agent> {
        let mut agents: Vec<Agent> = self.log.shared().views().agents.values().cloned().collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        agents
    }

    /// The operator of this name.
    #[must_use]
    pub fn operator(&self, name: &OperatorId) -> Option<Operator> {
        self.log.shared().views().operators.get(name).cloned()
    }

    /// Every operator who was added, by name.
    #[must_use]
    pub fn operators(&self) -> Vec<Operator> {
        self.log.shared().views().operators.values().cloned().collect()
    }

    /// The passkeys of an operator, the oldest first.
    #[must_use]
    pub fn passkeys(&self, name: &OperatorId) -> Vec<Passkey> {
        let views = self.log.shared().views();
        let mut theirs: Vec<Passkey> =
            views.passkeys.values().filter(|passkey| passkey.operator == *name).cloned().collect();
        theirs.sort_by(|a, b| a.added.cmp(&b.added).then_with(|| a.credential.cmp(&b.credential)));
        theirs
    }

    /// How often an operator's proofs failed in a row at this door.
    #[must_use]
    pub fn failures(&self, name: &OperatorId, door: Door) -> Failures {
        self.log.shared().views().failures.get(&(name.clone(), door)).copied().unwrap_or_default()
    }

    /// What a tool was pinned as.
    #[must_use]
    pub fn pin(&self, server: &ServerName, method: Method, name: &str) -> Option<Pin> {
        self.log.shared().views().pins.get(&(server.clone(), method, name.to_owned())).cloned()
    }

    /// Every pin, by server, method and name.
    #[must_use]
    pub fn pins(&self) -> Vec<Pin> {
        self.log.shared().views().pins.values().cloned().collect()
    }

    /// What is noted of a server.
    #[must_use]
    pub fn mark(&self, kind: MarkKind, server: &ServerName) -> Option<Mark> {
        self.log.shared().views().marks.get(&(kind, server.clone())).cloned()
    }

    /// Everything of this kind that is noted, by server.
    #[must_use]
    pub fn marks(&self, kind: MarkKind) -> Vec<Mark> {
        self.log.shared().views().marks.values().filter(|mark| mark.kind == kind).cloned().collect()
    }

    /// What backends made for one call and have not taken back.
    #[must_use]
    pub fn borrowed(&self) -> Vec<Borrowed> {
        self.log.shared().views().borrowed.values().cloned().collect()
    }

    /// The open holds, by id.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        self.log.shared().views().holds.values().cloned().collect()
    }

    /// The passes that can be used at this time, the oldest first.
    #[must_use]
    pub fn passes(&self, now: Timestamp) -> Vec<Pass> {
        let views = self.log.shared().views();
        let mut passes: Vec<Pass> = views.passes.values().filter(|pass| pass.is_live(now)).cloned().collect();
        passes.sort_by(|a, b| a.made().cmp(&b.made()).then_with(|| a.hold().cmp(b.hold())));
        passes
    }

    /// The open reviews, the oldest first.
    #[must_use]
    pub fn reviews(&self) -> Vec<Review> {
        let mut reviews: Vec<Review> = self.log.shared().views().reviews.values().cloned().collect();
        reviews.sort_by(|a, b| a.glass.at.cmp(&b.glass.at).then_with(|| a.hold.cmp(&b.hold)));
        reviews
    }

    /// The delegations that nothing has ended, each with the number of its record; the time of some may be over.
    #[must_use]
    pub fn delegations(&self) -> Vec<(u64, Delegation)> {
        self.log.shared().views().delegations.iter().map(|(id, delegation)| (*id, delegation.clone())).collect()
    }

    /// A hold, open or ended. One that is not open is read from the disk.
    ///
    /// # Errors
    /// [`QueryError`] if the database does not answer.
    pub fn find_hold(&self, id: &HoldId) -> Result<Option<Hold>, QueryError> {
        if let Some(hold) = self.log.shared().views().holds.get(id) {
            return Ok(Some(hold.clone()));
        }
        Reader::open(&self.log.shared().state)?.hold(id)
    }

    /// The sealed call of an open hold, unsealed and unredacted: to be run, never to be shown.
    ///
    /// # Errors
    /// [`SealError`]: the hold has ended, or its bytes were changed.
    pub fn held_call(&self, id: &HoldId) -> Result<HeldCall, SealError> {
        let read = |error: QueryError| SealError::Read(Box::new(error));
        let sealed = Reader::open(&self.log.shared().state).and_then(|reader| reader.sealed(id)).map_err(read)?;
        self.seal.open(id, &sealed.ok_or(SealError::Missing)?)
    }

    /// Whether this agent has never run this tool.
    #[must_use]
    pub fn first_use(&self, call: &Call) -> bool {
        self.first_use_of(call.agent(), call.tool().server(), call.tool().name())
    }

    /// Whether this agent has never run the tool of this name.
    #[must_use]
    pub fn first_use_of(&self, agent: &AgentId, server: &ServerName, tool: &str) -> bool {
        let key = used_key(agent.as_str(), server.as_str(), &self.redactor.text(tool));
        !self.log.shared().views().used.contains(&key)
    }

    /// The log, to read.
    ///
    /// # Errors
    /// [`QueryError`] if the database cannot be opened.
    pub fn reader(&self) -> Result<Reader, QueryError> {
        Reader::open(&self.log.shared().state)
    }
}
