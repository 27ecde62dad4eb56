//! One record, or some of its fields, proven to someone who has neither the log nor the rest of the record.

use audit::{BadProof, Event, Proof, ProveError, VerifierKey};

use crate::world::{World, noon};

/// A stopped log: 1 its creation, 2 an intent, 3 its outcome, and some events.
async fn log(events: u32) -> (World, VerifierKey) {
    let world = World::new();
    drop(world.call(r#"{"path":"/srv/salaries.txt"}"#, r#"{"text":"one"}"#).await);
    for number in 0..events {
        let event = Event::Stopped { reason: format!("number {number}"), running: 0 };
        world.audit.note(event, noon()).await.unwrap();
    }
    assert!(world.audit.stop().await);
    let key = audit::log_key(world.state.path()).unwrap();
    (world, key)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_a_log_over_several_tiles_is_proven_whole() {
    let (world, key) = log(600).await;
    for seq in (1..=603).step_by(7).chain([2, 3, 255, 256, 257, 512, 513, 602, 603]) {
        let proof = audit::prove(world.state.path(), seq, None).unwrap();
        let read = Proof::parse(&proof.to_string()).unwrap();
        let proven = read.check(&key, &[]).unwrap();
        assert_eq!((proven.record.seq, proven.size), (seq, 603));
        assert!(proven.record.withheld.is_empty());
    }
    let proof = audit::prove(world.state.path(), 2, None).unwrap().check(&key, &[]).unwrap();
    assert_eq!(proof.record.body.unwrap().get("path").unwrap().as_str(), Some("/srv/salaries.txt"));
    assert_eq!(proof.record.fields.get("agent").unwrap().as_str(), Some("ann"));
    assert!(matches!(audit::prove(world.state.path(), 604, None), Err(ProveError::Unknown(604))));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_not_shown_are_not_in_the_file() {
    let (world, key) = log(3).await;
    let wanted = names(&["tool", "verdict", "detail.because"]);
    let proof = audit::prove(world.state.path(), 2, Some(&wanted)).unwrap();
    let proven = proof.check(&key, &[]).unwrap();
    let shown: Vec<&str> = proven.record.fields.keys().map(String::as_str).collect();
    assert_eq!(shown, ["detail.because", "tool", "verdict"]);
    for name in ["agent", "call", "detail.assessment", "body"] {
        assert!(proven.record.withheld.contains(&name.to_owned()), "{name}");
    }
    let file = proof.to_string();
    let extra = file.lines().nth(1).unwrap().strip_prefix("extra ").unwrap();
    let extra = base64(extra);
    for hidden in ["ann", "salaries", "session-1", "call-"] {
        assert!(!extra.contains(hidden), "{hidden} in {extra}");
    }
    // A name stands for all below it, and the body goes only with the field that has its hash.
    let proven = audit::prove(world.state.path(), 2, Some(&names(&["detail"]))).unwrap().check(&key, &[]).unwrap();
    assert!(proven.record.fields.keys().all(|name| name.starts_with("detail.")) && proven.record.body.is_none());
    let unknown = audit::prove(world.state.path(), 2, Some(&names(&["tool", "price"])));
    assert!(matches!(unknown, Err(ProveError::Fields(names)) if names.len() == 1));
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}

fn coded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_dropped_added_or_moved_byte_of_a_proof_is_refused() {
    let (world, key) = log(20).await;
    let file = audit::prove(world.state.path(), 2, Some(&names(&["tool"]))).unwrap().to_string();
    let wanted = Proof::parse(&file).unwrap().check(&key, &[]).unwrap();
    let holds = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        Proof::parse(text).ok()?.check(&key, &[]).ok()
    };
    let bytes = file.as_bytes();
    for place in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[place] ^= 1;
        assert_eq!(holds(&flipped), None, "flipped {place}: {}", String::from_utf8_lossy(&flipped));
        assert_eq!(holds(&[&bytes[..place], &bytes[place + 1..]].concat()), None, "dropped {place}");
        assert_eq!(holds(&[&bytes[..place], b"A", &bytes[place..]].concat()), None, "added at {place}");
        assert_eq!(holds(&bytes[..place]), None, "cut at {place}");
        if place > 0 && bytes[place] != bytes[place - 1] {
            let mut swapped = bytes.to_vec();
            swapped.swap(place, place - 1);
            assert_eq!(holds(&swapped), None, "swapped {place}");
        }
    }
    assert_eq!(holds(bytes), Some(wanted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shown_field_with_another_value_name_or_record_is_refused() {
    let (world, key) = log(3).await;
    let file = audit::prove(world.state.path(), 2, Some(&names(&["tool", "risk"]))).unwrap().to_string();
    let extra = file.lines().nth(1).unwrap().strip_prefix("extra ").unwrap();
    let inside = base64(extra);
    let changed = |from: &str, to: &str| {
        assert!(inside.contains(from), "{inside}");
        let with = file.replace(extra, &coded(&inside.replacen(from, to, 1)));
        Proof::parse(&with).and_then(|proof| proof.check(&key, &[])).unwrap_err()
    };
    assert_eq!(changed(r#"\"read\""#, r#"\"delete\""#), BadProof::Field("tool".to_owned()));
    assert_eq!(changed(r#""fields":{"risk""#, r#""fields":{"agent""#), BadProof::Field("agent".to_owned()));
    assert_eq!(changed(r#"\"seq\":2"#, r#"\"seq\":3"#), BadProof::Path);
    // Another log's proof, or another key.
    let (_stranger, other) = log(3).await;
    assert!(matches!(Proof::parse(&file).unwrap().check(&other, &[]), Err(BadProof::Note(_))));
    // The record of another place.
    let moved = file.replacen("index 1", "index 2", 1);
    assert_eq!(Proof::parse(&moved).unwrap().check(&key, &[]), Err(BadProof::Path));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_or_tile_makes_no_proof() {
    for change in [
        "UPDATE entry SET record = CAST(replace(CAST(record AS TEXT), 'ann', 'bob') AS BLOB) WHERE seq = 2",
        "UPDATE tile SET hashes = CAST(x'00' || substr(hashes, 2) AS BLOB) WHERE level = 0 AND place = 1",
    ] {
        let (world, _) = log(600).await;
        let db = rusqlite::Connection::open(world.state.path().join("portcullis.db")).unwrap();
        db.execute_batch(change).unwrap();
        assert!(
            matches!(audit::prove(world.state.path(), 258, None), Err(ProveError::Damaged)) || change.contains("entry")
        );
        assert!(
            matches!(audit::prove(world.state.path(), 2, None), Err(ProveError::Damaged)) || change.contains("tile")
        );
    }
}
