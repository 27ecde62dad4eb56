use super::*;

#[test]
fn the_shipped_policies_are_valid_and_in_force() {
    let ids: Vec<String> = Policies::builtin().ids().map(str::to_owned).collect();
    assert_eq!(ids.len(), 21);
    let (_, guard) = shipped_policies()[0];
    for id in Policies::load_without_defaults(&[]).unwrap().ids() {
        assert!(guard.contains(&format!("@id(\"{id}\")")));
    }
}

#[test]
fn a_bad_policy_file_reports_every_problem_with_its_line() {
    let text = "\
@id(\"ok\")
permit (principal, action == Action::\"call\", resource);

permit (principal, action, resource);

@id(\"Bad Id\")
permit (principal, action, resource);

@id(\"ok\")
forbid (principal, action, resource);

@id(\"typo\")
forbid (principal, action == Action::\"call\", resource)
when { context.risc == \"HIGH\" };

@id(\"types\")
forbid (principal, action == Action::\"call\", resource)
when { context.level > \"3\" };

@id(\"unchecked-tag\")
forbid (principal, action == Action::\"call\", resource)
when { context.arguments.getTag(\"/to\") == \"x\" };

@id(\"never\")
permit (principal == Tool::\"x.y\", action == Action::\"call\", resource);

@id(\"no-such-action\")
permit (principal, action == Action::\"run\", resource);

@id(\"template\")
permit (principal == ?principal, action, resource);
";
    let problems = Policies::load(&[source(text)]).unwrap_err();
    let found: Vec<(usize, Option<&str>)> = problems.iter().map(|p| (p.line, p.policy.as_deref())).collect();
    for wanted in [
        (4, None),
        (6, None),
        (9, Some("ok")),
        (14, Some("typo")),
        (18, Some("types")),
        (22, Some("unchecked-tag")),
        (24, Some("never")),
        (28, Some("no-such-action")),
        (30, None),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} is missing in {problems:#?}");
    }
    assert!(problems.iter().all(|problem| problem.file == "mine.cedar" && !problem.message.is_empty()));
    assert!(problems.iter().any(|problem| problem.to_string().starts_with("mine.cedar:14: policy `typo`: ")));
}

#[test]
fn syntax_errors_bear_their_lines_and_other_files_are_still_read() {
    let broken = source("@id(\"a\")\npermit (principal, action resource);\n");
    let other = Source { name: "other.cedar".into(), text: "permit (principal, action, resource);".into() };
    let problems = Policies::load(&[broken, other]).unwrap_err();
    assert!(problems.iter().any(|p| p.file == "mine.cedar" && p.line == 2), "{problems:#?}");
    assert!(problems.iter().any(|p| p.file == "other.cedar" && p.line == 1), "{problems:#?}");
}

#[test]
fn an_id_of_a_shipped_policy_cannot_be_taken() {
    let problems =
        Policies::load(&[source("@id(\"cloud-metadata\")\nforbid (principal, action, resource);")]).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("guard.cedar"), "{}", problems[0]);
}

#[test]
fn letters_that_hide_in_a_policy_are_a_problem() {
    let text = "@id(\"x\")\npermit (principal == Agent::\"a\u{202e}b\", action == Action::\"call\", resource);";
    assert_eq!(Policies::load(&[source(text)]).unwrap_err().len(), 1);
}

#[test]
fn a_policy_set_of_a_thousand_loads_and_stays_sliced() {
    let policy = |n| format!("@id(\"p{n}\") forbid (principal, action, resource == Tool::\"s{n}.t\");\n");
    let text = (0..1000).map(policy).collect::<Vec<_>>().concat();
    let policies = with(&text);
    assert_eq!(policies.ids().count(), 1021);
    assert_eq!(
        policies.hash_for(&tool("files", r#"{"name":"t"}"#)),
        Policies::builtin().hash_for(&tool("x", r#"{"name":"t"}"#))
    );
}
