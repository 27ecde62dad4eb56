//! What reads a stranger's bytes, for the fuzzer, which holds what must be true of whatever they read.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use policies::ServerName;
use policies::profile::{Ceilings, Destination, Isolation, Resources};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::Placer;

use crate::egress::{Egress, EgressConfig, Exit, Opening};

/// Netfilter log messages: no more packets than the bytes have room for.
pub fn dropped(bytes: &[u8]) {
    let packets = crate::egress::denied::packets(bytes);
    assert!(packets.len() * 20 <= bytes.len());
}

/// The manifest of a package: whatever is accepted asks for nothing that has two meanings.
pub fn manifest(text: &str) {
    let Ok(manifest) = crate::package::parse(text, Path::new("/nowhere")) else { return };
    assert!(manifest.egress.iter().all(|destination| destination.check().is_ok()));
    assert!(manifest.folders.iter().all(|place| place.at.starts_with('/') && place.at != "/"));
    assert!(manifest.tools.iter().all(|tool| !tool.name().is_empty() && !tool.description().is_empty()));
}

/// A question of a sandbox to its resolver: an answer is to this question, with at most one address, and a synthetic one.
pub fn question(bytes: &[u8]) {
    static EXIT: LazyLock<Option<(Arc<Exit>, Opening)>> = LazyLock::new(exit);
    let Some((exit, _)) = &*EXIT else { return };
    let Some(answer) = crate::egress::answer(exit, bytes) else { return };
    assert_eq!(answer.get(..2), bytes.get(..2), "an answer to another question");
    assert!(answer.len() <= bytes.len() + 64, "an answer that is much longer than its question");
}

/// The beginning of a TLS connection: it takes no more bytes than there are, and names one host or none.
pub fn hello(bytes: &[u8]) {
    if let Some((length, name)) = crate::egress::beginning(bytes) {
        assert!(length <= bytes.len());
        assert!(name.is_none_or(|name| !name.is_empty()));
    }
}

fn exit() -> Option<(Arc<Exit>, Opening)> {
    let config = EgressConfig { resolvers: vec![([127, 0, 0, 1], 53).into()], authorities: Vec::new() };
    let egress = Egress::new(&config, TaskTracker::new(), CancellationToken::new()).ok()?;
    let exit = egress.exit(&ServerName::parse("fuzzed").ok()?);
    let everything: Vec<Destination> = serde_json::from_str(r#"[{"host":"a.test"},{"host":"*.b.test"}]"#).ok()?;
    let resources = Resources {
        sandbox: Isolation::Jail,
        digest: None,
        folders: Vec::new(),
        egress: everything,
        secrets: Vec::new(),
        limits: Ceilings::default(),
    };
    let opening = exit.open(&Arc::new(resources), Placer::default()).ok()?;
    Some((exit, opening))
}
