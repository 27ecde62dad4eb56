use super::*;
use crate::decision::load::OBSERVE;

fn observing(text: &str, observe: &[&str]) -> Result<Policies, Vec<Problem>> {
    let observe: Vec<String> = observe.iter().map(|&id| id.to_owned()).collect();
    Policies::load_observing(&[source(text)], true, &observe)
}

fn seen(policies: &Policies, call: Call) -> (&'static str, Vec<(String, &'static str)>) {
    let verdict = decide(policies, call);
    let observed = verdict.assessment().observed.iter();
    (verdict.as_str(), observed.map(|one| (one.policy.clone(), one.would.as_str())).collect())
}

fn read() -> Call {
    call("files", "read_file", r#"{"path":"/w/a"}"#)
}

fn delete() -> Call {
    call("files", "delete", r#"{"path":"/w/a"}"#)
}

fn would(policy: &str, would: &'static str) -> Vec<(String, &'static str)> {
    vec![(policy.to_owned(), would)]
}

#[test]
fn an_observed_forbid_blocks_nothing_and_says_what_it_would_have_done() {
    for (action, outcome) in [("call", "deny"), ("call_unattended", "hold")] {
        let text = |mode: &str| {
            format!(r#"@id("x") {mode} forbid (principal, action == Action::"{action}", resource in Server::"files");"#)
        };
        let (plain, _) = seen(&Policies::builtin(), read());
        assert_eq!(seen(&with(&text("@mode(\"observe\")")), read()), (plain, would("x", outcome)));
        assert_eq!(seen(&with(&text("@mode(\"enforce\")")), read()), (outcome, vec![]));
        assert_eq!(seen(&observing(&text(""), &["x"]).unwrap(), read()), (plain, would("x", outcome)));
    }
}

#[test]
fn an_observed_permit_lends_nothing() {
    let permit = r#"@id("x") @mode("observe") permit (principal, action, resource);"#;
    assert_eq!(seen(&with(permit), delete()), ("hold", would("x", "allow")));
    let alone = Policies::load_without_defaults(&[source(permit)]).unwrap();
    // To let the call run it would have to permit both questions, and does.
    assert_eq!(seen(&alone, read()), ("deny", would("x", "allow")));
    let hold = hold("ci", 1);
    assert!(!approves(&alone, "bob", Role::Admin, false, 1, &hold), "an observed permit let somebody approve");
}

#[test]
fn each_observed_policy_is_asked_by_itself_and_one_that_changes_nothing_is_not_named() {
    let policies = with(
        r#"@id("a") @mode("observe") permit (principal, action == Action::"call_unattended", resource);
        @id("b") @mode("observe") forbid (principal, action == Action::"call", resource);
        @id("c") @mode("observe") forbid (principal, action == Action::"call_unattended", resource);
        @id("d") @mode("observe") forbid (principal, action == Action::"call", resource in Server::"mail");"#,
    );
    let (verdict, observed) = seen(&policies, delete());
    assert_eq!((verdict, observed), ("hold", vec![("a".to_owned(), "allow"), ("b".to_owned(), "deny")]));
    assert_eq!(policies.observed().count(), 4);
}

#[test]
fn a_forbid_in_force_outweighs_an_observed_permit() {
    let policies = with(
        r#"@id("no") forbid (principal, action == Action::"call", resource);
        @id("yes") @mode("observe") permit (principal, action, resource);"#,
    );
    assert_eq!(seen(&policies, read()), ("deny", vec![]));
}

#[test]
fn a_default_that_is_observed_is_said_to_come_with_the_gateway_and_a_guard_cannot_be() {
    let policies = observing("", &["medium-runs", "low-runs"]).unwrap();
    assert_eq!(policies.observed().collect::<Vec<_>>(), [("low-runs", true), ("medium-runs", true)]);
    assert_eq!(seen(&policies, read()).0, "hold", "a permit that is observed still lent itself");
    for (id, told) in [("secret-exfiltration", "always in force"), ("no-such", "there is no policy `no-such`")] {
        let problems = observing("", &[id]).unwrap_err();
        assert_eq!((problems.len(), problems[0].file.as_str()), (1, OBSERVE));
        assert!(problems[0].message.contains(told), "{}", problems[0]);
    }
    let wrong = r#"@id("x") @mode("obsreve") forbid (principal, action, resource);"#;
    assert!(observing(wrong, &[]).unwrap_err()[0].message.contains("`obsreve` is no mode"));
}

#[test]
fn an_approval_is_void_when_a_policy_begins_to_decide() {
    let text = r#"@id("x") forbid (principal, action == Action::"call", resource in Server::"mail");"#;
    let [observed, enforced] = [observing(text, &["x"]).unwrap(), with(text)];
    let mail = tool("mail", r#"{"name":"send"}"#);
    assert_ne!(observed.hash_for(&mail), enforced.hash_for(&mail));
    let files = tool("files", r#"{"name":"write"}"#);
    assert_eq!(observed.hash_for(&files), enforced.hash_for(&files));
}

#[test]
fn more_arguments_than_an_observed_policy_can_be_asked_about_refuse_no_call() {
    let looks = r#"forbid (principal, action == Action::"call", resource)
        when { context.arguments.hasTag("/x") && context.arguments.getTag("/x") == "y" };"#;
    let many = format!(r#"{{"path":"/w/a","more":[{}]}}"#, vec!["1"; 5_000].join(","));
    let call = || call("files", "read_file", &many);
    assert_eq!(seen(&with(&format!("@id(\"x\") {looks}")), call()).0, "deny");
    let (plain, _) = seen(&Policies::builtin(), call());
    assert_ne!(plain, "deny");
    assert_eq!(seen(&with(&format!("@id(\"x\") @mode(\"observe\") {looks}")), call()), (plain, would("x", "deny")));
}

#[test]
fn an_observed_policy_that_cannot_be_evaluated_denies_nothing() {
    let policies = with(
        r#"@id("x") @mode("observe") forbid (principal, action == Action::"call", resource)
        when { context.level + 9223372036854775807 > 5 };"#,
    );
    let (plain, _) = seen(&Policies::builtin(), delete());
    assert_eq!(seen(&policies, delete()), (plain, would("x", "deny")));
}

#[test]
fn an_observed_policy_on_approvals_refuses_nobody_and_is_named() {
    let policies = with(
        r#"@id("say-why") @mode("observe")
        forbid (principal, action == Action::"approve", resource) unless { context.reasoned };"#,
    );
    let (bob, hold) = (OperatorId::authenticated("bob"), hold("ci", 1));
    let silent = asking(&bob, Role::Operator);
    assert!(policies.may_approve(&silent, &hold).is_ok());
    assert_eq!(policies.would_not_approve(&silent, &hold), ["say-why"]);
    assert!(policies.would_not_approve(&Approver { reasoned: true, ..silent }, &hold).is_empty());
}
