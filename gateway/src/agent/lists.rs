//! Lists and discovery: deterministic, and never for a shared cache.

use policies::{Object, Value};
use sandbox::{Era, Listing};

use super::Agents;
use super::asked::Asked;
use super::legacy::{INSTRUCTIONS, server_info};
use crate::answer::result_for;
use crate::catalog::Shown;

/// How long a client may go without asking again, in milliseconds: a withheld tool must not linger in its list.
const TTL_MS: u64 = 1_000;

impl Agents {
    /// `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`: always one whole page.
    pub async fn list(&self, asked: &Asked, what: Listing) -> Value {
        let shown = self.catalog.fresh(what).await;
        let mut result = Object::new();
        result.insert(what.key(), items(&shown, what));
        cacheable(result, asked.era)
    }

    /// `server/discover`.
    #[must_use]
    pub fn discover(&self, asked: &Asked) -> Value {
        let mut versions = vec![Value::from(Era::MODERN)];
        versions.extend(Era::LEGACY.iter().map(|version| Value::from(*version)));
        let mut result = Object::new();
        result.insert("supportedVersions", versions);
        result.insert("capabilities", self.capabilities(Era::Modern));
        result.insert("instructions", INSTRUCTIONS);
        cacheable(result, asked.era)
    }
}

fn items(shown: &Shown, what: Listing) -> Vec<Value> {
    match what {
        Listing::Tools => {
            shown.tools.values().filter(|offered| !offered.hidden).map(|offered| offered.listed.clone()).collect()
        }
        Listing::Prompts => shown.prompts.values().map(|prompt| prompt.listed.clone()).collect(),
        Listing::Resources => shown.resources.values().map(|(_, listed)| listed.clone()).collect(),
        Listing::Templates => shown.templates.values().map(|(_, listed)| listed.clone()).collect(),
    }
}

/// `private`: what one agent is offered is not for another, so no shared cache may keep it.
fn cacheable(mut result: Object, era: Era) -> Value {
    if era == Era::Modern {
        result.insert("ttlMs", TTL_MS);
        result.insert("cacheScope", "private");
        let meta = [("io.modelcontextprotocol/serverInfo", server_info())].into_iter().collect::<Object>();
        result.insert("_meta", meta);
    }
    result_for(result.into(), era)
}
