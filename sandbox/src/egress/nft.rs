//! `Firewall`: rules that let a sandbox speak to its own resolver and its own edge, and to nothing else.
//!
//! ```text
//!            raw (-300)                nat (-110)             filter (-90)
//! sandbox ─► its own address? ─► TCP: redirect to the edge ─► the resolver or the edge? ─► the gateway
//!            │ no                                             │ no
//!            └─► log, drop                                    └─► log, drop
//! ```
//!
//! The rules are installed once; a sandbox is an element of two sets. They hang on the names of the bridges, so a bridge that is in
//! no set yet can send nothing. Nothing is ever forwarded, whatever other tables say: a drop is final in netfilter, an accept is not.

mod rules;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nftables::helper::{DEFAULT_NFT, NftablesError, apply_ruleset_raw, get_current_ruleset_raw};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// The firewall's part of one guard.
pub(crate) struct Firewall {
    table: String,
    /// How the names of its bridges begin.
    prefix: String,
    network: (Ipv4Addr, u32),
    group: u16,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: BTreeSet<Member>,
    /// What the kernel says the rules are, just after they were installed.
    installed: Option<Value>,
}

/// A sandbox, as the firewall knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) bridge: String,
    /// The sandbox's address.
    pub(crate) inside: Ipv4Addr,
    /// The bridge's own: where resolver and edge listen.
    pub(crate) door: Ipv4Addr,
}

/// Why the firewall cannot be relied on.
#[derive(Debug, Error)]
pub(crate) enum FirewallError {
    #[error("nft does not take the rules")]
    Nft(#[from] NftablesError),
    #[error("nft answers what is not JSON")]
    Json(#[from] serde_json::Error),
    #[error("the rules were changed by another program, and could not be put back")]
    Changed,
}

impl FirewallError {
    /// With what nft said.
    pub(crate) fn chain(&self) -> String {
        match self {
            Self::Nft(NftablesError::NftFailed { stderr, stdout, .. }) => {
                format!("{self}: {} {}", stdout.trim(), stderr.trim())
            }
            Self::Nft(error) => format!("{self}: {error}"),
            Self::Json(_) | Self::Changed => self.to_string(),
        }
    }
}

/// Where the edge listens on a sandbox's bridge; where TCP is redirected to.
pub(crate) const EDGE_PORT: u16 = 3129;

/// Where the resolver listens on a sandbox's bridge.
pub(crate) const DNS_PORT: u16 = 53;

impl Firewall {
    pub(crate) fn new(table: &str, prefix: &str, network: (Ipv4Addr, u32), group: u16) -> Self {
        Self { table: table.to_owned(), prefix: prefix.to_owned(), network, group, state: Mutex::default() }
    }

    /// Installs the rules in one transaction, with no sandbox in them; what an earlier guard left is gone with it.
    pub(crate) fn install(&self) -> Result<(), FirewallError> {
        let mut state = self.state();
        state.members.clear();
        self.write(&mut state)
    }

    /// Lets a sandbox in. The rules are what they should be when this returns.
    pub(crate) fn admit(&self, member: Member) -> Result<(), FirewallError> {
        let mut state = self.state();
        self.ensure(&mut state)?;
        Self::apply(&[
            json!({"add": self.member("sandboxes", &member.bridge, member.inside)}),
            json!({"add": self.member("doors", &member.bridge, member.door)}),
        ])?;
        state.members.insert(member);
        Ok(())
    }

    /// Puts a sandbox out.
    pub(crate) fn dismiss(&self, member: &Member) -> Result<(), FirewallError> {
        let mut state = self.state();
        if !state.members.remove(member) {
            return Ok(());
        }
        let delete = [
            json!({"delete": self.member("sandboxes", &member.bridge, member.inside)}),
            json!({"delete": self.member("doors", &member.bridge, member.door)}),
        ];
        // Another program may have flushed the sets; then the whole is written anew, without it.
        Self::apply(&delete).or_else(|_| self.write(&mut state))
    }

    /// Checks that the rules are what was installed, and puts them back where they are not; says whether they were.
    pub(crate) fn verify(&self) -> Result<bool, FirewallError> {
        self.ensure(&mut self.state())
    }

    /// Removes what is ours.
    pub(crate) fn remove(&self) -> Result<(), FirewallError> {
        let mut state = self.state();
        *state = State::default();
        let gone =
            ["inet", "bridge"].map(|family| [json!({"add": self.of(family)}), json!({"delete": self.of(family)})]);
        Self::apply(&gone.concat())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ensure(&self, state: &mut State) -> Result<bool, FirewallError> {
        let intact = |state: &State, seen: Seen| {
            state.installed.as_ref() == Some(&seen.rules) && seen.members == Self::expected(state)
        };
        if self.see().is_ok_and(|seen| intact(state, seen)) {
            return Ok(true);
        }
        self.write(state)?;
        if intact(state, self.see()?) { Ok(false) } else { Err(FirewallError::Changed) }
    }

    fn write(&self, state: &mut State) -> Result<(), FirewallError> {
        Self::apply(&self.ruleset(&state.members))?;
        state.installed = Some(self.see()?.rules);
        Ok(())
    }

    fn apply(commands: &[Value]) -> Result<(), FirewallError> {
        apply_ruleset_raw(&json!({"nftables": commands}).to_string(), DEFAULT_NFT, [] as [&str; 0])?;
        Ok(())
    }

    /// What the kernel has.
    fn see(&self) -> Result<Seen, FirewallError> {
        let mut seen = Seen { rules: Value::Array(Vec::new()), members: BTreeSet::new() };
        let mut rules = Vec::new();
        for family in ["inet", "bridge"] {
            let text = get_current_ruleset_raw(DEFAULT_NFT, ["list", "table", family, &self.table])?;
            let listed: Value = serde_json::from_str(&text)?;
            let objects = listed.get("nftables").and_then(Value::as_array).into_iter().flatten();
            rules.extend(objects.filter(|object| object.get("metainfo").is_none()).map(|object| seen.take(object)));
        }
        seen.rules = Value::Array(rules);
        Ok(seen)
    }

    /// The members as the kernel lists them.
    fn expected(state: &State) -> BTreeSet<String> {
        let element = |set: &str, bridge: &str, address: Ipv4Addr| {
            format!("{set} {}", json!({"concat": [bridge, address.to_string()]}))
        };
        state
            .members
            .iter()
            .flat_map(|member| {
                [element("sandboxes", &member.bridge, member.inside), element("doors", &member.bridge, member.door)]
            })
            .collect()
    }

    fn of(&self, family: &str) -> Value {
        json!({"table": {"family": family, "name": self.table}})
    }

    fn member(&self, set: &str, bridge: &str, address: Ipv4Addr) -> Value {
        json!({"element": {"family": "inet", "table": self.table, "name": set, "elem": [{"concat": [bridge, address.to_string()]}]}})
    }
}

/// What the kernel has of ours.
struct Seen {
    rules: Value,
    members: BTreeSet<String>,
}

impl Seen {
    /// A listed object without what differs from one installation to the next; members are set apart.
    fn take(&mut self, object: &Value) -> Value {
        let strip = |(kind, body): (&String, &Value)| {
            let mut body = body.as_object().cloned().unwrap_or_default();
            body.remove("handle");
            if let Some(Value::Array(members)) = body.remove("elem") {
                let set = body.get("name").and_then(Value::as_str).unwrap_or_default();
                self.members.extend(members.iter().map(|member| format!("{set} {member}")));
            }
            (kind.clone(), Value::Object(body))
        };
        Value::Object(object.as_object().into_iter().flatten().map(strip).collect::<Map<_, _>>())
    }
}
