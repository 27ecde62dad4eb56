use super::*;
use crate::canon::Object;

#[test]
fn what_nothing_permits_is_denied_and_the_agent_is_told() {
    let policies = Policies::load_without_defaults(&[]).unwrap();
    let Verdict::Deny(denial) = decide(&policies, call("files", "list", "{}")) else { panic!() };
    assert_eq!(denial.refusal().rule, "not-permitted");
    assert!(denial.refusal().reason.contains("`ann`"));
}

#[test]
fn a_forbid_speaks_in_its_own_words() {
    let policies = with(
        r#"@id("no-files") @reason("Files are off today.") @next("Come back tomorrow.")
        forbid (principal, action == Action::"call", resource in Server::"files");"#,
    );
    let Verdict::Deny(denial) = decide(&policies, call("files", "list", "{}")) else { panic!() };
    let Refused { rule, reason, next } = denial.refusal();
    assert_eq!(
        (rule.as_str(), reason.as_str(), next.as_str()),
        ("no-files", "Files are off today.", "Come back tomorrow.")
    );
    assert_eq!(denial.assessment().policies, ["no-files"]);
    assert!(!matches!(decide(&policies, call("mail", "list", "{}")), Verdict::Deny(_)));
}

#[test]
fn a_forbid_on_running_unattended_holds_the_call() {
    let policies = with(r#"@id("always-ask") forbid (principal, action == Action::"call_unattended", resource);"#);
    let verdict = decide(&policies, call("files", "list", "{}"));
    assert_eq!(verdict.as_str(), "hold");
    assert_eq!(verdict.assessment().policies, ["agents-may-ask", "always-ask"]);
}

#[test]
fn arguments_are_seen_by_their_json_pointers() {
    let policies = with(
        r#"@id("not-here")
        forbid (principal, action == Action::"call", resource)
        when { context.arguments.hasTag("/a~1b/0/n") && context.arguments.getTag("/a~1b/0/n") == "1.50" };"#,
    );
    let verdict = |arguments| decide(&policies, call("x", "list", arguments)).assessment().policies.clone();
    assert_eq!(verdict(r#"{"a/b":[{"n":1.50}]}"#), ["not-here"]);
    assert_ne!(verdict(r#"{"a/b":[{"n":1.5}]}"#), ["not-here"]);
}

#[test]
fn more_arguments_than_policies_can_see_are_denied_only_where_one_looks() {
    let many = Value::Object((0..5000).map(|n| (format!("k{n}"), Value::from(n))).collect::<Object>()).to_string();
    let looks = with(
        r#"@id("looks") forbid (principal, action == Action::"call", resource)
        when { context.arguments.hasTag("/evil") };"#,
    );
    let Verdict::Deny(denial) = decide(&looks, call("x", "list", &many)) else { panic!() };
    assert_eq!(denial.refusal().rule, "undecidable");
    assert_ne!(decide(&Policies::builtin(), call("x", "list", &many)).as_str(), "deny");
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies_whatever_else_permits() {
    let overflow = |action| {
        with(&format!(
            r#"@id("overflow") forbid (principal, action == Action::"{action}", resource)
            when {{ context.level + 9223372036854775807 > 5 }};"#
        ))
    };
    for action in ["call", "call_unattended"] {
        let Verdict::Deny(denial) = decide(&overflow(action), call("files", "list", "{}")) else { panic!("{action}") };
        assert_eq!(denial.refusal().rule, "policy-error");
        assert!(denial.assessment().policies.contains(&"overflow".to_owned()));
    }
}

#[test]
fn policies_can_look_at_the_clock() {
    let policies = with(
        r#"@id("office-hours") forbid (principal, action == Action::"call", resource)
        when { context.now.toTime() < duration("9h") || context.now.toTime() > duration("17h") };"#,
    );
    let session = Session::fresh();
    let at = |time: &str| {
        let around = Circumstances { now: time.parse().unwrap(), ..around(&session) };
        policies.decide(call("files", "list", "{}"), &around).as_str()
    };
    assert_eq!(at("2026-11-21T18:00:00Z"), "deny");
    assert_ne!(at("2026-11-21T12:00:00Z"), "deny");
}

#[test]
fn a_tool_cannot_pass_for_another_servers_or_for_a_resource() {
    let policies = with(
        r#"@id("one") permit (principal, action == Action::"call_unattended", resource == Tool::"files:resources/read");
           @id("two") permit (principal, action == Action::"call_unattended", resource == Tool::"files.x");"#,
    );
    let determined = |call| decide(&policies, call).assessment().policies.clone();
    assert!(!determined(call("files", "resources/read", "{}")).contains(&"one".to_owned()));
    assert!(!determined(call("other", "files.x", "{}")).contains(&"two".to_owned()));
    assert!(determined(call("files", "x", "{}")).contains(&"two".to_owned()));
    let resource = Tool::new(
        ServerName::parse("files").unwrap(),
        Method::ReadResource,
        json(r#"{"name":"resources/read"}"#),
        Standing { pinned: true, ..Standing::default() },
    );
    let read = call_of("ann", resource.unwrap(), r#"{"uri":"file:///a"}"#);
    assert!(determined(read).contains(&"one".to_owned()));
}

#[test]
fn what_only_the_gateway_knows_is_denied_without_asking() {
    let reason = Reason { id: "changed-definition", text: "the tool changed".into(), at: None };
    let denial = Policies::builtin().reject(call("files", "list", "{}"), &around(&Session::fresh()), reason);
    assert_eq!(denial.refusal().rule, "changed-definition");
    assert!(denial.refusal().next.contains("portcullis tools accept"));
    assert_eq!(denial.assessment().risk, Risk::Critical);
}

#[test]
fn money_is_rounded_up_and_loses_its_sign() {
    let units = super::super::ask::whole_units;
    assert_eq!(
        [units("100"), units("100.00"), units("100.01"), units("-100.5")],
        [Some(100), Some(100), Some(101), Some(101)]
    );
    assert_eq!([units("1e3"), units("1,000"), units("abc"), units("")], [None, None, None, None]);
}

/// A verdict over a call of which just this was found.
fn judged(policies: &Policies, reason: &'static str, risk: Risk) -> Verdict {
    let call = call("files", "list", "{}");
    let session = Session::fresh();
    let mut assessment = assess(&call, &around(&session));
    assessment.risk = risk;
    assessment.reasons = vec![Reason { id: reason, text: format!("because of {reason}"), at: None }];
    policies.judge(call, assessment, &around(&session))
}

#[test]
fn each_risk_has_its_default_verdict() {
    let policies = Policies::builtin();
    let verdict = |risk| {
        let verdict = judged(&policies, "some-reason", risk);
        (verdict.as_str(), verdict.assessment().policies.join(" "))
    };
    assert_eq!(verdict(Risk::Low), ("allow", "agents-may-ask low-runs".to_owned()));
    assert_eq!(verdict(Risk::Medium), ("allow", "agents-may-ask medium-runs".to_owned()));
    assert_eq!(verdict(Risk::High), ("hold", "agents-may-ask".to_owned()));
    assert_eq!(verdict(Risk::Critical), ("hold", "agents-may-ask".to_owned()));
}

#[test]
fn what_no_approval_outweighs_is_denied_under_its_own_name() {
    let policies = Policies::builtin();
    for id in crate::risk::DENIED {
        let Verdict::Deny(denial) = judged(&policies, id, Risk::Critical) else { panic!("{id}") };
        assert_eq!(denial.refusal().rule, id);
        assert_eq!(denial.refusal().reason, format!("because of {id}"));
        assert_ne!(denial.refusal().next, ASK_AN_OPERATOR, "{id} tells the agent what to do");
        assert_eq!(denial.assessment().policies, [id]);
    }
}

#[test]
fn the_guards_outweigh_an_operators_own_permits_also_without_the_defaults() {
    let all = source("@id(\"all\") permit (principal, action, resource);");
    let policies = Policies::load_without_defaults(&[all]).unwrap();
    let verdict = |reason| judged(&policies, reason, Risk::Critical).as_str();
    for id in ["changed-definition", "unknown-tool", "secret-exfiltration", "cloud-metadata"] {
        assert_eq!(verdict(id), "deny", "{id}");
    }
    assert_eq!(verdict("deletes"), "allow");
}

#[test]
fn a_server_in_quarantine_waits_for_a_person_whatever_permits_it() {
    let policies = with("@id(\"mine\") permit (principal, action == Action::\"call_unattended\", resource);");
    let session = Session::fresh();
    let decided = |undeclared| {
        let around = Circumstances { undeclared, ..around(&session) };
        let verdict = policies.decide(call("files", "list", "{}"), &around);
        let reasons: Vec<&str> = verdict.assessment().reasons.iter().map(|reason| reason.id).collect();
        (verdict.as_str(), reasons.contains(&"undeclared"), verdict.assessment().policies.join(" "))
    };
    assert_eq!(decided(true), ("hold", true, "agents-may-ask quarantine".to_owned()));
    assert_eq!(decided(false).0, "allow");
}

#[test]
fn a_policy_can_ask_what_keeps_a_tool() {
    let policies = with(
        "@id(\"kept\") forbid (principal, action == Action::\"call\", resource) when { context.sandbox == \"remote\" };",
    );
    assert_eq!(decide(&policies, call("files", "list", "{}")).as_str(), "deny");
}

#[test]
fn the_gateways_own_trial_is_held_and_is_nobodys_else() {
    let all = source("@id(\"all\") permit (principal, action, resource);");
    for policies in [Policies::builtin(), Policies::load_without_defaults(&[all]).unwrap()] {
        let tried = |agent: &str| {
            let trial = tool("portcullis-liveness", r#"{"name":"fetch"}"#);
            let verdict = decide(&policies, call_of(agent, trial, "{}"));
            (verdict.as_str(), verdict.assessment().policies.join(" "))
        };
        let (verdict, by) = tried("portcullis:liveness");
        assert_eq!(verdict, "hold");
        assert!(by.contains("liveness-is-tried ") && by.contains("liveness-is-held"), "{by}");
        assert_eq!(tried("ann"), ("deny", "liveness-is-the-gateways".to_owned()));
        // "liveness-is-nobodys-to-approve"
        let held = call_of("portcullis:liveness", tool("portcullis-liveness", r#"{"name":"fetch"}"#), "{}");
        let Verdict::Hold(held) = decide(&policies, held) else { panic!("it is not held") };
        let hold = Hold::open(HoldId::from_random([1; 10]), &held, 1, noon());
        assert!(!super::approves(&policies, "bob", crate::Role::Admin, false, 1, &hold));
        let [ann, bob] = ["ann", "bob"].map(crate::OperatorId::authenticated);
        let person = |operator| crate::Approver { people: 2, reasoned: true, ..asking(operator, crate::Role::Admin) };
        assert!(policies.may_stand_in(&person(&bob), &person(&ann), &hold).is_err());
    }
}

#[test]
fn every_shipped_policy_is_exercised_by_a_test() {
    let verdicts = include_str!("verdicts.rs").to_owned() + include_str!("../tests.rs");
    let roles =
        ["operators-approve", "operators-break-glass", "operators-stand-in", "reviewers-only-read", "not-your-own"];
    let denied = crate::risk::DENIED;
    for id in Policies::builtin().ids() {
        let known = roles.contains(&id)
            || denied.contains(&id)
            || verdicts.contains(&format!("{id}\""))
            || verdicts.contains(&format!("{id} "));
        assert!(known, "no test exercises `{id}`");
    }
}
