//! `Grant`: what a sandbox opens for a call, in words.

use policies::profile::{Ceilings, Isolation, Mount, Placement, Resources};
use serde::{Deserialize, Serialize};

/// What a sandbox opens for a call, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `wasm`, `gvisor`, `runc`, `jail` or `none`.
    pub sandbox: String,
    /// The digest of what runs, where that can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Folders of this machine.
    pub folders: Vec<String>,
    /// What can be reached.
    pub network: Vec<String>,
    /// Secrets that are lent for the call, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What it may cost.
    pub limits: Vec<String>,
    /// What is weaker than it could be.
    pub warnings: Vec<String>,
}

impl Grant {
    /// The grant of these resources.
    #[must_use]
    pub fn of(resources: &Resources) -> Self {
        Self {
            sandbox: resources.sandbox.as_str().to_owned(),
            digest: resources.digest.map(|digest| digest.to_string()),
            folders: resources.folders.iter().map(folder).collect(),
            network: resources.egress.iter().map(ToString::to_string).collect(),
            secrets: resources.secrets.iter().map(ToString::to_string).collect(),
            limits: limits(&resources.limits),
            warnings: warning(resources.sandbox).map(str::to_owned).into_iter().chain(held(resources)).collect(),
        }
    }
}

/// What is weaker than it could be.
#[must_use]
pub fn warning(sandbox: Isolation) -> Option<&'static str> {
    match sandbox {
        Isolation::Wasm | Isolation::Gvisor | Isolation::Jail => None,
        Isolation::Runc => Some("the container shares the host's kernel (runc): a hole in the kernel is a way out"),
        Isolation::None => Some("not jailed: it can do whatever the gateway's user can"),
    }
}

/// What each secret that the tool holds means.
pub fn held(resources: &Resources) -> impl Iterator<Item = String> {
    let text = |placement: &Placement| {
        let warning = placement.way.warning()?;
        Some(format!("the secret `{}` is placed the {warning}", placement.secret))
    };
    resources.secrets.iter().filter_map(text)
}

fn folder(mount: &Mount) -> String {
    let (here, access) = (mount.folder.as_str(), if mount.writable { "read and write" } else { "read" });
    if mount.at == here { format!("{here} ({access})") } else { format!("{here} as {} ({access})", mount.at) }
}

/// Each ceiling with its unit.
#[must_use]
pub fn limits(limits: &Ceilings) -> Vec<String> {
    vec![
        format!("time {:#}", jiff::SignedDuration::try_from(limits.time).unwrap_or_default()),
        format!("memory {}", bytes(limits.memory)),
        format!("cpu {}", f64::from(limits.cpu) / 1000.0),
        format!("output {}", bytes(limits.output)),
        format!("processes {}", limits.processes),
        format!("disk {}", bytes(limits.disk)),
    ]
}

fn bytes(bytes: u64) -> String {
    for (unit, scale) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1_u64 << 10)] {
        if bytes >= scale && bytes.is_multiple_of(scale) {
            return format!("{} {unit}", bytes / scale);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_reads_as_what_it_opens() {
        let resources: Resources = serde_json::from_str(
            r#"{"sandbox":"runc","folders":[{"folder":"/srv/a","at":"/data","writable":true},{"folder":"/b","at":"/b"}],
            "egress":[{"host":"a.test","methods":["GET"]}],
            "limits":{"time":{"secs":90,"nanos":0},"memory":67108864,"cpu":500,"output":1000,"processes":4,"disk":1024}}"#,
        )
        .unwrap();
        let grant = Grant::of(&resources);
        assert_eq!(grant.folders, ["/srv/a as /data (read and write)", "/b (read)"]);
        assert_eq!(grant.network, ["https://a.test:443 (GET)"]);
        assert_eq!(
            grant.limits.join(", "),
            "time 1m 30s, memory 64 MiB, cpu 0.5, output 1000 bytes, processes 4, disk 1 KiB"
        );
        assert_eq!(grant.warnings.len(), 1);
    }
}
