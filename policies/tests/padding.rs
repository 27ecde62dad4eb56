//! What is denied stays denied however much stands beside it.

use jiff::Timestamp;
use policies::decision::Verdict;
use policies::{
    AgentId, Call, CallId, Circumstances, HoldTimes, Method, Object, Policies, ServerName, Session, SessionKey,
    Standing, Tool, Value,
};

#[test]
fn padding_with_other_findings_hides_nothing_that_is_denied() {
    let definition = [("name", "delete_pages")].into_iter().collect::<Object>();
    let server = ServerName::parse("web").unwrap();
    let tool = Tool::new(server, Method::CallTool, definition.into(), Standing::default()).unwrap();
    let mut arguments = Object::new();
    for number in 0..500 {
        arguments.insert(format!("command{number}"), format!("rm -rf /srv/{number}"));
        arguments.insert(format!("sql{number}"), format!("DROP TABLE t{number}"));
        arguments.insert(format!("url{number}"), format!("https://host{number}.example/"));
    }
    arguments.insert("last_url", "http://169.254.169.254/latest/meta-data/iam");
    let agent = AgentId::authenticated("a");
    let session = SessionKey::parse("s").unwrap();
    let call = Call::new(CallId::from_random([7; 10]), agent, session, tool.into(), Value::from(arguments));
    let session = Session::fresh();
    let (now, hold_for) = (Timestamp::UNIX_EPOCH, HoldTimes::default());
    let around = Circumstances {
        session: &session,
        first_use: true,
        anomaly: true,
        undeclared: true,
        live_secret: false,
        now,
        hold_for,
    };
    let verdict = Policies::builtin().decide(call, &around);
    let Verdict::Deny(denial) = &verdict else { panic!("{} {:?}", verdict.as_str(), verdict.assessment().reasons) };
    assert_eq!(denial.refusal().rule, "cloud-metadata", "{:?}", denial.refusal());
    assert!(denial.assessment().reasons.iter().any(|reason| reason.id == "first-use"));
}
