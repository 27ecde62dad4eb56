//! Whether the block holds: a program in a sandbox that was granted nothing tries to get out, in a jail and in a container.

use std::path::Path;

use policies::profile::Isolation;
use sandbox::probe::{self, Guarded, Proof};

use super::Check;

pub(super) async fn checks(socket: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![jail().await];
    match probe::guard(socket).await {
        Err(why) => {
            checks.push(Check::warning("guard", why, "for tools in containers, run `portcullis guard` as root"));
        }
        Ok(guard) => {
            checks.push(guarded(&guard));
            checks.push(rules(&guard));
            for runtime in guard.runtimes {
                checks.push(contained(socket, runtime).await);
            }
        }
    }
    checks
}

async fn jail() -> Check {
    match probe::jail().await {
        Ok(proof) => proven("block in jails", &proof),
        Err(why) => Check::warning("block in jails", why, "jailed tools will not start either: mend what `jail` says"),
    }
}

async fn contained(socket: Option<&Path>, runtime: Isolation) -> Check {
    let what = match runtime {
        Isolation::Gvisor => "block on gVisor",
        Isolation::Runc => "block on runc",
        Isolation::Wasm | Isolation::Jail | Isolation::None => "block",
    };
    match probe::container(socket, runtime).await {
        Ok(proof) => proven(what, &proof),
        Err(why) => Check::broken(what, why, "no container runs on it until this is mended; the guard's log says more"),
    }
}

fn proven(what: &'static str, proof: &Proof) -> Check {
    if proof.holds() {
        let found = format!("tried {}: nobody was reached, and each was noticed", proof.tried.join(", "));
        return Check::ok(what, found);
    }
    if !proof.answered.is_empty() {
        let found = format!("a sandbox that was granted nothing reached {}", proof.answered.join(", "));
        return Check::broken(what, found, "run no tools in this kind of sandbox, and report it as SECURITY.md says");
    }
    let unnoticed: Vec<&str> =
        proof.tried.iter().filter(|tried| !proof.noticed.contains(tried)).map(String::as_str).collect();
    let found = format!("nobody was reached, but {} was not noticed", unnoticed.join(", "));
    Check::warning(what, found, "records of calls will lack such attempts: install nftables, with NFLOG in the kernel")
}

fn guarded(guard: &Guarded) -> Check {
    Check::ok("guard", guard.engine.as_str())
}

fn rules(guard: &Guarded) -> Check {
    let tables = guard.tables.join(", ");
    match &guard.rules {
        Ok(true) => Check::ok("rules", format!("tables {tables}, as they must be")),
        Ok(false) => {
            let next = "find what flushes the firewall, and start it before the guard";
            Check::warning("rules", format!("tables {tables} were changed by others, and were put back"), next)
        }
        Err(why) => Check::broken("rules", why.as_str(), "nft must be able to make tables; no container runs without"),
    }
}
