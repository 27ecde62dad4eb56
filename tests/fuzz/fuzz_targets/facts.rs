//! No tool and no arguments make a decision panic; what a server says of its own tool never makes a call look safer.
//!
//! Input: `{"tool":{definition},"arguments":…,"result":…}`.
#![no_main]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use policies::{
    AgentId, Call, CallId, Circumstances, Content, Explanation, HoldTimes, Limits, Method, Policies, Profile, Risk, Schema,
    ServerName, Session, SessionKey, Standing, Tool, Value,
};

static POLICIES: LazyLock<Policies> = LazyLock::new(Policies::builtin);

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Value::parse(bytes, &Limits::REQUEST) else { return };
    let part = |name: &str| input.get(name).cloned().unwrap_or_default();
    let (definition, arguments) = (part("tool"), part("arguments"));
    let Some(call) = call(definition.clone(), arguments.clone()) else { return };

    if let Some(Ok(schema)) = call.tool().input_schema().map(Schema::compile) {
        drop(schema.validate(&arguments));
    }
    let fresh = decide(call, &Session::fresh());
    let mut plain = definition;
    if let Some(members) = plain.as_object_mut() {
        members.remove("annotations");
    }
    if let Some(unannotated) = self::call(plain.clone(), arguments.clone()) {
        let risk = decide(unannotated, &Session::fresh());
        assert!(fresh >= risk, "annotations lowered {risk:?} to {fresh:?}");
    }
    if let Some(call) = self::call(plain, arguments) {
        let mut session = Session::lost();
        session.observe(&call, Content::UntrustedSensitive, &part("result"));
        drop(session.provenance(call.arguments()));
        decide(call, &session);
    }
});

fn call(definition: Value, arguments: Value) -> Option<Call> {
    let standing = Standing { pinned: true, vouched: false, profile: Arc::new(Profile::default()) };
    let server = ServerName::parse("server").expect("a plain name");
    let tool = Tool::new(server, Method::CallTool, definition, standing).ok()?;
    let session = SessionKey::parse("session").expect("a plain key");
    Some(Call::new(CallId::from_random([7; 10]), AgentId::authenticated("agent"), session, Arc::new(tool), arguments))
}

fn decide(call: Call, session: &Session) -> Risk {
    let around = Circumstances {
        session,
        first_use: false,
        anomaly: false, undeclared: false, live_secret: false,
        now: Timestamp::UNIX_EPOCH,
        hold_for: HoldTimes::default(),
    };
    let verdict = POLICIES.decide(call, &around);
    let explanation = Explanation::of(&verdict);
    assert!(!explanation.reasons().is_empty(), "a verdict without a reason");
    serde_json::to_string(&explanation).expect("an explanation can be told");
    explanation.risk()
}
