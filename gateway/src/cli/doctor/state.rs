//! The state folder, the log in it, its keys, and the gateway that runs on it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;

use audit::{Filter, Reader};
use jiff::SignedDuration;
use policies::approval::Review;

use super::Check;
use crate::operator::client::{Client, ConnectError};
use crate::operator::health::{BackendRow, Health, WitnessRow};
use crate::operator::rows::{OperatorRow, ServerRow};

pub(super) async fn checks(folder: &Path) -> Vec<Check> {
    if !folder.is_dir() {
        return vec![Check::ok("state", format!("{} is not there: no gateway has run yet", folder.display()))];
    }
    let mut checks = vec![disk(folder), keys(folder), log(folder)];
    checks.extend(gateway(folder).await);
    checks
}

/// The log keeps a reserve; below this it will not last the day.
const LITTLE: u64 = 256 << 20;

fn disk(folder: &Path) -> Check {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MiB free for {}", free >> 20, folder.display());
            match free {
                free if free < LITTLE / 8 => {
                    Check::broken("disk", found, "free space: calls are refused when the log cannot grow")
                }
                free if free < LITTLE => {
                    Check::warning("disk", found, "free space soon: calls are refused when the log cannot grow")
                }
                _ => Check::ok("disk", found),
            }
        }
        Err(error) => Check::broken("disk", error.to_string(), "the state folder must be on a disk that answers"),
    }
}

/// Everything in the state folder but the sockets is its owner's alone.
fn keys(folder: &Path) -> Check {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) => return Check::broken("keys", error.to_string(), "run this as the gateway's user"),
    };
    let open = |file: &fs::DirEntry| {
        let Ok(found) = file.metadata() else { return false };
        found.is_file() && found.permissions().mode() & 0o077 != 0
    };
    let open: Vec<String> =
        files.flatten().filter(open).map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    if open.is_empty() {
        return Check::ok("keys", "only their owner can read them");
    }
    let next = format!("chmod go= {}/*, and take new keys and tokens if others had access", folder.display());
    Check::broken("keys", format!("others can read {}", open.join(", ")), next)
}

/// As many records are verified within seconds.
const MANY: u64 = 20_000;

fn verified(folder: &Path) -> Check {
    match audit::verify(folder) {
        Ok(verified) => Check::ok("log", format!("{} records, verified", verified.records)),
        Err(error) => {
            let next =
                "somebody or something changed it: stop the gateway, keep the folder, and see `portcullis log verify`";
            Check::broken("log", error.to_string(), next)
        }
    }
}

fn log(folder: &Path) -> Check {
    let read = Reader::open(folder).and_then(|log| log.list(&Filter { limit: Some(1), ..Filter::default() }));
    match read {
        Ok(records) => match records.first().map(|found| &found.record) {
            Some(last) if last.at > crate::clock::now() => {
                Check::broken("log", format!("record {} is from the future: {}", last.seq, last.at), "set the clock")
            }
            Some(last) if last.seq > MANY => {
                let found = format!("{} records, which are many: not verified", last.seq);
                Check::warning("log", found, "portcullis log verify checks all of them")
            }
            Some(_) => verified(folder),
            None => Check::ok("log", "empty"),
        },
        Err(error) => Check::broken("log", error.to_string(), "portcullis log verify says which record is wrong"),
    }
}

async fn gateway(folder: &Path) -> Vec<Check> {
    let client = match Client::connect(folder).await {
        Ok(client) => client,
        Err(ConnectError::NotRunning { .. }) => {
            return vec![Check::warning("gateway", "none runs here", "start it: portcullis serve")];
        }
        Err(error) => return vec![Check::broken("gateway", error.to_string(), "run this as an operator")],
    };
    let health: Health = match client.ask("health", &[]).await {
        Ok(health) => health,
        Err(error) => return vec![Check::broken("gateway", error.to_string(), "see the gateway's log")],
    };
    let mut checks = vec![running(&health), liveness(&health.liveness)];
    checks.extend(health.witnesses.iter().map(witness));
    checks.extend(health.backends.iter().map(backend));
    checks.extend(health.observed.iter().map(|found| Check::broken("policies", found, ENFORCE)));
    checks.extend(health.quorums.iter().map(|found| Check::warning("approve", found, FEWER)));
    let operators: Vec<OperatorRow> = client.ask("operators_list", &[]).await.unwrap_or_default();
    checks.push(people(folder, &operators));
    checks.extend(reviews(&client.ask::<Vec<Review>>("reviews_list", &[]).await.unwrap_or_default()));
    let servers: Vec<ServerRow> = client.ask("servers_list", &[]).await.unwrap_or_default();
    checks.extend(servers.iter().map(server));
    checks
}

const ENFORCE: &str = "take it out of `[policy] observe` in portcullis.toml, and reload";

const FEWER: &str = "add operators: portcullis operator add NAME --role ROLE; or ask for fewer in portcullis.toml, and restart the gateway";

fn running(health: &Health) -> Check {
    let found = format!("{}, {} tools, {} holds", health.version, health.offered, health.holds);
    if health.log == "ok" {
        return Check::ok("gateway", found);
    }
    Check::broken("gateway", format!("the log takes no records: {}", health.log), "free space, or mend the disk")
}

/// An agent's shell often runs as its operator's user; the gateway should not.
fn people(folder: &Path, operators: &[OperatorRow]) -> Check {
    if operators.is_empty() {
        let found = "none was added: whatever runs as the gateway's user, such as an agent's shell, can approve calls";
        return Check::warning("operators", found, "add yourself: portcullis operator add NAME --role admin --uid UID");
    }
    let owner = fs::metadata(folder).map(|found| found.uid()).ok();
    let found = format!("{}; approving takes a PIN", operators.len());
    match operators.iter().find(|operator| operator.uid.is_some() && operator.uid == owner) {
        Some(same) => Check::warning(
            "operators",
            format!("{found}; `{}` has the gateway's own user: what runs as it can write the state folder", same.name),
            "run the gateway as a user of its own, and agents as neither",
        ),
        None => Check::ok("operators", found),
    }
}

/// Whoever broke the glass is at work again by then, and so are those who must look at it.
const LATE: SignedDuration = SignedDuration::from_hours(24);

/// Broken glass that nobody looks at is a way around the quorum.
fn reviews(open: &[Review]) -> Option<Check> {
    let now = crate::clock::now();
    let late: Vec<&Review> = open.iter().filter(|review| now.duration_since(review.glass.at) > LATE).collect();
    let oldest = late.first()?;
    let found =
        format!("{} open for more than a day; the oldest is of {} by {}", late.len(), oldest.hold, oldest.glass.by);
    Some(Check::warning("reviews", found, "a reviewer or an admin looks at it: portcullis reviews"))
}

fn liveness(state: &str) -> Check {
    match state {
        "ok" => Check::ok("liveness", "the gate holds: tried with a call that must not pass"),
        "not tried yet" => Check::ok("liveness", state),
        "off" => Check::warning("liveness", "off", "leave it on: `[liveness] every = \"1m\"`"),
        failed => Check::broken("liveness", failed, "treat the gate as open: stop the gateway and read its log"),
    }
}

/// So many records are signed within seconds by a witness that answers.
const BEHIND: u64 = 10_000;

fn witness(witness: &WitnessRow) -> Check {
    let found =
        format!("{}: {} records signed, {} behind; {}", witness.name, witness.signed, witness.lag, witness.state);
    if witness.conflict {
        let next = "the log was put back or rewritten, or the witness lies: keep a copy of the state folder, and compare \
                    with what the witness kept";
        return Check::broken("witness", found, next);
    }
    if witness.state != "ok" || witness.lag > BEHIND {
        let next = "see that the witness runs, and knows this log's key: portcullis log key";
        return Check::warning("witness", found, next);
    }
    Check::ok("witness", found)
}

fn backend(backend: &BackendRow) -> Check {
    let found = format!("{}: {}", backend.name, backend.state);
    if ["ok", "not asked yet"].contains(&backend.state.as_str()) {
        return Check::ok("vault", found);
    }
    let next = "calls that need its secrets are refused until it answers: see that it runs, is unsealed, and accepts the gateway";
    Check::warning("vault", found, next)
}

fn server(server: &ServerRow) -> Check {
    let found = format!("{} ({}): {}", server.name, server.kind, server.status);
    if let Some(quarantine) = &server.quarantine {
        let found = format!("{found}; in quarantine, as {} tried what it had not declared", quarantine.tool);
        return Check::warning("server", found, format!("portcullis tools accept {}", server.name));
    }
    match &server.why {
        Some(why) => Check::warning("server", format!("{found}: {why}"), "mend it, and restart the gateway"),
        None => Check::ok("server", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(at: jiff::Timestamp) -> Review {
        let text = format!(
            r#"{{"hold":"hold-abcdefghijklmnop","call":"call-abcdefghijklmnop","agent":"ci","server":"notes","tool":"delete",
            "risk":"CRITICAL","required":2,"approved":[],"glass":{{"by":"ann","at":"{at}","reason":"a","because":"b"}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn operator(name: &str, uid: Option<u32>) -> OperatorRow {
        let text = serde_json::json!({ "name": name, "role": "admin", "uid": uid, "added": "2026-11-21T10:00:00Z" });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn it_is_told_that_nobody_was_added_or_that_an_operator_is_the_gateways_own_user() {
        let folder = tempfile::tempdir().unwrap();
        let own = fs::metadata(folder.path()).unwrap().uid();
        let check = |operators: &[OperatorRow]| people(folder.path(), operators);
        let nobody = check(&[]);
        assert_eq!((nobody.what, nobody.health), ("operators", super::super::Health::Warning));
        assert!(nobody.found.contains("none was added"), "{}", nobody.found);
        assert!(nobody.next.unwrap().contains("portcullis operator add"));
        let same = check(&[operator("bob", None), operator("ann", Some(own))]);
        assert_eq!(same.health, super::super::Health::Warning);
        assert!(same.found.contains("`ann` has the gateway's own user"), "{}", same.found);
        let apart = check(&[operator("bob", None), operator("ann", Some(own + 1))]);
        assert_eq!((apart.health, apart.next), (super::super::Health::Ok, None));
        assert!(apart.found.contains("2; approving takes a PIN"), "{}", apart.found);
    }

    #[test]
    fn a_review_that_is_open_for_more_than_a_day_is_told() {
        let now = crate::clock::now();
        assert!(reviews(&[review(now - SignedDuration::from_hours(23))]).is_none());
        let late = reviews(&[review(now - SignedDuration::from_hours(25)), review(now)]).unwrap();
        assert_eq!(late.health, super::super::Health::Warning);
        assert!(late.found.starts_with("1 open") && late.found.contains("ann"), "{}", late.found);
    }
}
