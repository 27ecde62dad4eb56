//! `Tool`: what can be called, with its whole definition.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Hash, ServerName};
use crate::canon::Value;
use crate::profile::Profile;

/// Which MCP request a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Method {
    /// `tools/call`
    #[serde(rename = "tools/call")]
    CallTool,
    /// `resources/read`
    #[serde(rename = "resources/read")]
    ReadResource,
    /// `prompts/get`
    #[serde(rename = "prompts/get")]
    GetPrompt,
    /// `completion/complete`
    #[serde(rename = "completion/complete")]
    Complete,
}

impl Method {
    /// The method's name in MCP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallTool => "tools/call",
            Self::ReadResource => "resources/read",
            Self::GetPrompt => "prompts/get",
            Self::Complete => "completion/complete",
        }
    }
}

/// How far the gateway trusts a tool, and what its operator declared about it.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Its definition is the one that was pinned.
    pub pinned: bool,
    /// An operator's config vouches for the annotations of its server.
    pub vouched: bool,
    /// What it may touch.
    pub profile: Arc<Profile>,
}

/// What a server says of its own tool: claims, which may raise risk and never lower it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `readOnlyHint`
    pub read_only: Option<bool>,
    /// `destructiveHint`
    pub destructive: Option<bool>,
    /// `idempotentHint`
    pub idempotent: Option<bool>,
    /// `openWorldHint`
    pub open_world: Option<bool>,
}

/// Why a definition cannot be offered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// `name` is missing, empty, longer than 128 bytes, or holds a control character.
    #[error("the definition has no usable name")]
    Name,
}

/// What can be called: a server's tool, or one of MCP's other requests to a server.
#[derive(Clone, Debug)]
pub struct Tool {
    server: ServerName,
    method: Method,
    name: Arc<str>,
    definition: Value,
    hash: Hash,
    standing: Standing,
}

impl Tool {
    /// A tool by its whole definition. For methods other than `tools/call` the definition is the gateway's own, with the
    /// method as its `name`.
    ///
    /// # Errors
    /// [`DefinitionError`] where the definition cannot name the tool.
    pub fn new(
        server: ServerName,
        method: Method,
        definition: Value,
        standing: Standing,
    ) -> Result<Self, DefinitionError> {
        let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
        if !Self::is_name(name) {
            return Err(DefinitionError::Name);
        }
        let (name, hash) = (name.into(), Hash::of(definition.canonical().as_bytes()));
        Ok(Self { server, method, name, definition, hash, standing })
    }

    /// Whether a tool can have this name.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        (1..=128).contains(&name.len()) && !name.chars().any(char::is_control)
    }

    /// The server that offers it.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// Which MCP request calls it.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Its name at its server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole definition as it was sent.
    #[must_use]
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// The hash of the definition's canonical text: everything in it, also what no library knows.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// What it is for, in its server's words.
    #[must_use]
    pub fn description(&self) -> &str {
        self.definition.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// The schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> Option<&Value> {
        self.definition.get("inputSchema")
    }

    /// What its server claims of it.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        let claim = |name| self.definition.get("annotations")?.get(name)?.as_bool();
        Annotations {
            read_only: claim("readOnlyHint"),
            destructive: claim("destructiveHint"),
            idempotent: claim("idempotentHint"),
            open_world: claim("openWorldHint"),
        }
    }

    /// How far it is trusted.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}
