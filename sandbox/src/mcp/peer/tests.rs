use policies::Limits;

use super::*;
use crate::line::Event;
use crate::mcp::flight::level;
use crate::server::Listing;

fn peer() -> (Arc<Peer>, broadcast::Receiver<Change>) {
    let (changes, receiver) = broadcast::channel(8);
    (Peer::new(ServerName::parse("s").unwrap(), changes), receiver)
}

fn take(peer: &Peer, text: &str, on: Option<u64>) -> Taken {
    match Message::parse(text.as_bytes(), &Limits::ANSWER) {
        Ok(message) => peer.take(message, on),
        Err(garbage) => peer.take_garbage(&garbage, on),
    }
}

fn passenger(progress: bool, logs: Option<&str>) -> (Passenger, mpsc::Receiver<Event>) {
    let (events, receiver) = mpsc::channel(4);
    (Passenger { events, progress, logs: logs.map(level) }, receiver)
}

fn answer(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"for":{id}}}}}"#)
}

fn kind(reply: Option<Reply>) -> Option<FailureKind> {
    match reply? {
        Reply::Failed(failure) => Some(failure.kind),
        Reply::Result(_) | Reply::Error(_) | Reply::Stopped => None,
    }
}

#[test]
fn answers_find_their_calls_in_any_order() {
    let (peer, _) = peer();
    let (mut first, mut second) = (peer.board(None).unwrap(), peer.board(None).unwrap());
    take(&peer, &answer(second.id()), None);
    take(&peer, &answer(first.id()), None);
    for flight in [&mut first, &mut second] {
        let Some(Reply::Result(result)) = flight.landed() else { panic!() };
        assert_eq!(result.get("for").unwrap().as_u64(), Some(flight.id()));
    }
}

#[test]
fn a_duplicate_or_late_answer_changes_nothing() {
    let (peer, _) = peer();
    let mut first = peer.board(None).unwrap();
    take(&peer, &answer(first.id()), None);
    let mut second = peer.board(None).unwrap();
    take(&peer, &answer(first.id()), None);
    assert!(matches!(first.landed(), Some(Reply::Result(_))) && second.landed().is_none());
    drop(first);
    take(&peer, &answer(1), None);
    assert!(second.landed().is_none());
    assert_eq!(peer.complaints.total(Complaint::LateAnswer), 2);
}

#[test]
fn a_wrong_id_fails_the_call_that_waits_alone_and_no_other() {
    let (peer, _) = peer();
    let (mut first, mut second) = (peer.board(None).unwrap(), peer.board(None).unwrap());
    for wrong in [answer(99), r#"{"jsonrpc":"2.0","id":"1","result":{}}"#.to_owned()] {
        take(&peer, &wrong, None);
        assert!(first.landed().is_none() && second.landed().is_none());
    }
    drop(second);
    take(&peer, &answer(99), None);
    assert_eq!(kind(first.landed()), Some(FailureKind::Malformed));
    assert_eq!(peer.complaints.total(Complaint::UnknownId), 3);
}

#[test]
fn on_a_calls_own_stream_another_calls_answer_fails_it() {
    let (peer, _) = peer();
    let (mut first, mut second) = (peer.board(None).unwrap(), peer.board(None).unwrap());
    take(&peer, &answer(second.id()), Some(first.id()));
    assert_eq!(kind(first.landed()), Some(FailureKind::Malformed));
    assert!(second.landed().is_none());
}

#[test]
fn garbage_on_a_shared_stream_fails_only_the_call_that_it_names() {
    let (peer, _) = peer();
    let (mut first, mut second) = (peer.board(None).unwrap(), peer.board(None).unwrap());
    take(&peer, "Listening on port 8080", None);
    take(&peer, r#"{"jsonrpc":"2.0","id":2,"result":{"a":1,"a":2}}"#, None);
    assert!(first.landed().is_none());
    assert_eq!(kind(second.landed()), Some(FailureKind::Malformed));
}

#[test]
fn nothing_boards_after_the_end() {
    let (peer, _) = peer();
    let mut before = peer.board(None).unwrap();
    peer.end(|| Reply::Stopped);
    assert!(matches!(before.landed(), Some(Reply::Stopped)) && peer.board(None).is_none());
}

#[test]
fn progress_reaches_the_call_with_our_token_and_loses_it() {
    let (peer, _) = peer();
    let ((first, mut first_events), (second, mut second_events)) = (passenger(true, None), passenger(false, None));
    let (first, second) = (peer.board(Some(first)).unwrap(), peer.board(Some(second)).unwrap());
    let progress = |token: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
        )
    };
    assert!(matches!(take(&peer, &progress(&first.id().to_string()), None), Taken::Done));
    let Ok(Event::Notice { method, .. }) = first_events.try_recv() else { panic!() };
    assert_eq!(method, "notifications/progress");
    for other in [second.id().to_string(), "77".to_owned(), "\"x\"".to_owned(), "null".to_owned()] {
        assert!(matches!(take(&peer, &progress(&other), None), Taken::Unsolicited), "{other}");
    }
    assert!(first_events.try_recv().is_err() && second_events.try_recv().is_err());
}

#[test]
fn log_messages_reach_the_calls_that_asked_for_their_level() {
    let (peer, _) = peer();
    let ((all, mut all_events), (severe, mut severe_events), (none, mut none_events)) =
        (passenger(false, Some("debug")), passenger(false, Some("error")), passenger(false, None));
    let _flights = [peer.board(Some(all)).unwrap(), peer.board(Some(severe)).unwrap(), peer.board(Some(none)).unwrap()];
    let log =
        |level: &str| format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}"}}}}"#);
    take(&peer, &log("info"), None);
    take(&peer, &log("critical"), None);
    let count = |events: &mut mpsc::Receiver<Event>| std::iter::from_fn(|| events.try_recv().ok()).count();
    assert_eq!((count(&mut all_events), count(&mut severe_events), count(&mut none_events)), (2, 1, 0));
}

#[test]
fn a_slow_agent_loses_notices_and_holds_up_nobody() {
    let (peer, _) = peer();
    let (slow, _events) = passenger(true, None);
    let flight = peer.board(Some(slow)).unwrap();
    let progress = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{}}}}}"#,
        flight.id()
    );
    (0..10).for_each(|_| drop(take(&peer, &progress, None)));
    assert_eq!(peer.complaints.total(Complaint::DroppedNotice), 6);
}

const SAMPLE: &str = r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#;

#[tokio::test]
async fn a_question_goes_to_the_only_call_and_its_answer_back() {
    let (peer, _) = peer();
    let (alone, mut events) = passenger(false, None);
    let _flight = peer.board(Some(alone)).unwrap();
    let Taken::Ask(ask) = take(&peer, SAMPLE, None) else { panic!() };
    let agent = async {
        let Some(Event::Ask { method, reply, .. }) = events.recv().await else { panic!() };
        assert_eq!(method, "sampling/createMessage");
        reply.send(Ok(Object::new().into())).unwrap();
    };
    let (said, ()) = tokio::join!(peer.pass(ask), agent);
    assert_eq!(said.unwrap(), br#"{"jsonrpc":"2.0","id":"q","result":{}}"#);
}

#[test]
fn a_question_that_could_be_anyones_is_nobodys() {
    let (peer, _) = peer();
    let ((first, _e1), (second, _e2)) = (passenger(false, None), passenger(false, None));
    let (first, second) = (peer.board(Some(first)).unwrap(), peer.board(Some(second)).unwrap());
    let Taken::Say(refusal) = take(&peer, SAMPLE, None) else { panic!() };
    assert!(String::from_utf8(refusal).unwrap().contains("several calls are running"));
    let hinted =
        SAMPLE.replace("\"params\":{}", &format!(r#""params":{{"_meta":{{"progressToken":{}}}}}"#, second.id()));
    assert!(matches!(take(&peer, &hinted, None), Taken::Ask(_)));
    assert!(matches!(take(&peer, SAMPLE, Some(first.id())), Taken::Ask(_)));
    drop((first, second));
    assert!(matches!(take(&peer, SAMPLE, None), Taken::Say(_)));
}

#[tokio::test]
async fn a_question_ends_with_its_call_and_when_the_server_withdraws_it() {
    let (peer, _) = peer();
    let (alone, mut events) = passenger(false, None);
    let flight = peer.board(Some(alone)).unwrap();
    let Taken::Ask(ask) = take(&peer, SAMPLE, None) else { panic!() };
    take(&peer, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}"#, None);
    assert_eq!(peer.pass(ask).await, None);

    let Taken::Ask(ask) = take(&peer, SAMPLE, None) else { panic!() };
    drop(flight);
    assert!(String::from_utf8(peer.pass(ask).await.unwrap()).unwrap().contains("\"error\""));
    while let Ok(Event::Ask { reply, .. }) = events.try_recv() {
        assert!(reply.is_closed());
    }
}

#[test]
fn questions_that_wait_are_bounded() {
    let (peer, _) = peer();
    let (alone, _events) = passenger(false, None);
    let _flight = peer.board(Some(alone)).unwrap();
    let asks: Vec<_> = (0..=MAX_ASKED).map(|n| take(&peer, &SAMPLE.replace("\"q\"", &n.to_string()), None)).collect();
    assert!(asks.iter().take(MAX_ASKED).all(|taken| matches!(taken, Taken::Ask(_))));
    assert!(matches!(asks.last(), Some(Taken::Say(_))));
}

#[test]
fn pings_are_answered_and_other_requests_are_not_served() {
    let (peer, _) = peer();
    let Taken::Say(pong) = take(&peer, r#"{"jsonrpc":"2.0","id":1.50,"method":"ping"}"#, None) else { panic!() };
    assert_eq!(pong, br#"{"jsonrpc":"2.0","id":1.50,"result":{}}"#);
    let Taken::Say(refusal) = take(&peer, r#"{"jsonrpc":"2.0","id":1,"method":"x/y"}"#, None) else { panic!() };
    assert!(String::from_utf8(refusal).unwrap().contains("-32601"));
}

#[test]
fn changes_are_announced() {
    let (peer, mut changes) = peer();
    take(&peer, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#, None);
    take(&peer, r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#, None);
    let server = ServerName::parse("s").unwrap();
    assert_eq!(changes.try_recv().unwrap(), Change::List { server: server.clone(), what: Listing::Tools });
    assert_eq!(changes.try_recv().unwrap(), Change::Resource { server, uri: "u".to_owned() });
}
