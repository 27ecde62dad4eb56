//! What collectors do wrong, and what a kill and an older log do: nothing is lost, and nothing stalls that need not.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::receiver::{Heard, Mood, Receiver};

use super::{
    HASTY, SUCCESS, assert_all, body, caught_up, elasticsearch, events, named, objects, prepare, some, splunk, start,
    status,
};

#[test]
fn a_collector_that_is_busy_fails_hangs_resets_or_sends_elsewhere_has_every_record_in_the_end() {
    let [receiver, elsewhere] = [(); 2].map(|()| Receiver::saying(200, SUCCESS));
    let moved: &'static str = format!("Location: http://127.0.0.1:{}/", elsewhere.port()).leak();
    let moods = [
        Mood::Refuse(429, "Retry-After: 1"),
        Mood::Refuse(500, ""),
        Mood::Hang,
        Mood::Reset,
        Mood::Refuse(302, moved),
        Mood::Take,
    ];
    receiver.set(&moods);
    let world = start(&(splunk("siem", &receiver) + HASTY));
    let row = world.eventually("trouble", || {
        let row = status(&world).remove(0);
        row.get("trouble").is_some().then_some(row)
    });
    assert!(row["trouble"]["failures"].as_u64() >= Some(1) && row["behind"].as_u64() >= Some(1), "{row}");
    some(&world, "a");
    caught_up(&world);
    let heard = receiver.heard();
    for (attempt, mood) in heard.iter().zip(&moods) {
        assert_eq!(attempt.taken, *mood == Mood::Take);
        // What was not taken is what is sent the next time, from its first record on.
        assert_eq!(events(attempt)[0].0, 1);
    }
    let taken: Vec<_> = heard.iter().filter(|heard| heard.taken).flat_map(events).collect();
    assert_all(&world, &taken);
    let log = objects(&world).len();
    assert_eq!(taken.len(), log, "what was taken was sent again");
    assert!(elsewhere.heard().is_empty(), "a redirect was followed");
}

/// Number and leaf of every record in a request, however it is packed.
type Named = fn(&Heard) -> Vec<(u64, String)>;

fn logs(heard: &Heard) -> Vec<(u64, String)> {
    serde_json::from_str::<Vec<Value>>(body(&heard.text)).unwrap().iter().map(named).collect()
}

fn documents(heard: &Heard) -> Vec<(u64, String)> {
    let documents = body(&heard.text).lines().skip(1).step_by(2);
    let numbers =
        documents.map(|line| serde_json::from_str::<Value>(line).unwrap()["event"]["sequence"].as_u64().unwrap());
    numbers.zip(ids(&heard.text)).collect()
}

#[test]
fn elasticsearch_and_datadog_have_every_record_in_the_end_and_none_twice_that_they_took() {
    let (bulk, datadog) = (Receiver::bulk(), Receiver::saying(202, "{}"));
    let elsewhere = Receiver::saying(200, "{}");
    let moved: &'static str = format!("Location: http://127.0.0.1:{}/", elsewhere.port()).leak();
    let busy = Mood::Refuse(429, "Retry-After: 1");
    let moods = [busy, Mood::Refuse(500, ""), Mood::Hang, Mood::Reset, Mood::Refuse(302, moved), Mood::Take];
    for receiver in [&bulk, &datadog] {
        receiver.set(&moods);
    }
    let world = start(&format!(
        "{}{HASTY}[export.datadog]\nurl = \"http://127.0.0.1:{}\"\nkey = {{ file = \"token\" }}\n{HASTY}",
        elasticsearch(&bulk),
        datadog.port(),
    ));
    some(&world, "a");
    caught_up(&world);
    for (receiver, named) in [(&bulk, documents as Named), (&datadog, logs)] {
        let heard = receiver.heard();
        for (attempt, mood) in heard.iter().zip(&moods) {
            assert_eq!(attempt.taken, *mood == Mood::Take);
            assert_eq!(named(attempt)[0].0, 1, "what was not taken is sent again from its first record on");
        }
        let taken: Vec<_> = heard.iter().filter(|heard| heard.taken).flat_map(named).collect();
        assert_all(&world, &taken);
        assert_eq!(taken.len(), objects(&world).len(), "what was taken was sent again");
    }
    assert!(elsewhere.heard().is_empty(), "a redirect was followed");
}

/// Syslog says nothing of what it took: a record that was on its way when a connection broke may be lost, and none that came
/// while nobody listened is.
#[test]
fn collectors_that_nobody_runs_have_every_record_once_they_run() {
    let [http, stream] = [(); 2].map(|()| tests::port::free());
    let world = start(&format!(
        "[export.splunk]\nurl = \"http://127.0.0.1:{http}\"\ntoken = {{ file = \"token\" }}\n{HASTY}\
         [export.syslog]\naddress = \"tcp://127.0.0.1:{stream}\"\nfacility = 16\n{HASTY}"
    ));
    some(&world, "a");
    world.eventually("trouble", || {
        status(&world).iter().all(|row| row["trouble"]["failures"].as_u64() >= Some(1)).then_some(())
    });
    let (splunk, syslog) = (Receiver::saying_at(http, 200, SUCCESS), Receiver::stream_at(stream));
    some(&world, "b");
    caught_up(&world);
    assert_all(&world, &splunk.heard().iter().flat_map(events).collect::<Vec<_>>());
    let log = objects(&world).len();
    let lines = || syslog.heard().iter().map(|heard| heard.text.matches("\"leaf\"").count()).sum::<usize>();
    world.eventually("every line", || (lines() >= log).then_some(()));
    assert_eq!(lines(), log);
}

#[test]
fn a_yes_that_is_not_the_event_collectors_own_is_none() {
    let receiver = Receiver::saying(200, SUCCESS);
    let moods = [
        Mood::Refuse(200, "\n\n{\"text\":\"Server is busy\",\"code\":9}"),
        Mood::Refuse(200, "\n\nwelcome to this portal"),
        Mood::Refuse(200, "\n\n{}"),
        Mood::Take,
    ];
    receiver.set(&moods);
    let world = start(&splunk("siem", &receiver));
    caught_up(&world);
    let heard = receiver.heard();
    assert!(heard.iter().take(4).all(|attempt| events(attempt)[0].0 == 1), "{heard:?}");
    let taken: Vec<_> = heard.iter().filter(|heard| heard.taken).flat_map(events).collect();
    assert_all(&world, &taken);
    assert_eq!(status(&world).remove(0)["skipped"], 0);
}

#[test]
fn one_exporters_trouble_is_no_others_and_no_calls() {
    let [stuck, calm] = [(); 2].map(|()| Receiver::saying(200, SUCCESS));
    stuck.set(&[Mood::Hang]);
    let world = start(&(splunk("stuck", &stuck) + HASTY + &splunk("calm", &calm)));
    some(&world, "a");
    world.eventually("the other one", || {
        let rows = status(&world);
        let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
        (row("calm")["behind"] == 0 && row("stuck").get("trouble").is_some()).then_some(())
    });
    let doctor = world.cli(&["doctor", "--config", "portcullis.toml", "--json"]).stdout;
    let checks = doctor.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let checks: Vec<Value> = checks.filter(|check| check["what"] == "export").collect();
    let health: Vec<&Value> = checks.iter().map(|check| &check["health"]).collect();
    assert_eq!(health, [&json!("ok"), &json!("warning")], "{checks:?}");
    assert!(checks[1]["found"].as_str().unwrap().contains("no answer in time"), "{checks:?}");
    assert!(!world.cli(&["export", "status", "--config", "portcullis.toml"]).status.success());
}

/// The ids that a bulk names.
fn ids(text: &str) -> Vec<String> {
    body(text).lines().step_by(2).map(|line| line.split('"').nth(5).unwrap().to_owned()).collect()
}

#[test]
fn of_a_bulk_that_is_taken_in_part_the_rest_is_sent_again_and_what_never_fits_is_skipped_and_said() {
    let receiver = Receiver::bulk();
    // First nobody, so that the first bulk has several records.
    receiver.set(&[
        Mood::Refuse(503, ""),
        Mood::Refuse(503, ""),
        Mood::Items(&[201, 429]),
        Mood::Items(&[400]),
        Mood::Take,
    ]);
    let world = start(&elasticsearch(&receiver));
    some(&world, "a");
    caught_up(&world);
    let heard = receiver.heard();
    let log: Vec<String> = objects(&world).iter().map(|record| record["leaf"].as_str().unwrap().to_owned()).collect();
    let bulks: Vec<Vec<String>> = heard.iter().filter(|heard| heard.taken).map(|heard| ids(&heard.text)).collect();
    assert_eq!(bulks[0][0], log[0]);
    assert_eq!(bulks[1][0], log[1], "sent again from the first that was not taken");
    let sent: std::collections::BTreeSet<&String> = bulks.iter().flatten().collect();
    assert_eq!(sent.len(), log.len());
    let row = status(&world).remove(0);
    assert_eq!(row["skipped"], 1, "{row}");
    let said = world.said();
    assert!(said.contains("refused for good") && said.contains(&log[1]) && said.contains("some_exception"), "{said}");
}

#[test]
fn a_collector_that_refuses_record_after_record_loses_ten_and_no_more() {
    let receiver = Receiver::bulk();
    receiver.set(&[Mood::Items(&[400; 500])]);
    let world = start(&elasticsearch(&receiver));
    for name in ["a", "b", "c", "d"] {
        some(&world, name);
    }
    let row = world.eventually("the end of patience", || {
        let row = status(&world).remove(0);
        row["trouble"]["error"].as_str().is_some_and(|error| error.contains("record after record")).then_some(row)
    });
    assert_eq!((&row["exported"], &row["skipped"]), (&json!(10), &json!(10)), "{row}");
    receiver.set(&[Mood::Take]);
    caught_up(&world);
    assert_eq!(status(&world).remove(0)["skipped"], 10);
}

#[test]
fn a_batch_that_is_too_large_is_sent_in_parts() {
    let receiver = Receiver::saying(200, SUCCESS);
    receiver.set(&[Mood::Refuse(503, ""), Mood::Refuse(503, ""), Mood::Refuse(413, ""), Mood::Take]);
    let world = start(&splunk("siem", &receiver));
    some(&world, "a");
    caught_up(&world);
    let heard = receiver.heard();
    let taken: Vec<_> = heard.iter().filter(|heard| heard.taken).flat_map(events).collect();
    assert_all(&world, &taken);
    assert_eq!(status(&world).remove(0)["skipped"], 0);
    assert_eq!(events(heard.iter().find(|heard| heard.taken).unwrap()).len(), events(&heard[2]).len().div_ceil(2));
}

#[test]
fn a_killed_gateway_loses_no_record_and_repeats_one_only_under_the_same_leaf() {
    let receiver = Receiver::saying(200, SUCCESS);
    let mut world = prepare(&splunk("siem", &receiver));
    world.start();
    for round in 0..4 {
        some(&world, &format!("r{round}n"));
        if round % 2 == 0 {
            // While a batch is on its way, and nobody has said that it was taken.
            receiver.set(&[Mood::Hang]);
            let before = receiver.heard().len();
            some(&world, &format!("h{round}n"));
            world.eventually("a batch", || (receiver.heard().len() > before).then_some(()));
        }
        world.kill();
        receiver.set(&[Mood::Take]);
        world.start();
    }
    some(&world, "last");
    caught_up(&world);
    let sent: Vec<_> = receiver.heard().iter().flat_map(events).collect();
    assert_all(&world, &sent);
    let taken: Vec<_> = receiver.heard().iter().filter(|heard| heard.taken).flat_map(events).collect();
    assert_all(&world, &taken);
}

#[test]
fn a_gateway_that_is_told_to_stop_stops_though_a_collector_hangs() {
    let receiver = Receiver::saying(200, SUCCESS);
    receiver.set(&[Mood::Hang]);
    let mut world = start(&splunk("siem", &receiver));
    world.eventually("a batch", || (!receiver.heard().is_empty()).then_some(()));
    world.gateway().signal(rustix::process::Signal::TERM);
    let ended = world.gateway().wait(Duration::from_secs(30));
    assert!(ended.success(), "{ended}");
    assert!(!world.said().contains("left behind"), "{}", world.said());
    receiver.set(&[Mood::Take]);
    world.start();
    caught_up(&world);
    let taken: Vec<_> = receiver.heard().iter().filter(|heard| heard.taken).flat_map(events).collect();
    assert_all(&world, &taken);
}

#[test]
fn an_older_log_that_was_put_back_is_noticed_and_nothing_is_sent_until_somebody_says_so() {
    let receiver = Receiver::saying(200, SUCCESS);
    let mut world = start(&splunk("siem", &receiver));
    some(&world, "a");
    caught_up(&world);
    stop(&mut world);
    let copy = world.folder().join("copy");
    copy_folder(world.state(), &copy);
    world.start();
    some(&world, "b");
    caught_up(&world);
    stop(&mut world);
    // The state of before, and the cursor of now.
    let cursor = fs::read(world.state().join("exported/siem")).unwrap();
    fs::remove_dir_all(world.state()).unwrap();
    copy_folder(&copy, world.state());
    fs::write(world.state().join("exported/siem"), cursor).unwrap();
    world.start();
    let row = world.eventually("the notice", || {
        let row = status(&world).remove(0);
        (row.get("astray").is_some() && world.said().contains("nothing is exported any more")).then_some(row)
    });
    assert!(row["astray"].as_str().unwrap().contains("older copy"), "{row}");
    let before = receiver.heard().len();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.heard().len(), before, "sent on from a place that is not there");
    let doctor = world.cli(&["doctor", "--config", "portcullis.toml"]);
    assert!(doctor.stdout.contains("older copy"), "{}", doctor.stdout);
    fs::remove_file(world.state().join("exported/siem")).unwrap();
    caught_up(&world);
    let sent: Vec<_> = receiver.heard().iter().skip(before).flat_map(events).collect();
    assert_all(&world, &sent);
}

fn stop(world: &mut tests::world::World) {
    world.gateway().signal(rustix::process::Signal::TERM);
    assert!(world.gateway().wait(Duration::from_secs(30)).success());
    world.kill();
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            copy_folder(&path, &to.join(entry.file_name()));
        } else if kind.is_file() {
            fs::copy(&path, to.join(entry.file_name())).unwrap();
        }
    }
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
}
