//! A double of OpenBao's documented API that does what a real one will not do on demand.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What the double does with whoever asks for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Gives it.
    Good,
    /// Takes the request and never answers.
    Silent,
    /// Answers a byte every half second.
    Slow,
    /// Answers with what is not JSON, and holds the secret.
    Malformed,
    /// Answers with JSON of another form, that holds the secret.
    Strange,
    /// Breaks off in the middle of the secret.
    Cut,
    /// Says that something went wrong, and quotes the secret and its path.
    Failing,
    /// Sends whoever asks elsewhere.
    Redirecting,
}

/// Listens until the test's process ends.
pub struct Double {
    port: u16,
    mood: Arc<Mutex<Mood>>,
}

impl Double {
    /// A good one that gives this as the field `token` of any path.
    #[must_use]
    pub fn start(secret: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("it listens").port();
        let mood = Arc::new(Mutex::new(Mood::Good));
        let now = Arc::clone(&mood);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let now = Arc::clone(&now);
                thread::spawn(move || serve(stream, &now, secret));
            }
        });
        Self { port, mood }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it does this.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }
}

fn serve(mut stream: TcpStream, mood: &Mutex<Mood>, secret: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
    let mood = *mood.lock().unwrap_or_else(PoisonError::into_inner);
    let mood = if path.starts_with("/v1/auth/") { Mood::Good } else { mood };
    let (status, body) = answer(mood, &path, secret);
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    match mood {
        Mood::Silent => thread::sleep(Duration::from_mins(2)),
        Mood::Slow => text.bytes().take_while(|byte| dripped(&mut stream, *byte)).for_each(drop),
        Mood::Cut => stream.write_all(&text.as_bytes()[..text.len() - secret.len() / 2]).unwrap_or_default(),
        Mood::Good | Mood::Malformed | Mood::Strange | Mood::Failing | Mood::Redirecting => {
            stream.write_all(text.as_bytes()).unwrap_or_default();
        }
    }
}

fn dripped(stream: &mut TcpStream, byte: u8) -> bool {
    thread::sleep(Duration::from_millis(500));
    stream.write_all(&[byte]).is_ok()
}

fn answer(mood: Mood, path: &str, secret: &str) -> (&'static str, String) {
    match mood {
        Mood::Malformed => ("200 OK", format!("{{\"data\":{{\"token\": \"{secret}\" oops")),
        Mood::Strange => ("200 OK", json!({ "data": secret, "lease_id": [secret] }).to_string()),
        Mood::Failing => ("500 Internal Server Error", json!({ "errors": [path, secret] }).to_string()),
        Mood::Redirecting => ("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/v1/elsewhere", String::new()),
        Mood::Good | Mood::Silent | Mood::Slow | Mood::Cut => ("200 OK", envelope(path, secret).to_string()),
    }
}

/// The documented envelope; a token's own entry, or a secret of kv v2.
fn envelope(path: &str, secret: &str) -> Value {
    let data = if path.starts_with("/v1/auth/") {
        json!({ "accessor": "a", "creation_time": 0, "creation_ttl": 0, "display_name": "token", "entity_id": "",
            "expire_time": null, "explicit_max_ttl": 0, "id": "t", "num_uses": 0, "orphan": true, "path": "auth/token/create",
            "policies": ["default"], "renewable": false, "ttl": 0 })
    } else {
        json!({ "data": { "token": secret }, "metadata": { "version": 1, "created_time": "2026-01-01T00:00:00Z" } })
    };
    json!({ "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data, "wrap_info": null,
        "warnings": null, "auth": null })
}
