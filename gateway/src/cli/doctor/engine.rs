//! The firewall, the container engine and its runtimes.

use super::Check;

pub(super) async fn checks() -> Vec<Check> {
    vec![nftables().await, engine().await, runsc().await]
}

async fn nftables() -> Check {
    match sandbox::probe::nftables().await {
        Err(why) => Check::warning(
            "nftables",
            why,
            "install nftables: what a sandbox sends past its way out is recorded with it",
        ),
        Ok(tables) if tables.is_empty() => Check::ok("nftables", "there; no rules of ours now"),
        Ok(tables) => Check::ok("nftables", format!("our tables: {}", tables.join(", "))),
    }
}

async fn engine() -> Check {
    match sandbox::probe::engine().await {
        Ok(version) => Check::ok("engine", version),
        Err(why) => {
            Check::warning("engine", why, "install and start Docker for tools in containers; Wasm and jails need none")
        }
    }
}

async fn runsc() -> Check {
    match sandbox::probe::runsc().await {
        Ok(version) => Check::ok("runsc", version),
        Err(why) => {
            let next =
                "install gVisor's runsc as a runtime of the engine; or `[sandbox] runtime = \"runc\"`, which is weaker";
            Check::warning("runsc", why, next)
        }
    }
}
