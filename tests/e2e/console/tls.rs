//! A console that is bound elsewhere than on loopback: TLS, and nothing beside it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tests::browser::Page;
use tests::world::{Setup, World};
use tests::{port, program};

use super::staff;

/// A key and its own certificate, for `localhost`.
fn identity(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("console.pem"), own.pem()).unwrap();
    fs::write(folder.join("console.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("console.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn secured(port: u16) -> World {
    let tls = "tls = { certificate = \"console.pem\", key = \"console.key\" }";
    let config = format!("[operator]\nconsole = \"0.0.0.0:{port}\"\n{tls}\n");
    let mut world = Setup::new().config(&config).prepare();
    identity(world.folder());
    world.start();
    staff(&world);
    world
}

/// Asks as whoever trusts the certificate alone does.
fn asked(world: &World, port: u16, path: &str) -> String {
    let script = "import ssl, sys, urllib.request, urllib.error\n\
        context = ssl.create_default_context(cafile=sys.argv[1])\n\
        try:\n    answer = urllib.request.urlopen(sys.argv[2], context=context)\n\
        except urllib.error.HTTPError as error:\n    answer = error\n\
        print(answer.status, answer.headers)\n";
    let certificate = world.folder().join("console.pem");
    let mut python = program::command("python3");
    python.args(["-c", script]).arg(certificate).arg(format!("https://localhost:{port}{path}"));
    program::run(&mut python, Duration::from_secs(30)).success()
}

#[test]
fn a_console_beyond_loopback_speaks_tls_alone_and_its_session_is_sent_over_nothing_else() {
    let port = port::free();
    let world = secured(port);
    let link = world.json(&["console"])["url"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("https://localhost:{port}/sign-in")), "{link}");
    let answer = asked(&world, port, "/");
    assert!(answer.starts_with("200 "), "{answer}");

    // Whoever forgets the s is told nothing, and what they sent is not read.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    plain.write_all(format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n").as_bytes()).unwrap();
    let mut said = Vec::new();
    // It may be reset: what was said before that is all that counts.
    drop(plain.read_to_end(&mut said));
    assert!(!String::from_utf8_lossy(&said).contains("HTTP/1.1"), "{}", String::from_utf8_lossy(&said));

    let page = Page::open(1280).blind(1, 1280);
    page.goto(&link);
    page.wait("#connection", "live");
    let cookies = page.cdp("Network.getCookies", &json!({"urls": [link]}))["cookies"].as_array().unwrap().clone();
    let [session] = &cookies[..] else { panic!("{cookies:?}") };
    for (name, value) in [("secure", json!(true)), ("httpOnly", json!(true)), ("sameSite", json!("Strict"))] {
        assert_eq!(session[name], value, "{session}");
    }
    // What changes something is taken from the page's own origin, which has the s.
    page.click("button:has-text('Sign out')");
    page.wait(".sign-in", "Sign in");
    assert!(page.said().iter().all(|line| !line.contains("http://")), "{:?}", page.said());
    world.verify();
}
