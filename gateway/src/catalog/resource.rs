//! Which server a resource belongs to, and the calls that are not `tools/call`.

use std::sync::Arc;

use policies::{Method, Object, ServerName, Standing, Tool, Value};
use sandbox::{Listing, Status};

use super::{Catalog, Shown};

/// What a request other than `tools/call` is asked of.
pub struct Found {
    /// The request as a tool, so that it goes the same path.
    pub tool: Arc<Tool>,
    /// What its server is asked with.
    pub arguments: Value,
}

impl Catalog {
    /// The server that a URI belongs to: the one that lists it, else the one with the longest matching template, else
    /// the only one that offers resources.
    pub async fn owner(&self, uri: &str) -> Option<ServerName> {
        if let Some(owner) = owner_in(&self.shown(), uri) {
            return Some(owner);
        }
        self.fresh(Listing::Resources).await;
        let shown = self.fresh(Listing::Templates).await;
        owner_in(&shown, uri).or_else(|| self.only_owner())
    }

    fn only_owner(&self) -> Option<ServerName> {
        let mut owners = self.config.servers.keys().filter(|server| self.offers_resources(server));
        owners.next().filter(|_| owners.next().is_none()).cloned()
    }

    fn offers_resources(&self, server: &ServerName) -> bool {
        let status = self.sandbox.server(server).map(|state| state.status);
        matches!(status, Some(Status::Ready(greeting)) if greeting.offers("resources"))
    }

    /// A resource to read.
    pub async fn reading(&self, uri: &str) -> Option<Found> {
        let server = self.owner(uri).await?;
        let about = self.shown().resources.get(uri).map(|(_, listed)| listed.clone());
        let arguments = [("uri", uri)].into_iter().collect::<Object>();
        self.request(server, Method::ReadResource, about, arguments)
    }

    /// The tool that a sealed call is of, as it is offered now.
    pub async fn as_stored(&self, stored: &audit::HeldCall) -> Option<Arc<Tool>> {
        if stored.method == Method::CallTool.as_str() {
            let is_it = |offered: &&Arc<super::Offered>| {
                offered.tool.server().as_str() == stored.server && offered.tool.name() == stored.tool
            };
            let shown = self.fresh(Listing::Tools).await;
            return shown.tools.values().find(is_it).map(|offered| Arc::clone(&offered.tool));
        }
        let text = |key: &str| stored.arguments.get(key).and_then(Value::as_str);
        let found = match text("uri") {
            Some(uri) => self.reading(uri).await,
            None => {
                let prompt = self.fresh(Listing::Prompts).await;
                let name = text("name")?;
                let shown_name = prompt
                    .prompts
                    .iter()
                    .find(|(_, prompt)| prompt.server.as_str() == stored.server && prompt.name == name)?
                    .0;
                self.prompting(shown_name, stored.arguments.get("arguments").cloned()).await
            }
        };
        found.map(|found| found.tool)
    }

    /// A prompt to get.
    pub async fn prompting(&self, shown_name: &str, arguments: Option<Value>) -> Option<Found> {
        let (server, name, about) = self.prompt(shown_name).await?;
        let mut asked = [("name", name)].into_iter().collect::<Object>();
        if let Some(arguments) = arguments {
            asked.insert("arguments", arguments);
        }
        self.request(server, Method::GetPrompt, Some(about), asked)
    }

    /// An argument of a prompt or of a resource template to complete; `params` are the request's.
    pub async fn completing(&self, params: &Object) -> Option<Found> {
        let mut asked = params.clone();
        asked.remove("_meta");
        let reference = asked.get_mut("ref")?.as_object_mut()?;
        let text = |key: &str, reference: &Object| reference.get(key).and_then(Value::as_str).map(str::to_owned);
        let server = match reference.get("type").and_then(Value::as_str)? {
            "ref/prompt" => {
                let (server, name, _) = self.prompt(&text("name", reference)?).await?;
                reference.insert("name", name);
                server
            }
            "ref/resource" => self.owner(&text("uri", reference)?).await?,
            _ => return None,
        };
        self.request(server, Method::Complete, None, asked)
    }

    /// Asks a resource's server to tell of its changes. Only what a server lists itself can be watched: no text of an
    /// agent's reaches a server but as a recorded call.
    pub async fn watch(&self, uri: &str) -> bool {
        if self.listed(uri).is_none() {
            self.fresh(Listing::Resources).await;
        }
        match self.listed(uri) {
            Some(server) => self.sandbox.watch(&server, uri).await.is_ok(),
            None => false,
        }
    }

    /// Takes one [`Catalog::watch`] back.
    pub fn unwatch(&self, uri: &str) {
        if let Some(server) = self.listed(uri) {
            self.sandbox.unwatch(&server, uri);
        }
    }

    fn listed(&self, uri: &str) -> Option<ServerName> {
        self.shown().resources.get(uri).map(|(server, _)| server.clone())
    }

    fn request(&self, server: ServerName, method: Method, about: Option<Value>, arguments: Object) -> Option<Found> {
        let mut definition = [("name", method.as_str())].into_iter().collect::<Object>();
        if let Some(about) = about {
            definition.insert("about", about);
        }
        let vouched = self.config.servers.get(&server).is_some_and(|settings| settings.vouched);
        let standing = Standing { pinned: true, vouched, profile: self.config.profile(&server, method.as_str()) };
        let tool = Tool::new(server, method, definition.into(), standing).ok()?;
        Some(Found { tool: Arc::new(tool), arguments: arguments.into() })
    }
}

fn owner_in(shown: &Shown, uri: &str) -> Option<ServerName> {
    if let Some((server, _)) = shown.resources.get(uri) {
        return Some(server.clone());
    }
    if let Some((server, _)) = shown.templates.get(uri) {
        return Some(server.clone());
    }
    let fixed = |template: &str| template.split('{').next().unwrap_or_default().len();
    let matching = shown.templates.iter().filter(|(template, _)| {
        let (start, end) =
            (template.split('{').next().unwrap_or_default(), template.rsplit('}').next().unwrap_or_default());
        uri.len() >= start.len() + end.len() && uri.starts_with(start) && uri.ends_with(end)
    });
    matching.max_by_key(|(template, _)| fixed(template)).map(|(_, (server, _))| server.clone())
}
