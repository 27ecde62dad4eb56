//! Lists to what agents see: names, pins and schemas.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::Audit;
use policies::schema::Schema;
use policies::{Hash, Method, ServerName, Standing, Tool, Value};
use sandbox::Listing;
use serde::Serialize;

use super::{Offered, Prompt, Shown};
use crate::config::{Config, Origin};

/// A tool with its standing, for operators.
#[derive(Clone, Debug, Serialize)]
pub struct Offer {
    /// Its server.
    pub server: ServerName,
    /// Its name at its server.
    pub name: String,
    /// The name that agents know.
    pub shown_name: String,
    /// `offered`, `changed` (withheld until it is accepted), or `withheld`.
    pub status: &'static str,
    /// Why it is withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The hash of its definition now.
    pub hash: Option<Hash>,
}

pub(super) fn shown<'a>(config: &Config, audit: &Audit, list: impl Fn(&ServerName, Listing) -> &'a [Value]) -> Shown {
    let mut shown = Shown::default();
    let mut taken = BTreeMap::new();
    for (server, settings) in &config.servers {
        for definition in list(server, Listing::Tools) {
            let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
            let shown_name = format!("{}{name}", settings.prefix);
            let (offer, offered) = tool(config, audit, server, definition, name, shown_name);
            if let Some(offered) = offered {
                *taken.entry(offer.shown_name.clone()).or_insert(0) += 1;
                shown.tools.insert(offer.shown_name.clone(), Arc::new(offered));
            }
            if settings.origin != Origin::Hidden {
                shown.offers.push(offer);
            }
        }
        for definition in list(server, Listing::Prompts) {
            let Some(name) = definition.get("name").and_then(Value::as_str) else { continue };
            let shown_name = format!("{}{name}", settings.prefix);
            let listed = renamed(audit, definition, &shown_name);
            *taken.entry(format!("prompt {shown_name}")).or_insert(0) += 1;
            shown.prompts.insert(shown_name, Prompt { server: server.clone(), name: name.to_owned(), listed });
        }
        collect(audit, server, list(server, Listing::Resources), "uri", &mut shown.resources);
        collect(audit, server, list(server, Listing::Templates), "uriTemplate", &mut shown.templates);
    }
    refuse_collisions(&mut shown, &taken);
    shown.offers.sort_by(|a, b| a.shown_name.cmp(&b.shown_name));
    shown
}

fn tool(
    config: &Config,
    audit: &Audit,
    server: &ServerName,
    definition: &Value,
    name: &str,
    shown_name: String,
) -> (Offer, Option<Offered>) {
    let mut offer =
        Offer { server: server.clone(), name: name.to_owned(), shown_name, status: "withheld", why: None, hash: None };
    let profile = config.profile(server, name);
    let settings = config.servers.get(server);
    let vouched = settings.is_some_and(|settings| settings.vouched);
    // What only the gateway sees is part of its binary: another definition is another version.
    let hidden = settings.is_some_and(|settings| settings.origin == Origin::Hidden);
    let standing = Standing { pinned: true, vouched, profile };
    let tool = match Tool::new(server.clone(), Method::CallTool, definition.clone(), standing) {
        Ok(tool) => tool,
        Err(error) => {
            offer.why = Some(error.to_string());
            return (offer, None);
        }
    };
    offer.hash = Some(tool.hash());
    match audit.pin(server, Method::CallTool, name) {
        Some(pin) if pin.hash == tool.hash() || hidden => offer.status = "offered",
        Some(_) => {
            offer.status = "changed";
            offer.why = Some("its definition is not the one that was pinned".to_owned());
            return (offer, None);
        }
        None => {
            let why = "it could not be pinned: its name looks like a secret, or the log cannot be written";
            offer.why = Some(why.to_owned());
            return (offer, None);
        }
    }
    let schema = match tool.input_schema() {
        Some(schema) => Schema::compile(schema).map_err(|error| error.to_string()),
        // The specification requires one; a tool without it takes any object.
        None => Schema::compile(&Value::Object([("type", "object")].into_iter().collect()))
            .map_err(|error| error.to_string()),
    };
    if let Err(why) = &schema {
        offer.why = Some(format!("its input schema cannot be used, so every call is refused: {why}"));
    }
    let listed = renamed(audit, definition, &offer.shown_name);
    (offer, Some(Offered { tool: Arc::new(tool), schema, listed, hidden }))
}

/// A definition as agents see it: another name, credentials redacted, everything else as it was sent.
fn renamed(audit: &Audit, definition: &Value, name: &str) -> Value {
    let mut listed = audit.redactor().redact_value(definition).0;
    if let Some(members) = listed.as_object_mut() {
        members.insert("name", name);
    }
    listed
}

fn collect(
    audit: &Audit,
    server: &ServerName,
    items: &[Value],
    key: &str,
    into: &mut BTreeMap<String, (ServerName, Value)>,
) {
    for item in items {
        let Some(uri) = item.get(key).and_then(Value::as_str) else { continue };
        // URIs stay as they are; where two servers claim one, the first by name has it, always the same.
        into.entry(uri.to_owned()).or_insert_with(|| (server.clone(), audit.redactor().redact_value(item).0));
    }
}

/// Two tools under one name: neither is offered, since an approval for one must not run the other.
fn refuse_collisions(shown: &mut Shown, taken: &BTreeMap<String, usize>) {
    for (name, _) in taken.iter().filter(|(_, count)| **count > 1) {
        match name.strip_prefix("prompt ") {
            Some(prompt) if shown.prompts.remove(prompt).is_some() => {}
            Some(_) | None => drop(shown.tools.remove(name)),
        }
        for offer in shown.offers.iter_mut().filter(|offer| offer.shown_name == *name) {
            offer.status = "withheld";
            offer.why = Some("another tool has the same name; give one server another `prefix`".to_owned());
        }
    }
}
