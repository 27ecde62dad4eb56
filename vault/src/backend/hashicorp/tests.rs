//! Against a real OpenBao. What it does not do on demand is in `tests/e2e/openbao.rs`.

mod bao;
mod cluster;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::*;
use bao::Bao;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// The fields that were given, as text, and their version.
async fn fetch(backend: &Hashicorp, path: &str) -> Result<(Value, String), BackendError> {
    let fetched = backend.fetch(path, soon()).await?;
    let text = |(name, secret): (&String, &crate::secret::Secret)| {
        (name.clone(), Value::from(std::str::from_utf8(secret.expose()).unwrap()))
    };
    Ok((fetched.fields.iter().map(text).collect(), fetched.version))
}

const READS: &str = r#"path "secret/*" { capabilities = ["read"] } path "kv1/*" { capabilities = ["read"] }"#;

#[tokio::test]
async fn kv_of_both_versions_is_read_and_a_new_version_is_followed() {
    let bao = Bao::start().await;
    bao.put("secret/data/github", json!({ "data": { "token": "first", "user": "octo" } })).await;
    bao.put("sys/mounts/kv1", json!({ "type": "kv", "options": { "version": "1" } })).await;
    bao.put("kv1/github", json!({ "token": "of-kv-1" })).await;
    let token = bao.token(READS, "1h").await;
    let backend = bao.backend(json!({ "token": { "file": bao.credential(&token) } }));

    let first = fetch(&backend, "secret/data/github").await.unwrap();
    assert_eq!(first, (json!({ "token": "first", "user": "octo" }), "1".to_owned()));
    assert_eq!(fetch(&backend, "kv1/github").await.unwrap(), (json!({ "token": "of-kv-1" }), "unversioned".to_owned()));
    bao.put("secret/data/github", json!({ "data": { "token": "second" } })).await;
    assert_eq!(fetch(&backend, "secret/data/github").await.unwrap(), (json!({ "token": "second" }), "2".to_owned()));

    bao.admin(Method::DELETE, "secret/data/github", Value::Null).await;
    for gone in ["secret/data/github", "secret/data/never", "secret/github"] {
        assert!(matches!(fetch(&backend, gone).await, Err(BackendError::Missing)), "{gone}");
    }
    assert!(matches!(fetch(&backend, "sys/mounts").await, Err(BackendError::Forbidden)));
    assert!(matches!(fetch(&backend, "secret/../sys/mounts").await, Err(BackendError::Malformed(_))));
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_from_a_policy_that_forbids_and_a_new_one_is_taken_from_its_file() {
    let bao = Bao::start().await;
    bao.put("secret/data/github", json!({ "data": { "token": "it" } })).await;
    let backend = bao.backend(json!({ "token": { "file": bao.credential("s.never-was") } }));
    assert!(matches!(fetch(&backend, "secret/data/github").await, Err(BackendError::Unauthenticated)));

    let token = bao.token(READS, "1h").await;
    bao.credential(&token);
    tokio::time::sleep(REST).await;
    fetch(&backend, "secret/data/github").await.unwrap();
    // Revoked between two calls: the file says the same token still, and then another.
    bao.put("auth/token/revoke", json!({ "token": token })).await;
    assert!(matches!(fetch(&backend, "secret/data/github").await, Err(BackendError::Unauthenticated)));
    bao.credential(&bao.token(READS, "1h").await);
    tokio::time::sleep(REST).await;
    fetch(&backend, "secret/data/github").await.unwrap();
}

#[tokio::test]
async fn an_approle_logs_in_and_logs_in_again_when_its_token_is_revoked() {
    let bao = Bao::start().await;
    bao.put("secret/data/github", json!({ "data": { "token": "it" } })).await;
    bao.token(READS, "1h").await;
    bao.put("sys/auth/approle", json!({ "type": "approle" })).await;
    bao.put("auth/approle/role/gateway", json!({ "token_policies": ["test"], "token_ttl": "1h" })).await;
    let role = bao.admin(Method::GET, "auth/approle/role/gateway/role-id", Value::Null).await;
    let secret = bao.admin(Method::POST, "auth/approle/role/gateway/secret-id", Value::Null).await;
    let secret = secret["data"]["secret_id"].as_str().unwrap().to_owned();
    let keys =
        json!({ "approle": { "role_id": role["data"]["role_id"], "secret_id": { "file": bao.credential(&secret) } } });
    let backend = bao.backend(keys);
    fetch(&backend, "secret/data/github").await.unwrap();

    let mounts = bao.admin(Method::POST, "sys/leases/revoke-prefix/auth/approle", Value::Null);
    mounts.await;
    fetch(&backend, "secret/data/github").await.unwrap();

    // Without a secret that is good there is no way back in, until there is one.
    bao.put("auth/approle/role/gateway/secret-id/destroy", json!({ "secret_id": secret })).await;
    bao.put("sys/leases/revoke-prefix/auth/approle", Value::Null).await;
    assert!(matches!(fetch(&backend, "secret/data/github").await, Err(BackendError::Unauthenticated)));
    let secret = bao.admin(Method::POST, "auth/approle/role/gateway/secret-id", Value::Null).await;
    bao.credential(secret["data"]["secret_id"].as_str().unwrap());
    tokio::time::sleep(REST).await;
    fetch(&backend, "secret/data/github").await.unwrap();
}

#[tokio::test]
async fn a_pod_logs_in_by_the_token_that_its_cluster_vouches_for() {
    let bao = Bao::start().await;
    let cluster = cluster::Cluster::start();
    bao.put("secret/data/github", json!({ "data": { "token": "it" } })).await;
    bao.token(READS, "1h").await;
    // OpenBao asks for an authority although it speaks plain HTTP here.
    bao.put("sys/mounts/pki", json!({ "type": "pki" })).await;
    let ca = bao.admin(Method::POST, "pki/root/generate/internal", json!({ "common_name": "cluster" })).await;
    bao.put("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await;
    let config = json!({ "kubernetes_host": cluster.address(), "kubernetes_ca_cert": ca["data"]["certificate"], "token_reviewer_jwt": cluster.reviewer(), "disable_local_ca_jwt": true });
    bao.put("auth/kubernetes/config", config).await;
    let role = json!({ "bound_service_account_names": "portcullis", "bound_service_account_namespaces": "gateways", "token_policies": ["test"], "token_ttl": "1h" });
    bao.put("auth/kubernetes/role/gateway", role).await;
    let pod =
        |name| bao.backend(json!({ "kubernetes": { "role": "gateway", "jwt": bao.credential(&cluster.jwt(name)) } }));

    fetch(&pod("portcullis"), "secret/data/github").await.unwrap();
    assert!(matches!(fetch(&pod("another"), "secret/data/github").await, Err(BackendError::Unauthenticated)));
    assert!(cluster.reviewed() > 0);
}

#[tokio::test]
async fn a_session_and_its_token_are_kept_alive_and_begun_anew_at_their_end() {
    let bao = Bao::start().await;
    bao.put("secret/data/github", json!({ "data": { "token": "it" } })).await;
    bao.token(READS, "1h").await;
    bao.put("sys/auth/approle", json!({ "type": "approle" })).await;
    let role = json!({ "token_policies": ["test"], "token_ttl": "4s", "token_max_ttl": "9s" });
    bao.put("auth/approle/role/gateway", role).await;
    let role = bao.admin(Method::GET, "auth/approle/role/gateway/role-id", Value::Null).await;
    let secret = bao.admin(Method::POST, "auth/approle/role/gateway/secret-id", Value::Null).await;
    let secret = bao.credential(secret["data"]["secret_id"].as_str().unwrap());
    let backend =
        bao.backend(json!({ "approle": { "role_id": role["data"]["role_id"], "secret_id": { "file": secret } } }));
    fetch(&backend, "secret/data/github").await.unwrap();
    let token = async || backend.session(None).await.unwrap().client.middle.token.clone();
    let first = token().await;
    let tend = backend.tend();
    let mut tend = std::pin::pin!(tend);
    let mut wait = async |seconds| drop(tokio::time::timeout(Duration::from_secs(seconds), &mut tend).await);
    wait(6).await;
    assert_eq!(token().await, first, "it was renewed, though its first life is over");
    fetch(&backend, "secret/data/github").await.unwrap();
    wait(6).await;
    assert_ne!(token().await, first, "its longest life is over");
    fetch(&backend, "secret/data/github").await.unwrap();
}

#[tokio::test]
async fn a_namespace_is_its_own_world() {
    let bao = Bao::start().await;
    bao.put("sys/namespaces/team", Value::Null).await;
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    bao.admin_in("team", Method::POST, "sys/mounts/kv", mount).await;
    let secret = json!({ "data": { "token": "of-the-team" } });
    bao.admin_in("team", Method::POST, "kv/data/github", secret).await;
    let token = bao.credential("root");
    let inside = bao.backend(json!({ "namespace": "team", "token": { "file": token } }));
    assert_eq!(fetch(&inside, "kv/data/github").await.unwrap().0, json!({ "token": "of-the-team" }));
    let outside = bao.backend(json!({ "token": { "file": token } }));
    assert!(matches!(fetch(&outside, "kv/data/github").await, Err(BackendError::Missing | BackendError::Forbidden)));
}

#[tokio::test]
async fn only_the_private_authority_that_the_config_names_is_trusted() {
    let bao = Bao::start_with_tls().await;
    bao.put("secret/data/github", json!({ "data": { "token": "it" } })).await;
    let ca = bao.authority().unwrap();
    let token = bao.credential("root");
    let backend = bao.backend(json!({ "ca": ca, "token": { "file": token } }));
    fetch(&backend, "secret/data/github").await.unwrap();

    let stranger = bao.backend(json!({ "token": { "file": token } }));
    let Err(BackendError::Unreachable(cause)) = fetch(&stranger, "secret/data/github").await else { panic!("trusted") };
    let told = cause.to_string();
    assert!(told.contains("certificate") && !told.contains("github") && !told.contains("127.0.0.1"), "{told}");
}

#[tokio::test]
async fn a_backend_that_is_sealed_or_gone_is_told_apart_and_comes_back() {
    let mut bao = Bao::start().await;
    bao.put("secret/data/github", json!({ "data": { "token": "it" } })).await;
    let backend = bao.backend(json!({ "token": { "file": bao.credential("root") } }));
    fetch(&backend, "secret/data/github").await.unwrap();
    bao.put("sys/seal", Value::Null).await;
    assert!(matches!(fetch(&backend, "secret/data/github").await, Err(BackendError::Sealed)));
    bao.stop();
    let Err(BackendError::Unreachable(cause)) = fetch(&backend, "secret/data/github").await else { panic!("reached") };
    assert!(!cause.to_string().contains("github"), "{cause}");
}

#[tokio::test]
async fn a_log_is_signed_by_a_transit_key_and_anyone_with_the_public_key_can_check_it() {
    let mut bao = Bao::start().await;
    bao.put("sys/mounts/transit", json!({ "type": "transit" })).await;
    bao.put("transit/keys/portcullis", json!({ "type": "ed25519" })).await;
    bao.put("transit/keys/another", json!({ "type": "aes256-gcm96" })).await;
    let settings = bao.settings(json!({ "token": { "file": bao.credential("root") } }));
    let open = |key: &str| {
        let name = TransitName { mount: "transit".to_owned(), key: key.to_owned(), version: 1 };
        TransitKey::open(&settings, name)
    };
    assert!(matches!(open("another"), Err(TransitError::Kind)));
    assert!(matches!(open("never-was"), Err(TransitError::Backend(_))));

    let key = Arc::new(open("portcullis").unwrap());
    let verifier = audit::Signer::verifier(&key).clone();
    let state = tempfile::tempdir().unwrap();
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let config = audit::Config::new(state.path(), now).reserve(1 << 20);
    let start = |config: &audit::Config| {
        let redactor = Arc::new(audit::Redactor::new(&[0; 32]));
        audit::Audit::start(config.clone(), redactor).map(|(audit, _)| audit)
    };
    let checkpoint = || {
        let note = audit::Note::parse(&std::fs::read_to_string(state.path().join("checkpoint")).unwrap()).unwrap();
        note.verify(&verifier).unwrap();
        audit::Checkpoint::of(&note).unwrap().size
    };
    let event = || audit::Event::Stopped { reason: "tested".to_owned(), running: 0 };

    // A log that began with a key in a file is handed over by that key.
    let log = start(&config).unwrap();
    log.stop().await;
    let signed = config.clone().signer(Some(key.clone()));
    assert!(start(&signed).is_err(), "another key than the log's");
    audit::rotate_key(&signed).unwrap();
    assert!(!state.path().join("log.key").exists());
    let log = start(&signed).unwrap();
    log.note(event(), now()).await.unwrap();
    log.stop().await;
    let before = checkpoint();
    assert!(start(&config).is_err(), "without the key there is no log");

    // A backend that is down leaves records without a signature, not calls without records.
    let log = start(&signed).unwrap();
    bao.stop();
    log.note(event(), now()).await.unwrap();
    log.stop().await;
    assert_eq!(checkpoint(), before);
}

#[test]
fn a_config_says_all_its_problems_and_repeats_no_credential() {
    let problems = |table: Value| {
        let mut reader = crate::config::Reader::default();
        let table = table.as_object().unwrap();
        let settings = Settings::parse(&mut reader, "vault.team", table, std::path::Path::new("/etc"));
        reader.finish(settings).err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let token = json!({ "file": "/run/token" });
    assert_eq!(problems(json!({ "address": "https://bao.example:8200", "token": token })), "");
    assert_eq!(problems(json!({ "address": "http://127.0.0.1:8200", "token": token })), "");
    assert_eq!(problems(json!({ "address": "http://bao.example", "insecure": true, "token": token })), "");
    let refused = [
        (json!({ "address": "https://b", "token": "s.hunter2" }), "vault.team.token"),
        (json!({ "address": "https://b", "token": { "value": "s.hunter2" } }), "vault.team.token.value"),
        (json!({ "address": "https://root:hunter2@b", "token": token }), "vault.team.address"),
        (json!({ "address": "http://bao.example", "token": token }), "vault.team.address"),
        (json!({ "address": "https://b" }), "vault.team.token"),
        (json!({ "address": "https://b", "token": token, "approle": {} }), "vault.team.token"),
        (json!({ "address": "https://b", "approle": { "role_id": "r", "secret_id": "hunter2" } }), "approle.secret_id"),
        (json!({ "address": "https://b", "token": { "env": "NOT_SET_ANYWHERE" } }), "vault.team.token.env"),
        (json!({ "address": "https://b", "token": token, "namespace": "a\nb" }), "vault.team.namespace"),
        (json!({ "address": "https://b", "token": token, "adress": 1 }), "vault.team.adress"),
    ];
    for (table, key) in refused {
        let told = problems(table.clone());
        assert!(told.contains(key) && !told.contains("hunter2"), "{table}: {told}");
    }
}
