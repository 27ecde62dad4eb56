//! A real `PostgreSQL` for one test, on loopback, as Debian packs it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::openbao::OpenBao;
use crate::port;
use crate::program::{self, Program};
use crate::world::open_to_everyone;

/// A database server of its own for one test.
pub struct Postgres {
    server: Program,
    port: u16,
    folder: TempDir,
}

const PASSWORD: &str = "of-the-superuser";

impl Postgres {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("portcullis-postgres-").expect("a folder for the test");
        // The server refuses to be root.
        open_to_everyone(folder.path());
        let (data, secret, port) = (folder.path().join("data"), folder.path().join("secret"), port::free());
        fs::write(&secret, PASSWORD).expect("it is our folder");
        let mut init = as_postgres("initdb");
        init.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--username=postgres"]);
        init.arg("--pwfile").arg(&secret).arg("-D").arg(&data);
        drop(program::run(&mut init, Duration::from_mins(1)).success());
        let mut serve = as_postgres("postgres");
        serve.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &port.to_string()]);
        serve.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        let postgres = Self { server: Program::start(&mut serve), port, folder };
        let end = Instant::now() + Duration::from_mins(1);
        while postgres.try_ask("SELECT 1").is_none() {
            assert!(Instant::now() < end, "PostgreSQL does not come up: {}", postgres.server.stderr());
            thread::sleep(Duration::from_millis(50));
        }
        postgres
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has the superuser ask something.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, sql: &str) -> String {
        self.try_ask(sql).unwrap_or_else(|| panic!("{sql} failed"))
    }

    /// The roles that OpenBao made.
    #[must_use]
    #[track_caller]
    pub fn made(&self) -> Vec<String> {
        let rows = self.ask("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'");
        rows.lines().filter(|row| !row.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// Has OpenBao make roles here, as `database/creds/reader`, that live so long where nobody renews or ends them.
    #[track_caller]
    pub fn behind(&self, bao: &OpenBao, life: &str) {
        bao.admin("POST", "sys/mounts/database", &json!({ "type": "database" }));
        let address = format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres", self.port);
        let connection = json!({ "plugin_name": "postgresql-database-plugin", "allowed_roles": "reader",
            "connection_url": address, "username": "postgres", "password": PASSWORD });
        bao.admin("POST", "database/config/test", &connection);
        let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
        let role = json!({ "db_name": "test", "creation_statements": create, "default_ttl": life, "max_ttl": "1h" });
        bao.admin("POST", "database/roles/reader", &role);
    }

    fn try_ask(&self, sql: &str) -> Option<String> {
        let mut psql = program::command("psql");
        psql.arg("-h").arg(self.folder.path()).args(["-p", &self.port.to_string(), "-U", "postgres", "-Atc", sql]);
        let output = program::run(&mut psql, Duration::from_secs(20));
        output.status.success().then_some(output.stdout)
    }
}

/// A program of the server, as the user that Debian made for it where we are root.
fn as_postgres(name: &str) -> Command {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: run tests/components/install")
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin").join(name)))
        .filter(|path| path.is_file())
        .collect();
    folders.sort();
    let path = folders.pop().expect("PostgreSQL is installed: run tests/components/install");
    if !rustix::process::geteuid().is_root() {
        return program::command(path);
    }
    let mut command = program::command("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
    command
}
