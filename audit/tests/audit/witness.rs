//! A witness on another machine signs a log that only grows, and no other.

use std::fs;
use std::path::Path;

use audit::{FileKey, KeyType, Proof, Submission, SubmitError, VerifierKey, Witness};
use tempfile::TempDir;

use crate::world::{World, noon, start};

pub(crate) struct Elsewhere {
    witness: Witness,
    folder: TempDir,
}

impl Elsewhere {
    pub(crate) fn new(logs: &[VerifierKey]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = FileKey::make(&folder.path().join("witness.key"), "witness.example/w1", KeyType::Witness).unwrap();
        let witness = Witness::open(&folder.path().join("store"), key, logs.to_vec()).unwrap();
        Self { witness, folder }
    }

    fn restarted(self, logs: &[VerifierKey]) -> Self {
        let Self { witness, folder } = self;
        drop(witness);
        let key = FileKey::read(&folder.path().join("witness.key"), KeyType::Witness).unwrap();
        Self { witness: Witness::open(&folder.path().join("store"), key, logs.to_vec()).unwrap(), folder }
    }

    /// Submits the newest checkpoint, as a gateway does.
    pub(crate) fn submit(&self, state: &Path) -> Result<Submission, SubmitError> {
        let mut submission = Submission::newest(state)?;
        let mut old = submission.likely_old(state, self.witness.verifier());
        for _ in 0..3 {
            let answer = self.witness.add_checkpoint(submission.body(state, old)?.as_bytes(), noon());
            match submission.answered(old, answer.status, &answer.body, self.witness.verifier())? {
                Some(known) => old = known,
                None => {
                    submission.keep(state)?;
                    return Ok(submission);
                }
            }
        }
        panic!("it never agrees on a size");
    }

    /// What it kept of this kind: name and text.
    fn kept(&self, kind: &str) -> Vec<(String, String)> {
        let files = fs::read_dir(self.folder.path().join("store/logs")).unwrap().map(|file| file.unwrap().path());
        let of = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == kind);
        let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut kept: Vec<_> = files.filter(of).map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect();
        kept.sort();
        kept
    }
}

fn key(world: &World) -> VerifierKey {
    audit::log_key(world.state.path()).unwrap()
}

async fn stop(world: World) -> World {
    assert!(world.audit.stop().await);
    world
}

async fn more(mut world: World) -> World {
    let (audit, _) = start(world.state.path());
    world.audit = audit;
    drop(world.call("{}", "{}").await);
    stop(world).await
}

fn database(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    ["portcullis.db", "checkpoint"].map(|name| (name, fs::read(world.state.path().join(name)).unwrap())).into()
}

fn put_back(world: &World, files: &[(&'static str, Vec<u8>)]) {
    for name in ["portcullis.db-wal", "portcullis.db-shm"] {
        drop(fs::remove_file(world.state.path().join(name)));
    }
    for (name, bytes) in files {
        fs::write(world.state.path().join(name), bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_log_is_signed_and_proofs_carry_the_signature() {
    let world = stop(World::new()).await;
    let mut elsewhere = Elsewhere::new(&[key(&world)]);
    let mut world = world;
    for round in 0..4 {
        world = more(world).await;
        assert_eq!(elsewhere.submit(world.state.path()).unwrap().witnesses(), 1, "{round}");
        elsewhere = elsewhere.restarted(&[key(&world)]);
    }
    // Nothing new is signed again, at another time.
    assert!(elsewhere.submit(world.state.path()).is_ok());
    let proof = audit::prove(world.state.path(), 2, None).unwrap();
    let witness = elsewhere.witness.verifier().clone();
    let proven = Proof::parse(&proof.to_string()).unwrap().check(&key(&world), std::slice::from_ref(&witness)).unwrap();
    assert_eq!(proven.witnesses, [("witness.example/w1".to_owned(), u64::try_from(noon().as_second()).unwrap())]);
    // A vkey survives being written down.
    assert_eq!(witness.to_string().parse::<VerifierKey>().unwrap(), witness);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_rolled_back_with_its_checkpoint_is_found_by_its_witness() {
    let world = stop(World::new()).await;
    let elsewhere = Elsewhere::new(&[key(&world)]);
    let before = database(&world);
    let world = more(world).await;
    elsewhere.submit(world.state.path()).unwrap();
    put_back(&world, &before);
    // The state folder alone looks sound.
    let (audit, _) = start(world.state.path());
    assert!(audit.stop().await);
    let found = elsewhere.submit(world.state.path()).unwrap_err();
    assert!(matches!(found, SubmitError::RolledBack { known: 3, found: 1 }), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_view_of_a_log_is_found_by_its_witness_at_any_size() {
    for longer in [false, true] {
        let world = stop(World::new()).await;
        let elsewhere = Elsewhere::new(&[key(&world)]);
        let common = database(&world);
        let world = more(world).await;
        elsewhere.submit(world.state.path()).unwrap();
        put_back(&world, &common);
        let mut world = more(world).await;
        if longer {
            world = more(world).await;
        }
        // Nothing here remembers the other view.
        fs::remove_file(world.state.path().join("checkpoint.cosigned")).unwrap();
        let found = elsewhere.submit(world.state.path()).unwrap_err();
        assert!(matches!(found, SubmitError::SplitView), "{found}");
        // At the same size it is proof; at another, whoever sent it may have made the proof up.
        let counts = ["conflict", "doubt"].map(|kind| elsewhere.kept(kind).len());
        assert_eq!(counts, if longer { [0, 1] } else { [2, 0] }, "what the log signed is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_answers_as_the_specification_says() {
    let world = more(stop(World::new()).await).await;
    let stranger = more(stop(World::new()).await).await;
    let elsewhere = Elsewhere::new(&[key(&world)]);
    let ask = |body: &str| elsewhere.witness.add_checkpoint(body.as_bytes(), noon());
    let mine = Submission::newest(world.state.path()).unwrap();
    let from = |old| mine.body(world.state.path(), old).unwrap();
    let other = Submission::newest(stranger.state.path()).unwrap().body(stranger.state.path(), 0).unwrap();
    assert_eq!(ask(&other).status, 404);
    // Signed, but not by a key of that log.
    let forged = from(0).replace(mine.note().to_string().lines().last().unwrap(), &{
        let line = other.lines().last().unwrap();
        line.replace(key(&stranger).name(), key(&world).name())
    });
    assert_eq!(ask(&forged).status, 403);
    let conflict = ask(&from(2));
    assert_eq!((conflict.status, conflict.kind, conflict.body.as_str()), (409, "text/x.tlog.size", "0\n"));
    assert_eq!(ask(&from(0).replacen("old 0", "old 9", 1)).status, 400);
    for wrong in ["", "old 0", "old 00\n\nx\n", "\n\n", "old 0\nnot base64\n\n", &from(0).replacen("old", "new", 1)] {
        assert_eq!(ask(wrong).status, 400, "{wrong}");
    }
    assert_eq!(ask(&format!("old 0\n{}\n{}", "A".repeat(43) + "=", from(0).split_once('\n').unwrap().1)).status, 422);
    assert_eq!(ask(&from(0)).status, 200);
    let conflict = ask(&from(0));
    assert_eq!((conflict.status, conflict.body.as_str()), (409, "3\n"));
    let world = more(world).await;
    let grown = Submission::newest(world.state.path()).unwrap();
    let without = grown.body(world.state.path(), 3).unwrap();
    let (head, note) = without.split_once("\n\n").unwrap();
    let dropped = head.rsplit_once('\n').unwrap().0;
    assert_eq!(ask(&format!("{dropped}\n\n{note}")).status, 422);
    assert_eq!(ask(&without).status, 200);
}

#[test]
fn a_damaged_store_signs_nothing_and_one_store_has_one_witness() {
    let elsewhere = Elsewhere::new(&[]);
    let key = FileKey::read(&elsewhere.folder.path().join("witness.key"), KeyType::Witness).unwrap();
    let second = Witness::open(&elsewhere.folder.path().join("store"), key, Vec::new());
    assert!(matches!(second.map(|_| ()), Err(audit::WitnessError::Locked)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_have_a_witness_lose_what_a_log_signed_against_itself() {
    let world = stop(World::new()).await;
    let elsewhere = Elsewhere::new(&[key(&world)]);
    let common = database(&world);
    let world = more(world).await;
    elsewhere.submit(world.state.path()).unwrap();
    let (first, cosigned) = (database(&world), world.state.path().join("checkpoint.cosigned"));
    put_back(&world, &common);
    let world = more(world).await;
    fs::remove_file(&cosigned).unwrap();
    assert!(matches!(elsewhere.submit(world.state.path()), Err(SubmitError::SplitView)));
    let proof = elsewhere.kept("conflict");
    // Both, of one size: whoever has the log's key sees that it signed two histories.
    assert_eq!(proof.len(), 2);
    assert!(
        proof.iter().all(|(name, note)| name.contains(".3-") && note.contains("\n3\n")) && proof[0].1 != proof[1].1
    );
    // The first view goes on. Whoever sees its newest checkpoint sends it with a proof of their own, and lines of their own.
    put_back(&world, &first);
    let world = more(world).await;
    let newest = Submission::newest(world.state.path()).unwrap();
    let note = newest.note().to_string();
    let junk = "A".repeat(43) + "=";
    let more_lines = format!("{note}— stranger {}\n", "A".repeat(92));
    for body in [format!("old 3\n{junk}\n\n{note}"), format!("old 3\n{junk}\n\n{more_lines}")] {
        assert_eq!(elsewhere.witness.add_checkpoint(body.as_bytes(), noon()).status, 422);
    }
    assert_eq!(elsewhere.kept("conflict"), proof, "the evidence is as it was");
    let doubts = elsewhere.kept("doubt");
    assert_eq!(doubts.len(), 1, "one text is one doubt, whatever lines are added");
    assert_eq!(doubts[0].1, note);
    // Once the log leads there, there is no doubt; and what was proof stays.
    elsewhere.submit(world.state.path()).unwrap();
    assert_eq!((elsewhere.kept("conflict"), elsewhere.kept("doubt")), (proof, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn doubts_are_bounded_keep_the_first_and_become_proof_where_the_log_went_elsewhere() {
    use base64::Engine as _;
    let world = more(stop(World::new()).await).await;
    let elsewhere = Elsewhere::new(&[key(&world)]);
    elsewhere.submit(world.state.path()).unwrap();
    let own = FileKey::read(&world.state.path().join("log.key"), KeyType::Log).unwrap();
    let root = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    // A log that shows others another history of every size.
    for size in 4..=300 {
        let note = crate::forged::note(&own, &format!("{}\n{size}\n{root}\n", key(&world).name()));
        let body = format!("old 3\n{root}\n\n{note}");
        assert_eq!(elsewhere.witness.add_checkpoint(body.as_bytes(), noon()).status, 422);
    }
    let doubts = elsewhere.kept("doubt");
    assert_eq!(doubts.len(), 256);
    assert!([4, 259].iter().all(|size| doubts.iter().any(|(name, _)| name.contains(&format!(".{size}-")))));
    // To the witness it shows the other one.
    let world = more(world).await;
    elsewhere.submit(world.state.path()).unwrap();
    let proof = elsewhere.kept("conflict");
    assert_eq!((proof.len(), elsewhere.kept("doubt").len()), (2, 255));
    assert!(proof.iter().all(|(_, note)| note.contains("\n5\n")), "{proof:?}");
}
